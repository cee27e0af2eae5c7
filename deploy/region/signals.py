"""Signals as bytes on a pipe, so that one `select` waits for everything."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

_ASKED_TO_END = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@dataclass(frozen=True, slots=True)
class Signals:
    """The pipe that becomes readable with every signal."""

    pipe: int

    def asked_to_end(self) -> bool:
        """Empty the pipe and say whether somebody wants the process to end."""
        try:
            arrived = os.read(self.pipe, 4096)
        except BlockingIOError:
            return False
        return any(number in _ASKED_TO_END for number in arrived)


@contextmanager
def caught_signals() -> Iterator[Signals]:
    """Catch the signals that end a program, and the end of children, while the block runs.

    An ignored SIGHUP stays ignored: that is how `nohup` asks.
    """
    read_end, write_end = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    before = {number: signal.getsignal(number) for number in (*_ASKED_TO_END, signal.SIGCHLD)}
    wakeup_before = signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
    try:
        for number, handler in before.items():
            if number is not signal.SIGHUP or handler is not signal.SIG_IGN:
                signal.signal(number, lambda _number, _frame: None)
        yield Signals(read_end)
    finally:
        signal.set_wakeup_fd(wakeup_before)
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(read_end)
        os.close(write_end)
