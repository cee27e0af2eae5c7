"""What a gate and a receiving process say to each other, over a pair of Unix stream sockets.

Every message has eight octets, the number of a ticket:

======== ===================== ================================================
from     ticket                says
======== ===================== ================================================
gate     0, with a descriptor  the assignment: what to serve with is in the file
gate     N, with a descriptor  serve this connection
process  0                     ready to serve
process  N                     the connection of this ticket is over
======== ===================== ================================================

The gate's end of file is its death or its farewell; so is the process's.
"""

import logging
import os
import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress

from archive.dimse.tcp import Address

LOGGER = logging.getLogger(__name__)

_TICKET = struct.Struct(">Q")
_NOTHING = 0
"""The ticket of the assignment, and of readiness."""
_RECEIVED_AT_ONCE = 64 * _TICKET.size

Take = Callable[[socket.socket, Address, Callable[[], None]], None]
"""Serve a connection from an address, and call back when it is over."""


class GateChannel:
    """The gate's end. Nothing here waits."""

    def __init__(self, ours: socket.socket) -> None:
        ours.settimeout(0)
        self._socket = ours
        self._rest = b""

    def fileno(self) -> int:
        """Return the descriptor to wait for."""
        return self._socket.fileno()

    def send_assignment(self, assignment: bytes) -> None:
        """Say what to serve with.

        Raises:
            OSError: the process has ended.
        """
        file = os.memfd_create("assignment")
        try:
            with os.fdopen(os.dup(file), "wb") as writing:
                writing.write(assignment)
            socket.send_fds(self._socket, [_TICKET.pack(_NOTHING)], [file])
        finally:
            os.close(file)

    def send_connection(self, ticket: int, connection: socket.socket) -> None:
        """Hand a connection over; the caller still has it, and closes it.

        Raises:
            BlockingIOError: the process has many unread.
            OSError: it has ended.
        """
        socket.send_fds(self._socket, [_TICKET.pack(ticket)], [connection.fileno()])

    def received(self) -> list[int] | None:
        """Return the tickets that came, 0 for readiness; None at the end of file."""
        try:
            octets = self._socket.recv(_RECEIVED_AT_ONCE)
        except BlockingIOError:
            return []
        except OSError:
            octets = b""
        if not octets:
            return None
        octets = self._rest + octets
        whole = len(octets) - len(octets) % _TICKET.size
        self._rest = octets[whole:]
        return [ticket for (ticket,) in _TICKET.iter_unpack(octets[:whole])]

    def close(self) -> None:
        """Say farewell."""
        self._socket.close()


class ProcessChannel:
    """A receiving process's end."""

    def __init__(self, theirs: socket.socket) -> None:
        self._socket = theirs
        self._lock = threading.Lock()

    def receive_assignment(self) -> bytes:
        """Return what to serve with.

        Raises:
            EOFError: the gate has gone.
        """
        _, file = self._receive()
        with os.fdopen(file, "rb") as reading:
            reading.seek(0)
            return reading.read()

    def say_ready(self) -> None:
        """Say that connections are served from now on."""
        self._send(_NOTHING)

    def serve(self, take: Take) -> None:
        """Pass on what the gate hands over, until its end of file."""
        with suppress(EOFError):
            while True:
                ticket, descriptor = self._receive()
                self._serve(take, ticket, socket.socket(fileno=descriptor))

    def _serve(self, take: Take, ticket: int, connection: socket.socket) -> None:
        try:
            take(connection, connection.getpeername(), lambda: self._send(ticket))
        except Exception as error:  # noqa: BLE001 - whatever it was, others are served on
            # Most often the peer has gone again.
            LOGGER.warning("connection not taken error=%s", type(error).__name__)
            connection.close()
            self._send(ticket)

    def _receive(self) -> tuple[int, int]:
        try:
            octets, files, _, _ = socket.recv_fds(
                self._socket, _TICKET.size, 1, socket.MSG_WAITALL | socket.MSG_CMSG_CLOEXEC
            )
        except ConnectionError as error:  # it has gone with words of ours unread
            raise EOFError from error
        if not files:
            raise EOFError
        return _TICKET.unpack(octets)[0], files[0]

    def _send(self, ticket: int) -> None:
        with self._lock, suppress(OSError):  # the gate has gone; its end of file says so too
            self._socket.sendall(_TICKET.pack(ticket))
