"""A region beside this process: detached from it, or tied to its life; and taking one down."""

import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from archive.process import DEATH_PIPE, READY_FD
from deploy.region import process
from deploy.region.directory import RegionDirectory, read_json
from deploy.region.errors import RegionAlreadyUp, RegionNotUp, StartFailed, StopFailed
from deploy.region.lock import holder, is_held, send_signal
from deploy.region.options import RegionOptions
from deploy.region.up import ORPHANS_SECONDS

START_SECONDS = 75.0
"""Longer than the supervisor's own patience, so that it can say what it waited for."""

STOP_SECONDS = 10.0
"""Longer than the supervisor takes: it gives its children 7 s and the broker 2 s."""

_PAUSE_SECONDS = 0.05


def start_detached(options: RegionOptions) -> None:
    """Start a region that outlives this process and its terminal; return when it is ready.

    Raises RegionAlreadyUp, or StartFailed with the last lines of its log.
    """
    _launch(options, inherited={})


@contextmanager
def tied_region(options: RegionOptions) -> Iterator[Mapping[str, object]]:
    """Start a region that ends with this process, however it ends; yield its `region.json`.

    Raises as `start_detached` does.
    """
    read_end, write_end = os.pipe()
    try:
        supervisor = _launch(options, inherited={DEATH_PIPE: read_end})
        try:
            yield read_json(RegionDirectory(options.directory).region)
        finally:
            _end(supervisor)
    finally:
        os.close(read_end)
        os.close(write_end)


def take_down(root: Path) -> None:
    """End the region in `root` and return when its last process is gone.

    Raises RegionNotUp, or StopFailed when something still holds the directory.
    """
    directory = RegionDirectory(root)
    if not is_held(directory.lock) and not is_held(directory.children_lock):
        raise RegionNotUp(f"no region is up in {root}")
    _signal_supervisor(directory, signal.SIGTERM)
    if not _is_down(directory, seconds=STOP_SECONDS):
        _signal_supervisor(directory, signal.SIGKILL)
        if not _is_down(directory, seconds=ORPHANS_SECONDS):
            raise StopFailed(f"processes of the region in {root} do not end")


def _signal_supervisor(directory: RegionDirectory, number: signal.Signals) -> None:
    """Signal the supervisor, if there is one; one that just starts may not have its name in yet."""
    _becomes_true(lambda: holder(directory.lock) or not is_held(directory.lock), seconds=1.0)
    supervisor = holder(directory.lock)
    if supervisor is not None:
        send_signal(supervisor, number)


def _is_down(directory: RegionDirectory, *, seconds: float) -> bool:
    locks = (directory.lock, directory.children_lock)
    return _becomes_true(lambda: not any(map(is_held, locks)), seconds=seconds)


def _becomes_true(condition: Callable[[], object], *, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(_PAUSE_SECONDS)
    return True


def _launch(options: RegionOptions, *, inherited: Mapping[str, int]) -> subprocess.Popen[bytes]:
    """Start a supervisor in a session of its own and wait until its region is ready."""
    directory = RegionDirectory(options.directory)
    directory.make()
    if is_held(directory.lock):
        raise RegionAlreadyUp(f"{directory.root}: this region is up already")
    read_end, write_end = os.pipe()
    try:
        log = _Log(directory.log / "supervisor.log")
        supervisor = _popen(options, log=log, inherited={**inherited, READY_FD: write_end})
    finally:
        os.close(write_end)
    with os.fdopen(read_end, "rb") as ready:
        _await_ready(supervisor, ready.fileno(), log)
    return supervisor


class _Log:
    """The supervisor's log, and where this run's part of it begins."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with process.opened_log(path) as file:
            self._begin = file.seek(0, os.SEEK_END)

    def said(self) -> str:
        """Return what this run has said, its last part."""
        with self.path.open("rb") as file:
            file.seek(self._begin)
            return file.read().decode("utf-8", "replace")[-4096:]


def _popen(
    options: RegionOptions, *, log: _Log, inherited: Mapping[str, int]
) -> subprocess.Popen[bytes]:
    told = {variable: str(descriptor) for variable, descriptor in inherited.items()}
    kept = {key: value for key, value in os.environ.items() if key not in (DEATH_PIPE, READY_FD)}
    command = (*process.IMAGESTORE, "region", "up", *options.arguments())
    with log.path.open("ab") as output:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={**kept, **told},
            pass_fds=tuple(inherited.values()),
            start_new_session=True,
        )


def _await_ready(supervisor: subprocess.Popen[bytes], ready: int, log: _Log) -> None:
    """Return when the region is ready; otherwise leave no supervisor behind."""
    try:
        readable, _, _ = select.select([ready], [], [], START_SECONDS)
        is_ready = bool(readable and os.read(ready, 4096))
    except BaseException:
        _end(supervisor)
        raise
    if not is_ready:
        _end(supervisor)
        raise StartFailed(f"the region did not come up; {log.path} says:\n{log.said()}")


def _end(supervisor: subprocess.Popen[bytes]) -> None:
    supervisor.terminate()
    try:
        supervisor.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        supervisor.kill()
        supervisor.wait()
