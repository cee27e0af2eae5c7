"""register(): what an archive answers to an instance that came through one of its doors.

The question "are these other octets the same object?" needs both objects decoded, which is no work
for a transaction. So intake asks :func:`preliminary` first, compares outside, and brings verdicts;
:func:`register` looks again under its locks and answers UNDECIDED where a verdict is missing.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby

from sqlalchemy import Connection, select

from archive.index import tables
from archive.index.adding import add, decided_here
from archive.index.arrivals import note_sender, note_sighting
from archive.index.engine import serialise
from archive.index.header import Arrived
from archive.index.journal import data_quality, tally
from archive.index.members import Holding, holdings_of, may_be_held
from archive.index.overlay import overlay, set_state
from archive.states import InstanceState


class Answer(StrEnum):
    """What register() says (the table of DESIGN, section 4)."""

    REGISTERED = "Registered"
    """New to this archive."""
    ALREADY_HELD = "AlreadyHeld"
    """Same UID, transfer syntax and digest."""
    SAME_CONTENT = "SameContent"
    """Equal after decoding; the first serves, this one is kept beside it."""
    REVISED = "Revised"
    """Same pixels or document, other header; both are kept, the first serves."""
    ECHO = "Echo"
    """A rendition that was delivered to this trust has come back; it is not the trust's own."""
    CONFLICTING = "Conflicting"
    """Other pixels, class, study or series under the same UID; a person decides."""
    UNREADABLE = "Unreadable"
    """No UIDs, or not those of the command, or broken coding; kept in held."""
    UNDECIDED = "Undecided"
    """Somebody was faster: compare with what is held now and ask again."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a comparison found."""

    answer: Answer
    """SAME_CONTENT, REVISED, CONFLICTING, ECHO, or REGISTERED where an echo was suspected."""
    of_sha256: bytes
    differences: str = ""
    """Keywords that differ, comma-separated; never their values."""


Verdicts = Mapping[tuple[str, bytes], Verdict]


def preliminary(conn: Connection, arrived: Arrived) -> list[Holding]:
    """Return what must be compared with ``arrived`` before it can be registered.

    Empty: nothing; it is new, or the very octets are held. Otherwise one holding: the same octets
    under another transfer syntax, else what serves under the UID, of the same custodian or (a
    possible echo) as delivered to it.
    """
    own = _own(conn, arrived)
    if any(_same_octets(arrived, holding) for holding in own):
        return []
    return _rivals(conn, arrived, own)


def register(
    conn: Connection, batch: Sequence[Arrived], verdicts: Verdicts, *, at_ms: int
) -> list[Answer]:
    """Register a batch in one transaction and answer each, in order.

    Its studies are locked before all else, in the order of their UIDs, so that two intakes never
    wait for each other in a circle. The caller counts the answers when it has written all else:
    see :func:`count_answers`.
    """
    order = sorted(range(len(batch)), key=lambda number: _study(batch[number]))
    for study in dict.fromkeys(_study(batch[number]) for number in order):
        serialise(conn, "study", *study)
    answers: dict[int, Answer] = {}
    for run, all_new in _runs(conn, batch, order):
        if all_new:
            add(conn, [batch[number] for number in run], at_ms=at_ms)
            answers |= dict.fromkeys(run, Answer.REGISTERED)
        else:
            answers |= {n: _register_one(conn, batch[n], verdicts, at_ms) for n in run}
    return [answers[number] for number in range(len(batch))]


def count_answers(conn: Connection, answers: Iterable[Answer], *, at_ms: int) -> None:
    """Add answers to the day's counts, as the last thing of a transaction.

    Every intake meets every other in these counts: one that held them and went on to wait for a
    study or for states would be waited for in a circle.
    """
    given = list(answers)
    for answer in Answer:
        count = given.count(answer)
        if count and answer is not Answer.UNDECIDED:
            tally(conn, f"register.{answer.value}", count, at_ms)


def _runs(
    conn: Connection, batch: Sequence[Arrived], order: Sequence[int]
) -> Iterator[tuple[list[int], bool]]:
    """Part a batch, in ``order``, into runs of one study, and tell whether all of a run is new.

    New is the first of its UID in the batch where nothing can be held under it.
    """
    firsts = {batch[number].header.SOPInstanceUID: number for number in reversed(order)}
    taken = may_be_held(conn, firsts)
    new = {number for uid, number in firsts.items() if uid not in taken}
    for (_, is_new), run in groupby(order, key=lambda n: (_study(batch[n]), n in new)):
        yield list(run), is_new


def _study(arrived: Arrived) -> tuple[int, str]:
    return arrived.source.organisation_id, arrived.header.StudyInstanceUID


def _register_one(conn: Connection, arrived: Arrived, verdicts: Verdicts, at_ms: int) -> Answer:
    own = _own(conn, arrived)
    for holding in own:
        if _same_octets(arrived, holding):
            note_sender(conn, arrived, holding, at_ms=at_ms)
            return Answer.ALREADY_HELD
    rivals = _rivals(conn, arrived, own)
    if not rivals:
        add(conn, [arrived], at_ms=at_ms)
        return Answer.REGISTERED
    return _register_rival(conn, arrived, rivals[0], verdicts.get(arrived.key), at_ms)


def _register_rival(
    conn: Connection, arrived: Arrived, held: Holding, verdict: Verdict | None, at_ms: int
) -> Answer:
    if verdict is None or verdict.of_sha256 != held.member.sha256:
        return Answer.UNDECIDED
    if verdict.answer is Answer.REGISTERED:
        add(conn, [arrived], at_ms=at_ms)
        return Answer.REGISTERED
    note_sighting(
        conn,
        arrived,
        answer=verdict.answer.value,
        of_sha256=verdict.of_sha256,
        differences=verdict.differences,
        at_ms=at_ms,
    )
    if verdict.answer is not Answer.ECHO and verdict.of_sha256 != arrived.digest.sha256:
        _add_beside(conn, arrived, verdict, at_ms)
    return verdict.answer


def _add_beside(conn: Connection, arrived: Arrived, verdict: Verdict, at_ms: int) -> None:
    """Keep octets that do not serve, with the state that says so."""
    add(conn, [arrived], at_ms=at_ms)
    conflicting = verdict.answer is Answer.CONFLICTING
    state = InstanceState.QUARANTINED if conflicting else InstanceState.VISIBLE
    code = verdict.answer.value
    row = decided_here(arrived, state=state, serves=False, code=code, at_ms=at_ms)
    set_state(conn, custodian=arrived.source.organisation, row=row)
    if conflicting:
        data_quality(
            conn,
            organisation=arrived.source.organisation,
            code="CONFLICTING_INSTANCE",
            sentence="Two different objects came under one SOP Instance UID; the first serves.",
            subject=arrived.header.SOPInstanceUID,
            at_ms=at_ms,
        )


def _own(conn: Connection, arrived: Arrived) -> list[Holding]:
    uid = arrived.header.SOPInstanceUID
    return holdings_of(conn, uid, custodian_id=arrived.source.organisation_id)


def _rivals(conn: Connection, arrived: Arrived, own: Sequence[Holding]) -> list[Holding]:
    """Return what must be compared with octets that are not among ``own``: one holding, or none."""
    if own:
        return [_to_compare(conn, arrived, own)]
    return _delivered(conn, arrived)[:1]


def _same_octets(arrived: Arrived, holding: Holding) -> bool:
    member = holding.member
    held = (member.transfer_syntax, member.sha256)
    return held == (arrived.digest.transfer_syntax, arrived.digest.sha256)


def _to_compare(conn: Connection, arrived: Arrived, own: Sequence[Holding]) -> Holding:
    """Return what decides about other octets under a UID of the same custodian.

    The same octets under another syntax (an object without pixels may be sent under any) need no
    second copy: states are told by digest, so one that did not serve would hide the other.
    """
    uid = arrived.header.SOPInstanceUID
    said = overlay(conn, arrived.source.organisation_id, [uid])
    same = (held for held in own if held.member.sha256 == arrived.digest.sha256)
    serving = (held for held in own if said.of(uid, held.member.sha256).serves)
    return next(same, None) or next(serving, own[0])


def _delivered(conn: Connection, arrived: Arrived) -> list[Holding]:
    """Return what was delivered to this trust under the UID, newest delivery first."""
    columns = tables.delivery.c
    rows = conn.execute(
        select(columns.custodian_id, columns.sha256)
        .where(
            columns.sop_instance_uid == arrived.header.SOPInstanceUID,
            columns.organisation_id == arrived.source.organisation_id,
            columns.custodian_id != arrived.source.organisation_id,
        )
        .order_by(columns.id.desc())
    ).all()
    return [
        holding
        for row in rows
        for holding in holdings_of(
            conn, arrived.header.SOPInstanceUID, custodian_id=row.custodian_id
        )
        if holding.member.sha256 == row.sha256
    ]
