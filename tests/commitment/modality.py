"""A modality that asks for storage commitment, on pynetdicom: the SCU of PS3.4 Annex J."""

import queue
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from pydicom import Dataset
from pydicom.uid import generate_uid
from pynetdicom import AE, evt
from pynetdicom.association import Association
from pynetdicom.events import Event, EventHandlerType

from tests.peers.processes import LOOPBACK, Endpoint

PUSH_MODEL = "1.2.840.10008.1.20.1"
PUSH_MODEL_INSTANCE = "1.2.840.10008.1.20.1.1"


@dataclass(frozen=True, slots=True)
class Told:
    """One N-EVENT-REPORT as it came."""

    event_type: int
    transaction_uid: str
    retrieve_aes: frozenset[str]
    """(0008,0054) of the committed items."""
    committed: frozenset[str]
    failed: dict[str, int]
    on_new_association: bool


@dataclass
class CommitmentScu:
    """An AE that asks, and hears the answers on both kinds of association."""

    ae_title: str
    node: Endpoint
    answer: list[int] = field(default_factory=list)
    """Statuses to answer the next results with; then 0000H."""
    on_hearing: list[Callable[[], object]] = field(default_factory=list)
    """What to do when a result is heard, before it is answered."""
    told: "queue.Queue[Told]" = field(default_factory=queue.Queue)
    _listener: AE | None = None

    @contextmanager
    def association(self) -> Iterator[Association]:
        """Open an association that proposes Storage Commitment, and end it with the block."""
        entity = AE(self.ae_title)
        entity.add_requested_context(PUSH_MODEL)
        handlers: list[EventHandlerType] = [(evt.EVT_N_EVENT_REPORT, self._heard, [False])]
        opened = entity.associate(
            self.node.host, self.node.port, ae_title=self.node.ae_title, evt_handlers=handlers
        )
        assert opened.is_established
        assert opened.accepted_contexts
        try:
            yield opened
        finally:
            if opened.is_established:
                opened.release()

    @contextmanager
    def listening(self, port: int = 0) -> Iterator[int]:
        """Take associations that bring results, in the SCU role (PS3.7 Section D.3.3.4)."""
        entity = AE(self.ae_title)
        entity.add_supported_context(PUSH_MODEL, scu_role=False, scp_role=True)
        handlers: list[EventHandlerType] = [(evt.EVT_N_EVENT_REPORT, self._heard, [True])]
        server = entity.start_server((LOOPBACK, port), block=False, evt_handlers=handlers)
        assert server is not None
        self._listener = entity
        try:
            yield int(server.server_address[1])
        finally:
            server.shutdown()

    def ask(
        self,
        association: Association,
        items: Iterable[tuple[str, str]],
        *,
        transaction_uid: str | None = None,
    ) -> tuple[str, int]:
        """Send N-ACTION for (class, instance); return the Transaction UID and the status."""
        information = Dataset()
        information.TransactionUID = transaction_uid or generate_uid()
        information.ReferencedSOPSequence = [_reference(*item) for item in items]
        status, _ = association.send_n_action(
            information, 1, PUSH_MODEL, PUSH_MODEL_INSTANCE, msg_id=1
        )
        return str(information.TransactionUID), int(status.Status)

    def abort_all(self) -> None:
        """Abort the associations that others have opened."""
        assert self._listener is not None, "not listening"
        for association in self._listener.active_associations:
            association.abort()

    def hear(self, *, seconds: float = 30) -> Told:
        """Return the next result."""
        return self.told.get(timeout=seconds)

    def _heard(self, event: Event, on_new_association: bool) -> tuple[int, None]:
        for act in self.on_hearing:
            act()
        information = event.event_information
        done = information.get("ReferencedSOPSequence", [])
        failed = information.get("FailedSOPSequence", [])
        status = self.answer.pop(0) if self.answer else 0x0000
        self.told.put(
            Told(
                event_type=int(event.event_type or 0),
                transaction_uid=str(information.TransactionUID),
                retrieve_aes=frozenset(str(item.RetrieveAETitle) for item in done),
                committed=frozenset(str(item.ReferencedSOPInstanceUID) for item in done),
                failed={
                    str(item.ReferencedSOPInstanceUID): int(item.FailureReason) for item in failed
                },
                on_new_association=on_new_association,
            )
        )
        return status, None


def _reference(sop_class_uid: str, sop_instance_uid: str) -> Dataset:
    reference = Dataset()
    reference.ReferencedSOPClassUID = sop_class_uid
    reference.ReferencedSOPInstanceUID = sop_instance_uid
    return reference
