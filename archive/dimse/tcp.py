"""TCP as DIMSE needs it: neither Nagle's algorithm nor delayed acknowledgements."""

import socket
import struct

Address = tuple[str, int] | tuple[str, int, int, int]
"""Host and port, of IPv6 with flow and scope."""

TURN_SECONDS = 0.25
"""A wait for a peer ends after so long, to look whether it is still wanted, and begins anew."""

_TIMEVAL = struct.pack("@ll", 0, round(TURN_SECONDS * 1_000_000))
_QUICK_ACK: int | None = getattr(socket, "TCP_QUICKACK", None)


def acknowledge_now(connection: socket.socket) -> None:
    """Ask the kernel not to wait with its TCP acknowledgement (Linux)."""
    if _QUICK_ACK is not None:
        connection.setsockopt(socket.IPPROTO_TCP, _QUICK_ACK, 1)


def send_at_once(connection: socket.socket) -> None:
    """Turn Nagle's algorithm off: a DIMSE response is short and waited for."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def wait_in_turns(connection: socket.socket) -> None:
    """Let reads and writes wait in the kernel, and come back after a turn with what they have.

    A socket with a timeout of Python's would not wait for all octets that were asked for.
    """
    connection.settimeout(None)
    for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
        connection.setsockopt(socket.SOL_SOCKET, option, _TIMEVAL)
