"""Turns at SQLite's one write lock: in the order of coming, and no wait longer than needed.

SQLite lets a waiter sleep up to 100 ms between two looks at the lock, in which others that come
later take it again and again; among a node's writers some then waited for seconds. Here the
threads of a process stand in line, and the first of each process looks every millisecond.
"""

import sqlite3
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

_LOOK_S = 0.001
_BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})


class TurnOverdue(Exception):
    """The turn did not come in time."""


class Line:
    """Lets the threads of a process in one after the other, in the order in which they came."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: deque[threading.Event] = deque()
        self._taken = False

    @contextmanager
    def turn(self, seconds: float) -> Iterator[None]:
        """Hold the turn for the length of the block.

        Raises:
            TurnOverdue: it did not come within ``seconds``.
        """
        self._take(seconds)
        try:
            yield
        finally:
            self._pass_on()

    def _take(self, seconds: float) -> None:
        with self._lock:
            if not self._taken:
                self._taken = True
                return
            called = threading.Event()
            self._waiting.append(called)
        if not called.wait(seconds) and self._leave(called):
            raise TurnOverdue

    def _leave(self, called: threading.Event) -> bool:
        """Step out of the line; False when the turn has come at this very moment."""
        with self._lock:
            if called.is_set():
                return False
            self._waiting.remove(called)
            return True

    def _pass_on(self) -> None:
        """Hand the turn to who waits longest."""
        with self._lock:
            if self._waiting:
                self._waiting.popleft().set()
            else:
                self._taken = False


def begin_immediate(connection: sqlite3.Connection, seconds: float) -> None:
    """Begin a write transaction as soon as no other connection has one.

    Raises:
        sqlite3.OperationalError: the lock was not free within ``seconds``, or another failure.
    """
    until = time.monotonic() + seconds
    connection.execute("PRAGMA busy_timeout = 0")
    try:
        while not _begins(connection, last=time.monotonic() > until):
            time.sleep(_LOOK_S)
    finally:
        connection.execute(f"PRAGMA busy_timeout = {round(seconds * 1000)}")


def _begins(connection: sqlite3.Connection, *, last: bool) -> bool:
    try:
        connection.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        if last or error.sqlite_errorcode & 0xFF not in _BUSY:
            raise
        return False
    return True
