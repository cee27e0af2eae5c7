"""A Storage SCP that keeps what arrives exactly as it came, for C-MOVE destinations and senders."""

import hashlib
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from pynetdicom import AE, evt
from pynetdicom._globals import ALL_TRANSFER_SYNTAXES
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.events import Event, EventHandlerType
from pynetdicom.presentation import AllStoragePresentationContexts
from pynetdicom.service_class import StorageServiceClass
from pynetdicom.sop_class import register_uid, uid_to_service_class
from pynetdicom.transport import ThreadedAssociationServer

from tests.peers.processes import LOOPBACK, Endpoint, wait_until

VERIFICATION = "1.2.840.10008.1.1"

NEWER_SYNTAXES = (
    "1.2.840.10008.1.2.8.1",
    "1.2.840.10008.1.2.4.53",
    "1.2.840.10008.1.2.4.55",
    "1.2.840.10008.1.2.4.110",
    "1.2.840.10008.1.2.4.111",
    "1.2.840.10008.1.2.4.112",
)
"""Transfer syntaxes that pynetdicom does not list: newer or retired ones of real files."""


@dataclass(frozen=True, slots=True)
class Received:
    """One C-STORE as it came."""

    sop_class_uid: str
    sop_instance_uid: str
    """Both as the command said."""

    transfer_syntax: str
    data_set: bytes
    """The joined Data Set fragments."""

    calling_ae: str
    move_originator: str
    """(0000,1030) where a C-MOVE caused the store, else ""."""

    @property
    def sha256(self) -> str:
        """Digest of the Data Set octets, in hexadecimal."""
        return hashlib.sha256(self.data_set).hexdigest()


class RecordingScp:
    """A Storage SCP on a port of its own between ``start`` and ``stop``, or as a context manager.

    ``answer`` decides the status of each C-STORE (0000H unless given); what it refuses is recorded
    too.
    """

    def __init__(
        self,
        ae_title: str = "RECORDER",
        *,
        transfer_syntaxes: Sequence[str] = (*ALL_TRANSFER_SYNTAXES, *NEWER_SYNTAXES),
        private_classes: Sequence[str] = (),
        maximum_length: int = 16_382,
        answer: Callable[[Received], int] = lambda _: 0x0000,
    ) -> None:
        self.received: list[Received] = []
        self._answer = answer
        self._lock = threading.Lock()
        self._server: ThreadedAssociationServer | None = None
        self._ae = AE(ae_title=ae_title)
        self._ae.maximum_pdu_size = maximum_length
        self._ae.add_supported_context(VERIFICATION)
        standard = [str(one.abstract_syntax) for one in AllStoragePresentationContexts]
        for sop_class in {*standard, *private_classes}:
            _known_for_storage(sop_class)
            self._ae.add_supported_context(sop_class, list(transfer_syntaxes))

    @property
    def endpoint(self) -> Endpoint:
        """Where it listens."""
        assert self._server is not None, "not started"
        assert self._server.socket is not None, "stopped"
        return Endpoint(LOOPBACK, self._server.socket.getsockname()[1], self._ae.ae_title)

    def start(self) -> None:
        """Bind a free port and serve in threads."""
        handlers: list[EventHandlerType] = [(evt.EVT_C_STORE, self._record)]
        self._server = self._ae.start_server((LOOPBACK, 0), block=False, evt_handlers=handlers)

    def stop(self) -> None:
        """Abort what is open and free the port."""
        self._ae.shutdown()

    def wait_for(self, count: int, *, seconds: float = 20) -> list[Received]:
        """Return what has been received once there are ``count`` of them."""
        wait_until(lambda: len(self.received) >= count, what=f"{count} C-STOREs", seconds=seconds)
        return list(self.received)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _record(self, event: Event) -> int:
        request = event.request
        assert isinstance(request, C_STORE), type(request)
        assert request.DataSet is not None, "a C-STORE without Data Set"
        received = Received(
            sop_class_uid=str(request.AffectedSOPClassUID),
            sop_instance_uid=str(request.AffectedSOPInstanceUID),
            transfer_syntax=str(event.context.transfer_syntax),
            data_set=request.DataSet.getvalue(),
            calling_ae=str(event.assoc.requestor.ae_title),
            move_originator=str(request.MoveOriginatorApplicationEntityTitle or ""),
        )
        with self._lock:
            self.received.append(received)
        return self._answer(received)


def _known_for_storage(sop_class: str) -> None:
    """Tell pynetdicom that a SOP class it does not know is one of storage."""
    if uid_to_service_class(sop_class) is not StorageServiceClass:
        register_uid(sop_class, f"Private{sop_class.replace('.', '_')}", StorageServiceClass)
