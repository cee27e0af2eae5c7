"""TCP as DIMSE needs it: neither Nagle's algorithm nor delayed acknowledgements."""

import socket

Address = tuple[str, int] | tuple[str, int, int, int]
"""Host and port, of IPv6 with flow and scope."""

_QUICK_ACK: int | None = getattr(socket, "TCP_QUICKACK", None)


def acknowledge_now(connection: socket.socket) -> None:
    """Ask the kernel not to wait with its TCP acknowledgement (Linux)."""
    if _QUICK_ACK is not None:
        connection.setsockopt(socket.IPPROTO_TCP, _QUICK_ACK, 1)


def send_at_once(connection: socket.socket) -> None:
    """Turn Nagle's algorithm off: a DIMSE response is short and waited for."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
