"""One process of the region: what it is, how it is started, and how its group is ended."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import BinaryIO

from archive.process import DEATH_PIPE, READY_FD

LOG_BYTES = 10_000_000
"""A log longer than this is put aside, over the one put aside before, when its process starts."""

IMAGESTORE: tuple[str, ...] = (sys.executable, "-m", "deploy.command")
"""How the region starts the programs of this distribution, its own supervisor among them."""

_LEASH = Path(__file__).with_name("leash.py")

_SPARING = {
    "PYTHONUTF8": "1",
    "PYTHONUNBUFFERED": "1",
    "MALLOC_ARENA_MAX": "2",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}
"""Text is UTF-8 in any locale, a crash leaves its last words, and sixteen processes stay small."""


class Order(Enum):
    """When a child is told to end."""

    FIRST = "FIRST"
    """With all others, at once."""
    LAST = "LAST"
    """After the others have ended: they may need it to put down their work."""


@dataclass(frozen=True, slots=True)
class Child:
    """A process to keep running.

    `prepare` is called before each start and writes configuration, with the ports known by then.
    With a `probe` the program is not ours: it is run on a leash and is ready when the probe says
    so. Without one it calls `archive.process.watch_parent` and `report_ready`. What it `needs` must
    be ready before its first start; later it comes again without them.
    """

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    prepare: Callable[[], None] = lambda: None
    probe: Callable[[], bool] | None = None
    order: Order = Order.FIRST


@dataclass(frozen=True, slots=True)
class Inherited:
    """The descriptors that every child is born with."""

    death_pipe: int
    children_lock: int


@dataclass(slots=True)
class Running:
    """A started child. Its process group is its own, and its number is that of the process."""

    process: subprocess.Popen[bytes]
    ready_pipe: int | None

    @property
    def pid(self) -> int:
        """The number of the process, and of its group until the process is reaped."""
        return self.process.pid

    def read_ready(self) -> dict[str, int] | None:
        """Read the ready pipe once and close it: the ports told, None when it ended silently."""
        if self.ready_pipe is None:
            return None
        line = os.read(self.ready_pipe, 65_536)
        self.forget_ready_pipe()
        return _told_ports(line)

    def forget_ready_pipe(self) -> None:
        """Close the ready pipe, if it is still open."""
        if self.ready_pipe is not None:
            os.close(self.ready_pipe)
            self.ready_pipe = None

    def ask_to_end(self) -> None:
        """Send SIGTERM to the process; it ends what it started itself."""
        os.kill(self.pid, signal.SIGTERM)

    def kill(self) -> None:
        """Kill the process and its whole group. Only before it is reaped: then it names us."""
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            os.kill(self.pid, signal.SIGKILL)

    def reap(self) -> int:
        """End what is left of the group, then take the exit status (negative: a signal)."""
        self.kill()
        return self.process.wait()


def start(child: Child, *, log: Path, inherited: Inherited) -> Running:
    """Start a child in a session of its own, its output going to `log`.

    Raises OSError when the program cannot be run.
    """
    if child.probe is not None:
        return Running(_popen(child, log=log, inherited=inherited, ready=None), None)
    read_end, write_end = os.pipe()
    try:
        process = _popen(child, log=log, inherited=inherited, ready=write_end)
    except OSError:
        os.close(read_end)
        raise
    finally:
        os.close(write_end)
    return Running(process, read_end)


def last_lines(log: Path, *, count: int = 12) -> list[str]:
    """Return the end of a log, for a person who asks why a process did not come up."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - 8192))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return []
    return text.splitlines()[-count:]


def _popen(
    child: Child, *, log: Path, inherited: Inherited, ready: int | None
) -> subprocess.Popen[bytes]:
    handed_on = (inherited.death_pipe, inherited.children_lock, ready)
    with opened_log(log) as output:
        return subprocess.Popen(
            _leashed(child, death_pipe=inherited.death_pipe),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=_environment(child, death_pipe=inherited.death_pipe, ready=ready),
            pass_fds=[descriptor for descriptor in handed_on if descriptor is not None],
            start_new_session=True,
        )


def _leashed(child: Child, *, death_pipe: int) -> tuple[str, ...]:
    if child.probe is None:
        return child.argv
    return (sys.executable, "-I", "-S", str(_LEASH), str(death_pipe), *child.argv)


def _environment(child: Child, *, death_pipe: int, ready: int | None) -> dict[str, str]:
    if ready is None:
        return {**os.environ, **child.env}
    told = {DEATH_PIPE: str(death_pipe), READY_FD: str(ready)}
    return {**os.environ, **_SPARING, **child.env, **told}


def opened_log(path: Path) -> BinaryIO:
    """Open a log to append to, its old content put aside when there is too much of it."""
    if path.exists() and path.stat().st_size > LOG_BYTES:
        path.replace(path.with_name(path.name + ".1"))
    return path.open("ab")


def _told_ports(line: bytes) -> dict[str, int] | None:
    """Read {"ports": {NAME: NUMBER}}; None when the process ended without these words."""
    try:
        ports = json.loads(line)["ports"]
        return {str(name): int(port) for name, port in ports.items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
