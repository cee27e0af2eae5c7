"""register(): what an archive answers to an instance that came through one of its doors.

The question "are these other octets the same object?" needs both objects decoded, which is no work
for a transaction. So intake asks :func:`preliminary` first, compares outside, and brings verdicts;
:func:`register` looks again under its locks and answers UNDECIDED where a verdict is missing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Connection, Row, insert, select

from archive.index import tables
from archive.index.directory import issuer_of
from archive.index.engine import serialise
from archive.index.header import Arrived
from archive.index.journal import data_quality, tally
from archive.index.members import LOOSE, Holding, holdings_of, remember
from archive.index.overlay import StateRow, overlay, set_state
from archive.index.patients import component, find_patient
from archive.index.studies import (
    StudyTold,
    ensure_series,
    fill_in,
    lock_study,
    note_arrival,
    told_of_series,
    told_of_study,
)
from archive.states import InstanceState
from archive.words.identity import PatientIdentity


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

PATIENT_MISMATCH = "PATIENT_MISMATCH"
"""State code of an object whose patient number is not its study's: it does not leave the trust."""


def preliminary(conn: Connection, arrived: Arrived) -> list[Holding]:
    """Return what must be compared with ``arrived`` before it can be registered.

    Empty: nothing; it is new, or the very octets are held. Otherwise one holding: the same octets
    under another transfer syntax, else what serves under the UID, of the same custodian or (a
    possible echo) as delivered to it.
    """
    own = holdings_of(
        conn, arrived.header.SOPInstanceUID, custodian_id=arrived.source.organisation_id
    )
    if any(_same_octets(arrived, holding) for holding in own):
        return []
    if own:
        return [_to_compare(conn, arrived, own)]
    return _delivered(conn, arrived)[:1]


def register(
    conn: Connection, batch: Sequence[Arrived], verdicts: Verdicts, *, at_ms: int
) -> list[Answer]:
    """Register a batch in one transaction and answer each, in order.

    Its studies are locked before all else, in the order of their UIDs, so that two intakes never
    wait for each other in a circle.
    """
    for study in sorted({(a.source.organisation_id, a.header.StudyInstanceUID) for a in batch}):
        serialise(conn, "study", *study)
    answers: dict[int, Answer] = {}
    order = sorted(range(len(batch)), key=lambda n: batch[n].header.StudyInstanceUID)
    for number in order:
        answers[number] = _register_one(conn, batch[number], verdicts, at_ms)
    for answer in Answer:
        count = sum(given is answer for given in answers.values())
        if count and answer is not Answer.UNDECIDED:
            tally(conn, f"register.{answer.value}", count, at_ms)
    return [answers[number] for number in range(len(batch))]


def _register_one(conn: Connection, arrived: Arrived, verdicts: Verdicts, at_ms: int) -> Answer:
    to_compare = preliminary(conn, arrived)
    if not to_compare:
        return _register_plain(conn, arrived, at_ms)
    verdict = verdicts.get(arrived.key)
    if verdict is None or verdict.of_sha256 != to_compare[0].member.sha256:
        return Answer.UNDECIDED
    if verdict.answer is Answer.REGISTERED:
        _add(conn, arrived, at_ms)
        return Answer.REGISTERED
    _sight(conn, arrived, verdict, at_ms)
    if verdict.answer is not Answer.ECHO and verdict.of_sha256 != arrived.digest.sha256:
        _add_beside(conn, arrived, verdict, at_ms)
    return verdict.answer


def _register_plain(conn: Connection, arrived: Arrived, at_ms: int) -> Answer:
    uid = arrived.header.SOPInstanceUID
    if holdings_of(conn, uid, custodian_id=arrived.source.organisation_id):
        return Answer.ALREADY_HELD
    _add(conn, arrived, at_ms)
    return Answer.REGISTERED


def _add(conn: Connection, arrived: Arrived, at_ms: int) -> None:
    told = told_of_study(
        conn,
        arrived.header,
        custodian=arrived.source.organisation,
        custodian_id=arrived.source.organisation_id,
        authority=arrived.source.authority_id,
    )
    study = lock_study(conn, told, at_ms=at_ms)
    fill_in(conn, study, told)
    series = ensure_series(conn, study.study_key, told_of_series(arrived.header), at_ms=at_ms)
    conn.execute(
        insert(tables.instance).values(
            study_key=study.study_key,
            series_no=series.series_no,
            sop_instance_uid=arrived.header.SOPInstanceUID,
            sha256=arrived.digest.sha256,
            transfer_syntax=arrived.digest.transfer_syntax,
            sop_class_uid=arrived.header.SOPClassUID,
            instance_number=arrived.header.InstanceNumber,
            size=arrived.size,
            segment=arrived.location.segment,
            offset=arrived.location.offset,
            length=arrived.location.length,
            data_set_offset=arrived.location.data_set_offset,
            source_id=arrived.source.source_id,
            calling_ae=arrived.calling_ae,
            called_ae=arrived.called_ae,
            arrived_at=arrived.arrived_ms,
        )
    )
    remember(
        conn,
        custodian_id=study.custodian_id,
        study_key=study.study_key,
        series_no=series.series_no,
        pack_no=LOOSE,
        sop_instance_uids=[arrived.header.SOPInstanceUID],
    )
    note_arrival(conn, study.study_key, series.series_no, at_ms=at_ms)
    if _names_another_patient(conn, told, study):
        _keep_within_trust(conn, arrived, at_ms)


def _add_beside(conn: Connection, arrived: Arrived, verdict: Verdict, at_ms: int) -> None:
    """Keep octets that do not serve, with the state that says so."""
    _add(conn, arrived, at_ms)
    conflicting = verdict.answer is Answer.CONFLICTING
    state = InstanceState.QUARANTINED if conflicting else InstanceState.VISIBLE
    _say(conn, arrived, state=state, serves=False, code=verdict.answer.value, at_ms=at_ms)
    if conflicting:
        data_quality(
            conn,
            organisation=arrived.source.organisation,
            code="CONFLICTING_INSTANCE",
            sentence="Two different objects came under one SOP Instance UID; the first serves.",
            subject=arrived.header.SOPInstanceUID,
            at_ms=at_ms,
        )


def _names_another_patient(
    conn: Connection, told: StudyTold, study: Row[tuple[object, ...]]
) -> bool:
    same = (told.mrn, told.authority_id) == (study.mrn, study.authority_id)
    if same or not told.mrn or not study.mrn:
        return False
    if told.authority_id is None or study.authority_id is None:
        return True
    one = find_patient(conn, PatientIdentity(told.mrn, issuer_of(conn, told.authority_id)))
    other = find_patient(conn, PatientIdentity(study.mrn, issuer_of(conn, study.authority_id)))
    if one is None or other is None:
        return True
    return other.patient_id not in component(conn, one.patient_id)


def _keep_within_trust(conn: Connection, arrived: Arrived, at_ms: int) -> None:
    visible = InstanceState.VISIBLE
    _say(conn, arrived, state=visible, serves=True, code=PATIENT_MISMATCH, at_ms=at_ms)
    data_quality(
        conn,
        organisation=arrived.source.organisation,
        code=PATIENT_MISMATCH,
        sentence="An object names another patient than the rest of its study; it stays here.",
        subject=arrived.header.SOPInstanceUID,
        at_ms=at_ms,
    )


def _say(
    conn: Connection,
    arrived: Arrived,
    *,
    state: InstanceState,
    serves: bool,
    code: str,
    at_ms: int,
) -> None:
    row = StateRow(
        sop_instance_uid=arrived.header.SOPInstanceUID,
        sha256=arrived.digest.sha256,
        state=state,
        serves=serves,
        code=code,
        actor="intake",
        at_ms=at_ms,
        numbered_by=arrived.source.node,
    )
    set_state(conn, custodian=arrived.source.organisation, row=row)


def _sight(conn: Connection, arrived: Arrived, verdict: Verdict, at_ms: int) -> None:
    conn.execute(
        insert(tables.sighting).values(
            custodian_id=arrived.source.organisation_id,
            sop_instance_uid=arrived.header.SOPInstanceUID,
            sha256=arrived.digest.sha256,
            transfer_syntax=arrived.digest.transfer_syntax,
            answer=verdict.answer.value,
            of_sha256=verdict.of_sha256,
            differences=verdict.differences,
            calling_ae=arrived.calling_ae,
            at=at_ms,
        )
    )


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
