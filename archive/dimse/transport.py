"""Sockets of the DICOM door: no Nagle, no delayed acknowledgements, no endless wait."""

import socket
import threading
from typing import TYPE_CHECKING, cast

from pynetdicom import AE
from pynetdicom.transport import (
    AddressInformation,
    AssociationSocket,
    RequestHandler,
    ThreadedAssociationServer,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from pynetdicom.association import Association

_LONGEST_PDU = 16 * 1024 * 1024
"""Octets; PS3.8 Section D.1 lets a PDU be as long as the receiver said, which is far less."""
_QUICK_ACK: int | None = getattr(socket, "TCP_QUICKACK", None)
_WAITING_CONNECTIONS = 128


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


def acknowledge_now(connection: socket.socket) -> None:
    """Ask the kernel not to wait with its TCP acknowledgement (Linux)."""
    if _QUICK_ACK is not None:
        connection.setsockopt(socket.IPPROTO_TCP, _QUICK_ACK, 1)


def send_at_once(connection: socket.socket) -> None:
    """Turn Nagle's algorithm off: a DIMSE response is short and waited for."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


class Listener(ThreadedAssociationServer):
    """Accepts connections and makes an association of each with ``new_association``."""

    request_queue_size = _WAITING_CONNECTIONS
    daemon_threads = True

    def __init__(
        self,
        entity: AE,
        address: tuple[str, int],
        *,
        ae_title: str,
        new_association: "Callable[[], Association]",
    ) -> None:
        self.new_association = new_association
        contexts = entity.supported_contexts
        super().__init__(entity, address, ae_title, contexts, request_handler=_Handler)

    def get_request(self) -> tuple[socket.socket, tuple[str, int]]:
        """Return one accepted connection, its options set."""
        connection, address = super().get_request()
        send_at_once(connection)
        acknowledge_now(connection)
        connection.settimeout(self.ae.network_timeout)
        return connection, address


class _Handler(RequestHandler):
    server: Listener

    def _create_association(self) -> "Association":
        association = self.server.new_association()
        association._server = self.server  # noqa: SLF001 - as pynetdicom's own handler does
        association.set_socket(Wire(association, client_socket=self.request))
        acceptor = association.acceptor
        acceptor.maximum_length = self.ae.maximum_pdu_size
        acceptor.ae_title = self.server.ae_title
        acceptor.address_info = self.local
        acceptor.implementation_class_uid = self.ae.implementation_class_uid
        acceptor.implementation_version_name = self.ae.implementation_version_name
        association.requestor.address_info = AddressInformation.from_tuple(self.client_address)
        return association


def ended(threads: "list[Association]", seconds: float) -> bool:
    """Wait until associations have ended, at most so long in all; tell whether they have."""
    for thread in threads:
        if thread is not threading.current_thread():
            thread.join(seconds)
    return not any(thread.is_alive() for thread in threads)
