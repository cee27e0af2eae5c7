"""One batch of prepared records: compared outside, written inside one transaction."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import structlog
from sqlalchemy import Connection, func, select

from archive.errors import NotFound
from archive.index import tables
from archive.index.documents import register_document
from archive.index.engine import Index
from archive.index.header import Arrived
from archive.index.members import may_be_held
from archive.index.register import Answer, Verdict, count_answers, register
from archive.intake.commitment import Asking, Commitments
from archive.intake.header import plain
from archive.intake.held import Unfit, note_held
from archive.intake.hl7 import Hl7Port
from archive.intake.prepare import Instance, Message, Prepared
from archive.intake.rejection import reject
from archive.intake.verdicts import Rival, needs_octets, rival_of, verdict, without_comparison
from archive.reader import Octets
from archive.store.segment import Record

OnRegistered = Callable[[Connection, Sequence[Arrived], Sequence[Answer]], None]
"""Called in the transaction with the instances of a batch and what register() answered."""
OnStates = Callable[[Connection], None]
"""Called in a transaction that wrote states of instances."""

_log = structlog.get_logger()
_PLAIN = frozenset((Answer.REGISTERED, Answer.ALREADY_HELD))


class Undecided(Exception):
    """Another process was faster: compare again. Rolls the transaction back."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a batch."""

    arrived: tuple[Arrived, ...]
    answers: tuple[Answer, ...]
    rejections: int
    documents: int
    messages: int
    requests: int
    """Of storage commitment."""
    held: tuple[Unfit, ...]
    states_written: bool

    def log(self, *, segment: str) -> None:
        """Say what was done: one line for the batch, and one for each that is out of the plain."""
        counts = {
            answer.value: self.answers.count(answer) for answer in dict.fromkeys(self.answers)
        }
        _log.info(
            "intake.batch",
            segment=segment,
            messages=self.messages,
            requests=self.requests,
            documents=self.documents,
            rejections=self.rejections,
            held=len(self.held),
            answers=counts,
        )
        for unfit in self.held:
            _log.warning(
                "intake.held",
                segment=segment,
                reason=unfit.reason.value,
                sha256=unfit.sha256.hex(),
                size=unfit.size,
            )
        for arrived, answer in zip(self.arrived, self.answers, strict=True):
            if answer not in _PLAIN:
                _log.warning(
                    "intake.answer",
                    answer=answer.value,
                    sop_instance_uid=arrived.header.SOPInstanceUID,
                    sha256=arrived.digest.hex,
                )


@dataclass(slots=True)
class Batch:
    """Records that go in together."""

    octets: Octets
    prepared: Sequence[Prepared]
    node: str
    hl7: Hl7Port | None
    commitments: Commitments | None = None
    _verdicts: dict[tuple[str, bytes], Verdict] = field(default_factory=dict)
    _postponed: set[tuple[str, bytes]] = field(default_factory=set)

    def compare(self, index: Index, *, postpone: bool, at_last: bool = False) -> None:
        """Decide about every instance whose UID is taken now.

        ``postpone``: an instance whose octets must be compared for it is left out of the batch,
        see :attr:`postponed`.

        ``at_last``: what is held under a UID and cannot be found, again and again, counts as other
        content, so that one lost object does not keep all that comes after it from the index.

        Raises:
            NotFound: what is held under a UID has moved meanwhile; compare again.
            StorageFailed: the storage refused.
        """
        instances = self._instances()
        with index.reading() as conn:
            taken = may_be_held(conn, (one.arrived.header.SOPInstanceUID for one in instances))
            rivals = [
                rival_of(conn, one.arrived) if one.arrived.header.SOPInstanceUID in taken else None
                for one in instances
            ]
        found = [
            (instance.arrived, rival)
            for instance, rival in zip(instances, rivals, strict=True)
            if rival is not None
        ]
        self._postponed = {one.key for one, rival in found if postpone and needs_octets(one, rival)}
        self._verdicts = {
            one.key: self._verdict(one, rival, at_last=at_last)
            for one, rival in found
            if one.key not in self._postponed
        }

    @property
    def postponed(self) -> set[int]:
        """Sequence numbers of the records that are left for a comparison of their own."""
        return {
            one.record.sequence
            for one in self.prepared
            if isinstance(one.content, Instance) and one.content.arrived.key in self._postponed
        }

    def _verdict(self, arrived: Arrived, rival: Rival, *, at_last: bool) -> Verdict:
        try:
            return verdict(self.octets, arrived, rival)
        except NotFound:
            if at_last:
                return without_comparison(arrived, rival)
            raise

    def write(self, conn: Connection, *, at_ms: int) -> Taken:
        """Write everything of the batch but what is postponed.

        Raises:
            Undecided: a comparison is missing.
        """
        instances = [one for one in self._instances() if one.arrived.key not in self._postponed]
        custodians = {instance.arrived.source.organisation_id for instance in instances}
        before = _last_states(conn, custodians, self.node)
        answers = self._register(conn, [instance.arrived for instance in instances], at_ms)
        rejections = sum(
            _reject(conn, instance, answer, at_ms)
            for instance, answer in zip(instances, answers, strict=True)
        )
        messages = [
            self._apply(conn, one.record, one.content, at_ms)
            for one in self.prepared
            if isinstance(one.content, Message)
        ]
        held = tuple(one.content for one in self.prepared if isinstance(one.content, Unfit))
        for unfit in held:
            note_held(conn, unfit, node=self.node, at_ms=at_ms)
        requests = [one.content for one in self.prepared if isinstance(one.content, Asking)]
        self._take_charge(conn, requests, at_ms)
        count_answers(conn, answers, at_ms=at_ms)
        return Taken(
            arrived=tuple(instance.arrived for instance in instances),
            answers=tuple(answers),
            rejections=rejections,
            documents=sum(messages),
            messages=len(messages),
            requests=len(requests),
            held=held,
            states_written=_last_states(conn, custodians, self.node) != before,
        )

    def _instances(self) -> list[Instance]:
        contents = (one.content for one in self.prepared)
        return [content for content in contents if isinstance(content, Instance)]

    def _register(
        self, conn: Connection, arrived: Sequence[Arrived], at_ms: int
    ) -> Sequence[Answer]:
        answers = register(conn, arrived, self._verdicts, at_ms=at_ms)
        if Answer.UNDECIDED in answers:
            raise Undecided
        return answers

    def _apply(self, conn: Connection, record: Record, message: Message, at_ms: int) -> bool:
        """Apply a message, and tell whether it brought a document that is new."""
        if self.hl7 is None:
            return False
        applied = self.hl7.apply(conn, message.octets, record.envelope, message.source)
        return applied.document is not None and register_document(
            conn,
            applied.document,
            source=message.source,
            location=message.measured.location,
            calling=plain(record.envelope.calling_ae),
            called=plain(record.envelope.called_ae),
            at_ms=at_ms,
        )

    def _take_charge(self, conn: Connection, requests: Sequence[Asking], at_ms: int) -> None:
        if self.commitments is not None:
            for asking in requests:
                self.commitments.take(conn, asking, node=self.node, at_ms=at_ms)


def _reject(conn: Connection, instance: Instance, answer: Answer, at_ms: int) -> bool:
    if instance.rejection is None or answer is not Answer.REGISTERED:
        return False
    reject(conn, instance.arrived, instance.rejection, at_ms=at_ms)
    return True


def _last_states(conn: Connection, custodians: set[int], node: str) -> dict[int, int]:
    """Return the highest number that this tier has given to a state, by custodian."""
    columns = tables.instance_state.c
    highest = select(func.max(columns.seq)).where(columns.numbered_by == node)
    return {
        custodian: conn.execute(highest.where(columns.custodian_id == custodian)).scalar() or 0
        for custodian in custodians
    }
