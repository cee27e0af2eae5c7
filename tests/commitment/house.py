"""A node's cold side that commits: requests in its spool, a judge, and what is to be told."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from sqlalchemy import Connection

from archive.index.commitments import acknowledge, judged
from archive.intake.commitment import Commitments, Judged
from archive.intake.intake import Intake
from archive.intake.judging import Judge
from archive.store.segment import Envelope, RecordKind
from archive.store.spool import SegmentWriter
from archive.words.commitment import CommitmentResult, Proof
from tests.commitment.modality import PUSH_MODEL, PUSH_MODEL_INSTANCE
from tests.intake.house import Cold, drain

IMPLICIT = "1.2.840.10008.1.2"
WAIT_SECONDS = 600.0

Item = tuple[str, str]
"""SOP class, SOP instance."""

CT_ITEM: Item = ("1.2.840.10008.5.1.4.1.1.2", "1.2.3.1.1")


@dataclass
class Committing:
    """The cold side, and what would be told to whom."""

    cold: Cold
    proof: Proof = Proof.NODE
    told: list[Judged] = field(default_factory=list)

    def __post_init__(self) -> None:
        cold = self.cold
        self.intake: Intake = cold.intake(commitments=Commitments(self._tell))
        self.judge = Judge(
            cold.index, cold.reader, cold.clock, self.proof, WAIT_SECONDS, self._tell
        )

    def _tell(self, _conn: Connection, told: Judged) -> None:
        self.told.append(told)

    def request(
        self,
        *items: Item,
        transaction: str = "1.2.9",
        calling_ae: str = "CT1",
        writer: SegmentWriter | None = None,
    ) -> None:
        """Make a request durable, as the door does, in a segment of its own or in another's."""
        own = writer or self.cold.spool.writer()
        said = Envelope(
            association="a2",
            context_id=1,
            calling_ae=calling_ae,
            called_ae="RXA",
            peer="127.0.0.1:1",
            arrived_at=self.cold.clock.now(),
            transfer_syntax=IMPLICIT,
            sop_class_uid=PUSH_MODEL,
            sop_instance_uid=PUSH_MODEL_INSTANCE,
        )
        own.append(RecordKind.COMMITMENT, said, [action_information(transaction, items)])
        if writer is None:
            own.hand_over()

    def take_in(self) -> None:
        drain(self.intake)

    def look(self) -> bool:
        """Let the judge look, rested as it may be."""
        self.cold.clock.advance(11)
        return self.judge.once()

    def result(self, number: int = 1) -> CommitmentResult:
        with self.cold.index.reading() as conn:
            return judged(conn, number).result

    def answers(self, *items: Item, calling_ae: str = "CT1") -> dict[str, int]:
        """Ask for items that are in the spool, and return the failures by UID."""
        self.request(*items, calling_ae=calling_ae)
        self.take_in()
        assert self.look()
        return failures(self.result())

    def acknowledge(self, number: int = 1) -> None:
        with self.cold.index.writing() as conn:
            acknowledge(conn, number, at_ms=1)


def failures(result: CommitmentResult) -> dict[str, int]:
    return {
        one.item.sop_instance_uid: int(one.failure)
        for one in result.judgements
        if one.failure is not None
    }


def reasons(result: CommitmentResult) -> dict[str, str]:
    return {one.item.sop_instance_uid: one.why for one in result.judgements}


def action_information(transaction_uid: str, items: Sequence[Item]) -> bytes:
    information = Dataset()
    information.TransactionUID = transaction_uid
    information.ReferencedSOPSequence = []
    for sop_class_uid, sop_instance_uid in items:
        item = Dataset()
        item.ReferencedSOPClassUID = sop_class_uid
        item.ReferencedSOPInstanceUID = sop_instance_uid
        information.ReferencedSOPSequence.append(item)
    octets = DicomBytesIO()
    octets.is_little_endian, octets.is_implicit_VR = True, True
    write_dataset(octets, information)
    return octets.getvalue()
