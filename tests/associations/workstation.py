"""A workstation on pynetdicom: asks, cancels, and keeps what it gets exactly as it came."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from pydicom import Dataset
from pynetdicom import AE, evt
from pynetdicom.association import Association
from pynetdicom.events import Event
from pynetdicom.pdu_primitives import SCP_SCU_RoleSelectionNegotiation
from pynetdicom.presentation import build_context, build_role

from archive.dimse import negotiation
from tests.associations.door import CT, EXPLICIT, IMPLICIT
from tests.peers.processes import Endpoint


@dataclass
class Workstation:
    """One association, and what came on it."""

    association: Association
    received: list[tuple[str, str, bytes]] = field(default_factory=list)
    """(SOP Instance UID, transfer syntax, Data Set octets) of each C-STORE on it."""

    def find(
        self, level: str, *, root: str = negotiation.STUDY_ROOT_FIND, **keys: str
    ) -> tuple[int, list[Dataset], Dataset]:
        """Return the final status, the matches, and the final response."""
        *pending, last = list(self.association.send_c_find(identifier(level, keys), root))
        return last[0].Status, [match for _, match in pending if match is not None], last[0]

    def get(
        self, level: str, *, root: str = negotiation.STUDY_ROOT_GET, **keys: str
    ) -> tuple[Dataset, Dataset | None]:
        """Return the final response and its Identifier."""
        return list(self.association.send_c_get(identifier(level, keys), root))[-1]

    def move(
        self, level: str, to: str, *, root: str = negotiation.STUDY_ROOT_MOVE, **keys: str
    ) -> tuple[Dataset, Dataset | None]:
        """Return the final response and its Identifier."""
        return list(self.association.send_c_move(identifier(level, keys), to, root))[-1]


def identifier(level: str, keys: Mapping[str, str]) -> Dataset:
    """Return a request Identifier; an empty level is left out."""
    data_set = Dataset()
    if level:
        data_set.QueryRetrieveLevel = level
    for keyword, value in keys.items():
        setattr(data_set, keyword, value.split("\\") if "\\" in value else value)
    if not all(value.isascii() for value in keys.values()):
        data_set.SpecificCharacterSet = "ISO_IR 192"
    return data_set


@contextmanager
def workstation(
    door: Endpoint,
    ae_title: str = "WS_A",
    *,
    storage: Mapping[str, tuple[str, ...]] = {CT: (EXPLICIT, IMPLICIT)},
    answer: int = 0x0000,
) -> Iterator[Workstation]:
    """Open an association for queries, and as SCP for C-GET of the ``storage`` classes."""
    entity = AE(ae_title)
    entity.acse_timeout = entity.dimse_timeout = 30
    contexts = [build_context(sop_class) for sop_class in sorted(negotiation.SERVED)]
    roles: list[SCP_SCU_RoleSelectionNegotiation] = []
    for sop_class, syntaxes in storage.items():
        contexts += [build_context(sop_class, syntax) for syntax in syntaxes]
        roles.append(build_role(sop_class, scp_role=True))
    received: list[tuple[str, str, bytes]] = []

    def keep(event: Event) -> int:
        request = event.request
        received.append(
            (
                str(request.AffectedSOPInstanceUID),  # type: ignore[union-attr]
                str(event.context.transfer_syntax),
                request.DataSet.getvalue(),  # type: ignore[union-attr]
            )
        )
        return answer

    association = entity.associate(
        door.host,
        door.port,
        contexts=contexts,
        ext_neg=list(roles),
        evt_handlers=[(evt.EVT_C_STORE, keep)],
    )
    assert association.is_established
    try:
        yield Workstation(association, received)
    finally:
        if association.is_established:
            association.release()
