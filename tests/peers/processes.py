"""Peers that are programs: found on PATH, started on a free port, ended with what they started."""

import contextlib
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from os import environ
from pathlib import Path

import pytest

LOOPBACK = "127.0.0.1"
POLL_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where an application entity listens; the shape of `region.json`'s `dicom` objects."""

    host: str
    port: int
    ae_title: str


@dataclass(frozen=True, slots=True)
class Ran:
    """A program that has ended."""

    arguments: tuple[str, ...]
    exit_status: int
    output: str
    """Standard output and standard error, as they came."""


def needs_programs(*names: str) -> pytest.MarkDecorator:
    """Return a mark that skips a test, by name, where a program is not on PATH."""
    missing = [name for name in names if shutil.which(name) is None]
    return pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}")


def free_port() -> int:
    """Return a port of the loopback interface that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until(holds: Callable[[], bool], *, what: str, seconds: float = 10.0) -> None:
    """Poll until ``holds``; fail with ``what`` when it does not within ``seconds``."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise AssertionError(f"Not within {seconds} s: {what}")
        time.sleep(POLL_SECONDS)


def listens(port: int) -> bool:
    """Tell whether somebody accepts TCP connections on this port of the loopback interface."""
    with contextlib.suppress(OSError), socket.create_connection((LOOPBACK, port), timeout=1):
        return True
    return False


def run(
    arguments: Sequence[str | Path],
    *,
    seconds: float = 60,
    environment: Mapping[str, str] = environ,
) -> Ran:
    """Run a program to its end, whatever its exit status."""
    ended = subprocess.run(
        [str(argument) for argument in arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=seconds,
        check=False,
        env=dict(environment),
    )
    output = ended.stdout.decode("utf-8", errors="replace")
    return Ran(tuple(str(one) for one in arguments), ended.returncode, output)


@contextlib.contextmanager
def running(
    arguments: Sequence[str | Path],
    *,
    log: Path,
    ready: Callable[[], bool],
    environment: Mapping[str, str] = environ,
    seconds: float = 20,
) -> Iterator[subprocess.Popen[bytes]]:
    """Give a program that runs and is ready; at the end it is terminated, then killed."""
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [str(argument) for argument in arguments],
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            env=dict(environment),
        )
    try:
        wait_until(
            lambda: process.poll() is not None or ready(), what=f"{arguments[0]}", seconds=seconds
        )
        assert process.poll() is None, log.read_text(errors="replace")
        yield process
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(timeout=10)
