"""What a process owes the one that started it: to end with it, and to say when it is ready.

Both are told through inherited pipes, each named by a variable of the environment. A process that
was started by hand has neither variable, and both functions do nothing.
"""

import atexit
import fcntl
import json
import os
import signal
import stat
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

DEATH_PIPE = "IMAGESTORE_DEATH_PIPE"
"""The read end of a pipe that nobody writes to: its end of file is the death of the starter."""

READY_FD = "IMAGESTORE_READY_FD"
"""The write end of a pipe that takes one JSON line: {"ports": {NAME: NUMBER}}."""


def watch_parent(*, grace_seconds: float = 5.0) -> None:
    """End this process and its process group when its starter is gone, even by `kill -9`.

    Call it first thing in the main program. SIGTERM goes to the group at once, so that work in
    hand can be put down; SIGKILL follows after `grace_seconds`, and to what outlives this process.
    A process that does not handle SIGTERM has nothing to put down: its group is killed at once.
    """
    pipe = _inherited_pipe(DEATH_PIPE)
    if pipe is None:
        return
    watch = _DeathWatch(pipe=pipe, grace_seconds=grace_seconds)
    atexit.register(watch.leave_nobody_behind)
    threading.Thread(target=watch.run, name="death-pipe", daemon=True).start()


def report_ready(**ports: int) -> None:
    """Tell the starter, once, that this process serves, and on which TCP ports."""
    pipe = _inherited_pipe(READY_FD)
    if pipe is None:
        return
    try:
        os.write(pipe, json.dumps({"ports": ports}).encode() + b"\n")
    except BrokenPipeError:
        pass  # the starter is gone; the death pipe says so too
    finally:
        os.close(pipe)


def _inherited_pipe(variable: str) -> int | None:
    """Take the descriptor that `variable` names out of the environment and out of inheritance."""
    value = os.environ.pop(variable, "")
    if not value.isascii() or not value.isdecimal():
        return None
    return _kept_from_children(int(value))


def _kept_from_children(descriptor: int) -> int | None:
    try:
        if not stat.S_ISFIFO(os.fstat(descriptor).st_mode):
            return None
        fcntl.fcntl(descriptor, fcntl.F_SETFD, fcntl.FD_CLOEXEC)
    except (OSError, OverflowError):
        return None
    return descriptor


@dataclass(slots=True)
class _DeathWatch:
    """Waits for the end of file of the death pipe and ends the process group."""

    pipe: int
    grace_seconds: float
    orphaned: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        while os.read(self.pipe, 1):
            pass
        self.orphaned.set()
        if signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
            _signal_own_group(signal.SIGTERM)
            time.sleep(self.grace_seconds)
        _signal_own_group(signal.SIGKILL)

    def leave_nobody_behind(self) -> None:
        """Take along what ignored SIGTERM; this process has nothing more to do."""
        if self.orphaned.is_set():
            _signal_own_group(signal.SIGKILL)


def _signal_own_group(number: signal.Signals) -> None:
    """Signal the group when it is this process's own, else this process alone."""
    own: Callable[[int, int], None] = os.kill
    if os.getpgrp() == os.getpid():
        own = os.killpg
    own(os.getpid(), number)
