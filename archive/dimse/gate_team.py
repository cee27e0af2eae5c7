"""The receiving processes behind a gate: each connection goes to the one that has fewest open.

States of a seat::

    (empty) --begin--> STARTING --ready--> SERVING --stop--> (gone)
       ^                   |                  |
       +--- after a pause -+---- it ended ----+   what it had open is over
"""

import logging
import os
import select
import socket
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from archive.dimse.gate_channel import GateChannel
from archive.dimse.tcp import Address

LOGGER = logging.getLogger(__name__)

_LOOK_SECONDS = 0.1
_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 5.0
_HEALTHY_SECONDS = 10.0
"""A process that lived so long is started again after the first pause."""
_ENVIRONMENT = {"MALLOC_ARENA_MAX": "2"}
"""Threads come and go with associations; what each frees shall not stay with it."""

OnEnd = Callable[[], None]


@dataclass(slots=True, eq=False)
class _Member:
    """A process that runs."""

    process: subprocess.Popen[bytes]
    channel: GateChannel
    began: float
    open: dict[int, OnEnd] = field(default_factory=dict)
    """What it serves, by ticket."""
    last_ticket: int = 0


@dataclass(slots=True, eq=False)
class _Seat:
    """Where a process runs, or is to run."""

    member: _Member | None = None
    pause: float = _FIRST_PAUSE
    begin_at: float = 0.0


@dataclass(frozen=True, slots=True)
class _Handed:
    connection: socket.socket
    on_end: OnEnd
    until: float


class Team:
    """Keeps processes running and hands connections to them."""

    def __init__(
        self, argv: Sequence[str], assignment: bytes, *, size: int, patience_seconds: float
    ) -> None:
        """Take the command of a process, with what it serves; nothing is started yet.

        A connection that no process takes for ``patience_seconds`` is closed.
        """
        self._argv = tuple(argv)
        self._assignment = assignment
        self._patience = patience_seconds
        self._seats = [_Seat() for _ in range(size)]
        self._lock = threading.Lock()
        self._pending: deque[_Handed] = deque()
        self._tickets = 0
        self._ready = threading.Event()
        self._is_stopping = False

    def start(self) -> None:
        """Start the processes, and what watches over them."""
        self._poll = select.epoll()
        self._thread = threading.Thread(target=self._run, name="dicom-team", daemon=True)
        self._thread.start()

    def wait_ready(self, seconds: float) -> bool:
        """Wait until one of the processes serves; tell whether one does."""
        return self._ready.wait(seconds)

    def take(self, connection: socket.socket, _address: Address, *, on_end: OnEnd) -> None:
        """Hand a connection to the process that has fewest open."""
        handed = _Handed(connection, on_end, time.monotonic() + self._patience)
        with self._lock:
            if self._pending or not self._hand_over(handed):
                self._pending.append(handed)

    def open(self) -> dict[int, int]:
        """Return how many connections each running process serves, by its number."""
        with self._lock:
            return {member.process.pid: len(member.open) for member in self._members()}

    def stop(self, seconds: float) -> None:
        """Ask all processes to end; whoever has not within so long is killed."""
        self._is_stopping = True
        self._thread.join()
        members = self._members()
        for member in members:
            member.process.terminate()
        end = time.monotonic() + seconds
        for member in members:
            with suppress(subprocess.TimeoutExpired):
                member.process.wait(max(0.0, end - time.monotonic()))
        for seat in self._seats:
            self._empty(seat)
        self._poll.close()
        while self._pending:
            _give_up(self._pending.popleft())

    def _run(self) -> None:
        while not self._is_stopping:
            self._fill_seats()
            for fd, _ in self._poll.poll(_LOOK_SECONDS):
                for seat in self._seats:
                    if seat.member is not None and seat.member.channel.fileno() == fd:
                        self._hear(seat, seat.member)
            self._hand_over_pending()

    def _fill_seats(self) -> None:
        now = time.monotonic()
        for seat in self._seats:
            if seat.member is None and seat.begin_at <= now:
                self._begin(seat)

    def _begin(self, seat: _Seat) -> None:
        ours, theirs = socket.socketpair()
        channel = GateChannel(ours)
        try:
            with theirs:
                environment = {**_ENVIRONMENT, **os.environ}
                process = subprocess.Popen(self._argv, stdin=theirs.fileno(), env=environment)
        except OSError as error:
            channel.close()
            self._pause(seat, 0.0)
            LOGGER.error("receiving process not started error=%r", error.strerror)  # noqa: TRY400
            return
        with suppress(OSError):  # it has ended, as its end of file will tell
            channel.send_assignment(self._assignment)
        self._poll.register(channel, select.EPOLLIN)
        with self._lock:
            seat.member = _Member(process, channel, time.monotonic())

    def _hear(self, seat: _Seat, member: _Member) -> None:
        tickets = member.channel.received()
        if tickets is None:
            self._empty(seat)
            return
        for ticket in tickets:
            if not ticket:
                LOGGER.info("receiving process=%d ready", member.process.pid)
                self._ready.set()
                continue
            with self._lock:
                on_end = member.open.pop(ticket, None)
            if on_end is not None:
                on_end()

    def _empty(self, seat: _Seat) -> None:
        """Forget a process that has ended, or is to be ended now."""
        with self._lock:
            member, seat.member = seat.member, None
        if member is None:
            return
        member.process.kill()
        status = member.process.wait()
        member.channel.close()
        self._pause(seat, time.monotonic() - member.began)
        LOGGER.log(
            logging.INFO if self._is_stopping else logging.ERROR,
            "receiving process=%d ended status=%d open=%d",
            member.process.pid,
            status,
            len(member.open),
        )
        for on_end in member.open.values():
            on_end()

    def _pause(self, seat: _Seat, lived_seconds: float) -> None:
        if lived_seconds >= _HEALTHY_SECONDS:
            seat.pause = _FIRST_PAUSE
        seat.begin_at = time.monotonic() + seat.pause
        seat.pause = min(seat.pause * 2, _LONGEST_PAUSE)

    def _hand_over_pending(self) -> None:
        with self._lock:
            while self._pending and self._hand_over(self._pending[0]):
                self._pending.popleft()
            late: list[_Handed] = []
            while self._pending and self._pending[0].until < time.monotonic():
                late.append(self._pending.popleft())
        for handed in late:
            _give_up(handed)

    def _hand_over(self, handed: _Handed) -> bool:
        for member in sorted(self._members(), key=lambda one: (len(one.open), one.last_ticket)):
            self._tickets += 1
            with suppress(OSError):  # it is busy, or has ended: another has it
                member.channel.send_connection(self._tickets, handed.connection)
                member.open[self._tickets] = handed.on_end
                member.last_ticket = self._tickets
                handed.connection.close()
                return True
        return False

    def _members(self) -> list[_Member]:
        return [seat.member for seat in self._seats if seat.member is not None]


def _give_up(handed: _Handed) -> None:
    LOGGER.warning("connection closed: no receiving process takes it")
    handed.connection.close()
    handed.on_end()
