"""The socket of one association: reads whole PDUs, without delayed acknowledgements."""

import socket
from typing import cast

from pynetdicom.transport import AssociationSocket

from archive.dimse.tcp import acknowledge_now, send_at_once

__all__ = ["Wire", "acknowledge_now", "send_at_once"]

_LONGEST_PDU = 16 * 1024 * 1024
"""Octets; PS3.8 Section D.1 lets a PDU be as long as the receiver said, which is far less."""


class Wire(AssociationSocket):
    """Reads whole PDUs at once."""

    def recv(self, nr_bytes: int) -> bytearray:
        """Return ``nr_bytes`` octets, fewer only where the peer has closed.

        Raises:
            OSError: the connection broke, was silent for too long, or the PDU is absurdly long.
        """
        if nr_bytes > _LONGEST_PDU:
            raise OSError(f"A PDU of {nr_bytes} octets is longer than any peer may send.")
        octets = bytearray(nr_bytes)
        view, had = memoryview(octets), 0
        connection = cast("socket.socket", self.socket)
        while had < nr_bytes:
            got = connection.recv_into(view[had:])
            if not got:
                break
            had += got
        view.release()
        del octets[had:]
        acknowledge_now(connection)
        return octets
