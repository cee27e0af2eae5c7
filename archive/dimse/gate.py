"""The gate of a DICOM door: accepts, counts, and passes each connection on.

Nothing is decided of what a connection asks, but whether there is a place for it: the first octets
are looked at and left in the socket, which goes untouched to who serves it. One thread does so for
all connections and never waits for any of them.
"""

import errno
import logging
import os
import select
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from archive.binding import binding
from archive.dimse.gate_places import Places
from archive.dimse.gate_request import BEGINNING_OCTETS, Beginning, read_beginning
from archive.dimse.limits import DoorLimits
from archive.dimse.tcp import Address, acknowledge_now, send_at_once

LOGGER = logging.getLogger(__name__)

A_ASSOCIATE_RJ = bytes((0x03, 0, 0, 0, 0, 4, 0, 0x02, 0x03, 0x02))
"""Rejected-transient, by the presentation related service provider, local-limit-exceeded
(PS3.8 Section 9.3.4, Table 9-21)."""

WAITING_LIMIT = 128
"""Connections that have not said who calls, or were rejected; the oldest goes for the next."""

_BACKLOG = 128
_ACCEPTED_AT_ONCE = 16
_LOOK_SECONDS = 0.25
_LEAVE_SECONDS = 5.0
"""For so long a rejected peer may read why, and close."""
_DISCARDED_AT_ONCE = 65_536
_DISCARDS = 16
"""A rejected peer that sends so much at a time is not asking for an association."""
_NO_DESCRIPTORS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class Taker(Protocol):
    """Serves connections."""

    def take(
        self, connection: socket.socket, address: Address, *, on_end: Callable[[], None]
    ) -> None:
        """Serve a connection from now on; ``on_end`` is called once when it is over."""


@dataclass(slots=True)
class _Waiting:
    connection: socket.socket
    address: Address
    until: float
    """By the monotonic clock; then it is closed."""
    is_rejected: bool = False
    """What it still sends is thrown away, so that closing does not overtake the answer."""


class Gate:
    """Listens at one address and passes what comes on to a taker."""

    def __init__(self, address: tuple[str, int], *, limits: DoorLimits, taker: Taker) -> None:
        """Take where to listen; nothing is opened before :meth:`start`."""
        self.places = Places(limits)
        self._address = address
        self._limits = limits
        self._taker = taker
        self._waiting: dict[int, _Waiting] = {}
        self._is_stopping = False

    def start(self) -> int:
        """Bind and accept in a thread; return the port.

        Raises:
            ConfigurationInvalid: the address cannot be bound.
        """
        self._is_stopping = False
        family = socket.AF_INET6 if ":" in self._address[0] else socket.AF_INET
        with binding("DICOM", *self._address):
            self._listener = socket.create_server(self._address, family=family, backlog=_BACKLOG)
        self._listener.settimeout(0)
        self._wake = os.eventfd(0)
        self._poll = select.epoll()
        self._poll.register(self._listener, select.EPOLLIN)
        self._poll.register(self._wake, select.EPOLLIN)
        self._thread = threading.Thread(target=self._run, name="dicom-gate", daemon=True)
        self._thread.start()
        return int(self._listener.getsockname()[1])

    def stop(self) -> None:
        """Accept no more, and close what has not been passed on."""
        self._is_stopping = True
        os.eventfd_write(self._wake, 1)
        self._thread.join()
        self._poll.close()
        os.close(self._wake)
        self._listener.close()
        for fd in list(self._waiting):
            self._drop(fd)

    def _run(self) -> None:
        while not self._is_stopping:
            for fd, events in self._poll.poll(_LOOK_SECONDS if self._waiting else None):
                if fd == self._listener.fileno():
                    self._accept()
                elif fd in self._waiting:
                    self._look(self._waiting[fd], has_closed=bool(events & select.EPOLLRDHUP))
            self._drop_late()

    def _accept(self) -> None:
        try:
            for _ in range(_ACCEPTED_AT_ONCE):
                self._greet(*self._listener.accept())
        except BlockingIOError:
            pass
        except OSError as error:
            self._make_room(error)

    def _greet(self, connection: socket.socket, address: Address) -> None:
        connection.settimeout(0)
        with suppress(OSError):  # it has gone again, as the first look will find
            send_at_once(connection)
            acknowledge_now(connection)
        if len(self._waiting) >= WAITING_LIMIT:
            self._drop_oldest()
        waiting = _Waiting(connection, address, time.monotonic() + self._limits.artim_seconds)
        self._waiting[connection.fileno()] = waiting
        # Edge-triggered: a peer that sends octet by octet costs a look for each, and no more.
        self._poll.register(connection, select.EPOLLIN | select.EPOLLRDHUP | select.EPOLLET)

    def _make_room(self, error: OSError) -> None:
        if error.errno not in _NO_DESCRIPTORS:
            return  # that connection has gone before it was accepted
        LOGGER.warning("gate accepts=%r waiting=%d", error.strerror, len(self._waiting))
        if self._waiting:
            self._drop_oldest()
        else:
            time.sleep(_LOOK_SECONDS)

    def _look(self, waiting: _Waiting, *, has_closed: bool) -> None:
        try:
            if waiting.is_rejected:
                self._discard(waiting)
                return
            octets = waiting.connection.recv(BEGINNING_OCTETS, socket.MSG_PEEK)
        except BlockingIOError:
            return
        except OSError:
            octets, has_closed = b"", True
        beginning = read_beginning(octets)
        if beginning is not None:
            self._decide(waiting, beginning)
        elif has_closed or not octets:
            self._drop(waiting.connection.fileno())

    def _discard(self, waiting: _Waiting) -> None:
        for _ in range(_DISCARDS):
            if not waiting.connection.recv(_DISCARDED_AT_ONCE):
                break
        self._drop(waiting.connection.fileno())

    def _decide(self, waiting: _Waiting, beginning: Beginning) -> None:
        refusal = self.places.take(beginning.calling_ae)
        if not refusal:
            self._pass_on(waiting, beginning.calling_ae)
            return
        LOGGER.warning(
            "gate calling=%r peer=%s refused=%s", beginning.calling_ae, waiting.address[0], refusal
        )
        if beginning.is_request:
            self._reject(waiting)
        else:
            self._drop(waiting.connection.fileno())

    def _reject(self, waiting: _Waiting) -> None:
        waiting.is_rejected = True
        waiting.until = time.monotonic() + _LEAVE_SECONDS
        with suppress(OSError):
            waiting.connection.send(A_ASSOCIATE_RJ)
        self._look(waiting, has_closed=False)

    def _pass_on(self, waiting: _Waiting, calling_ae: str) -> None:
        connection = waiting.connection
        self._forget(connection.fileno())
        try:
            self._taker.take(
                connection, waiting.address, on_end=lambda: self.places.leave(calling_ae)
            )
        except Exception:
            LOGGER.exception("gate calling=%r peer=%s not taken", calling_ae, waiting.address[0])
            self.places.leave(calling_ae)
            connection.close()

    def _drop_late(self) -> None:
        now = time.monotonic()
        for fd in [fd for fd, waiting in self._waiting.items() if waiting.until < now]:
            self._drop(fd)

    def _drop_oldest(self) -> None:
        self._drop(next(iter(self._waiting)))

    def _drop(self, fd: int) -> None:
        self._forget(fd).connection.close()

    def _forget(self, fd: int) -> _Waiting:
        with suppress(OSError, ValueError):
            self._poll.unregister(fd)
        return self._waiting.pop(fd)
