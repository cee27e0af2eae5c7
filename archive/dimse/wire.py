"""The socket of one association: waits in short turns, and lets no acknowledgement wait."""

import socket
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from pynetdicom.transport import AssociationSocket

from archive.dimse.tcp import TURN_SECONDS, acknowledge_now, wait_in_turns

if TYPE_CHECKING:
    from pynetdicom.association import Association

_AHEAD = 8 * 1024
"""Octets read ahead at most: a Command Set and where its Data Set begins."""
_DRAINED = 64 * 1024
_DRAINS = range(64)
"""A peer that goes on sending is looked at again later: its time is limited."""


class ConnectionEnded(OSError):
    """The peer has closed, the connection broke, or it is to be given up."""


class Wire(AssociationSocket):
    """Reads into memory of the reader's; a few octets at a time are read ahead, with the rest.

    Every wait is of turns of a quarter of a second. ``look`` is called between them, and as often
    while octets come; it may raise ConnectionEnded: so a half-sent PDU keeps nobody from ending the
    association, and one that comes octet by octet neither.
    """

    def __init__(
        self, assoc: "Association", connection: socket.socket, *, look: Callable[[], None]
    ) -> None:
        super().__init__(assoc, client_socket=connection)
        self._look = look
        self._connection = connection
        self._ahead = memoryview(bytearray(_AHEAD))
        self._begin = 0
        self._end = 0
        self._heard_at = self._looked_at = time.monotonic()
        wait_in_turns(connection)

    @property
    def silent_seconds(self) -> float:
        """For how long nothing has come of the peer."""
        return time.monotonic() - self._heard_at

    # --- for our own readers ----------------------------------------------------------------

    @property
    def waiting(self) -> bool:
        """Whether octets were read ahead."""
        return self._begin < self._end

    def peek(self, length: int) -> memoryview:
        """Return the next octets without taking them; valid until the next call.

        Raises:
            ConnectionEnded: they do not come.
        """
        while self._end - self._begin < length:
            self._make_room(length)
            self._end += self._receive([self._ahead[self._end :]])
        return self._ahead[self._begin : self._begin + length]

    def take(self, length: int) -> memoryview:
        """Return the next octets, at most 8 KiB; valid until the next call. Errors as `peek`."""
        octets = self.peek(length)
        self._begin += length
        return octets

    def read_into(self, target: memoryview, *, expecting: int = 0) -> None:
        """Fill ``target``, and read the ``expecting`` octets behind it ahead, if they come along.

        Raises:
            ConnectionEnded: the octets do not come.
        """
        had = self._from_ahead(target)
        if expecting and had < len(target):
            had += self._with_more(target[had:], expecting)
        while had < len(target):
            had += self._receive([target[had:]], socket.MSG_WAITALL)

    def send_all(self, octets: bytes) -> None:
        """Send all octets.

        Raises:
            ConnectionEnded: the connection broke, or the peer takes nothing.
        """
        rest = memoryview(octets)
        while rest:
            try:
                rest = rest[self._connection.send(rest) :]
            except BlockingIOError:
                self._look()
            except OSError as error:
                raise ConnectionEnded(str(error)) from error
        self._acknowledge()

    def discard(self) -> bool:
        """Take what has come and is of no use, so that closing does not reset the connection.

        Tells whether the peer has closed.
        """
        self._begin = self._end = 0
        try:
            self._connection.shutdown(socket.SHUT_WR)
            received = (self._connection.recv(_DRAINED, socket.MSG_DONTWAIT) for _ in _DRAINS)
            return not all(received)
        except BlockingIOError:
            return False
        except OSError:
            return True

    # --- for pynetdicom ---------------------------------------------------------------------

    @property
    def ready(self) -> bool:
        """Whether something can be read now."""
        return self.waiting or bool(super().ready)

    def recv(self, nr_bytes: int) -> bytearray:
        """Return so many octets.

        Raises:
            ConnectionEnded: they do not come.
        """
        octets = bytearray(nr_bytes)
        self.read_into(memoryview(octets))
        return octets

    def send(self, bytestream: bytes) -> None:
        """Send all octets; Evt17 (PS3.8 Table 9-3) where that fails."""
        try:
            self.send_all(bytestream)
        except ConnectionEnded:
            self.event_queue.put("Evt17")

    # --- octets -----------------------------------------------------------------------------

    def _make_room(self, length: int) -> None:
        if self._begin + length > len(self._ahead) or not self.waiting:
            kept = self._end - self._begin
            self._ahead[:kept] = bytes(self._ahead[self._begin : self._end])
            self._begin, self._end = 0, kept

    def _from_ahead(self, target: memoryview) -> int:
        length = min(len(target), self._end - self._begin)
        target[:length] = self._ahead[self._begin : self._begin + length]
        self._begin += length
        return length

    def _with_more(self, target: memoryview, expecting: int) -> int:
        got = self._receive([target, self._ahead[:expecting]], socket.MSG_WAITALL)
        self._begin, self._end = 0, max(0, got - len(target))
        return min(got, len(target))

    def _receive(self, into: list[memoryview], flags: int = 0) -> int:
        """Return how many octets came: at least one."""
        while True:
            try:
                got = self._connection.recvmsg_into(into, 0, flags)[0]
            except BlockingIOError:
                self._look()
                continue
            except OSError as error:
                raise ConnectionEnded(str(error)) from error
            self._acknowledge()
            self._heard_at = time.monotonic()
            if not got:
                raise ConnectionEnded("The peer has closed the connection.")
            self._look_in_turns()
            return got

    def _look_in_turns(self) -> None:
        # A peer that dribbles lets no wait last a turn.
        if self._heard_at - self._looked_at > TURN_SECONDS:
            self._looked_at = self._heard_at
            self._look()

    def _acknowledge(self) -> None:
        with suppress(OSError):
            acknowledge_now(self._connection)
