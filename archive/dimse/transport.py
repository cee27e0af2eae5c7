"""Sockets of the DICOM door: no Nagle, no delayed acknowledgements, no endless wait."""

import logging
import socket
import threading
import time
from typing import TYPE_CHECKING, Any, cast

from pynetdicom import AE
from pynetdicom.dul import DULServiceProvider
from pynetdicom.transport import (
    AddressInformation,
    AssociationSocket,
    RequestHandler,
    ThreadedAssociationServer,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from pynetdicom.association import Association

LOGGER = logging.getLogger(__name__)

_LONGEST_PDU = 16 * 1024 * 1024
"""Octets; PS3.8 Section D.1 lets a PDU be as long as the receiver said, which is far less."""
_QUICK_ACK: int | None = getattr(socket, "TCP_QUICKACK", None)
_WAITING_CONNECTIONS = 128
_LOOK_SECONDS = 0.25
_IDLE = "Sta1"
"""PS3.8 Table 9-1: no association; before the first event of a connection and after its last."""


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


class UpperLayer(DULServiceProvider):
    """The upper layer of one association, which ends quietly whatever a peer sends or leaves out.

    pynetdicom's would die of an event that its state has no row for, with a traceback of its
    thread, and would have the association wait its full time for a peer that has gone again.
    """

    def run_reactor(self) -> None:
        """Run until the connection ends."""
        try:
            super().run_reactor()
        except Exception as error:  # noqa: BLE001 - the thread ends here, and the association sees it
            LOGGER.warning("association=%s ended=%r", self.assoc.name, str(error))

    def receive_pdu(self, wait: bool = False, timeout: float | None = None) -> Any:  # noqa: ANN401, FBT001, FBT002
        """Return the next primitive; None where none came in time or none can come any more."""
        if not wait:
            return super().receive_pdu(wait=False)
        end = time.monotonic() + (threading.TIMEOUT_MAX if timeout is None else timeout)
        closed_before = False
        while time.monotonic() < end:
            primitive: Any = super().receive_pdu(wait=True, timeout=_LOOK_SECONDS)
            closed = self._is_closed()
            if primitive is not None or (closed and closed_before):
                return primitive
            closed_before = closed
        return None

    def _is_closed(self) -> bool:
        idle = self.state_machine.current_state == _IDLE and self.event_queue.empty()
        return idle or not self.is_alive()


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
