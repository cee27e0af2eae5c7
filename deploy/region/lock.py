"""A region is up while its lock is held. A process number alone proves nothing and is never asked.

The number that the holder writes into its lock only says whom to signal, and is used only while
the lock is held and the process of that number began when the holder said it did.
"""

import fcntl
import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.region.errors import RegionAlreadyUp

_PAUSE_SECONDS = 0.05
_GLANCE_SECONDS = 0.5
"""How long somebody who only looks whether a lock is held may keep it from its taker."""


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a lock: a process number and its start in clock ticks after boot."""

    pid: int
    began: int


@contextmanager
def supervisor_lock(path: Path) -> Iterator[None]:
    """Hold the region's lock and be named in it; raises RegionAlreadyUp."""
    with _locked(path, seconds=_GLANCE_SECONDS, busy="this region is up already") as descriptor:
        me = {"pid": os.getpid(), "began": _began(os.getpid())}
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(me).encode(), 0)
        yield


@contextmanager
def children_lock(path: Path, *, seconds: float) -> Iterator[int]:
    """Hold the lock that children inherit and yield its descriptor.

    Waits up to `seconds` for the children of a run before, whose supervisor was killed; raises
    RegionAlreadyUp when some of them live on.
    """
    busy = "processes of the run before have not ended yet"
    with _locked(path, seconds=seconds, busy=busy) as descriptor:
        yield descriptor


def is_held(path: Path) -> bool:
    """Say whether somebody holds the lock."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        return not _taken(descriptor, fcntl.LOCK_SH)
    finally:
        os.close(descriptor)


def holder(path: Path) -> Holder | None:
    """Return who wrote himself into a held lock; None when it is free or says nothing."""
    if not is_held(path):
        return None
    try:
        said = json.loads(path.read_bytes())
        return Holder(pid=int(said["pid"]), began=int(said["began"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def send_signal(to: Holder, number: signal.Signals) -> bool:
    """Signal the holder, and never a stranger that was given its number; say whether it was there.

    Raises PermissionError when the region belongs to another user.
    """
    try:
        handle = os.pidfd_open(to.pid)
    except ProcessLookupError:
        return False
    try:
        if _began(to.pid) != to.began:
            return False
        signal.pidfd_send_signal(handle, number)
    except ProcessLookupError:
        return False
    finally:
        os.close(handle)
    return True


@contextmanager
def _locked(path: Path, *, seconds: float, busy: str) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        deadline = time.monotonic() + seconds
        while not _taken(descriptor, fcntl.LOCK_EX):
            if time.monotonic() > deadline:
                raise RegionAlreadyUp(f"{path.parent}: {busy}", lock=str(path))
            time.sleep(_PAUSE_SECONDS)
        yield descriptor
    finally:
        os.close(descriptor)


def _taken(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _began(pid: int) -> int:
    """Return a process's start in clock ticks after boot (field 22 of proc_pid_stat(5))."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return -1
    after_the_name = stat.rpartition(")")[2].split()
    return int(after_the_name[19])
