"""New instances of one study: their rows, their series and study, and whose they are."""

from collections import Counter
from collections.abc import Sequence

from sqlalchemy import Connection, Row, insert

from archive.index import tables
from archive.index.directory import issuer_of
from archive.index.header import Arrived
from archive.index.issuers import header_issuers, note_findings
from archive.index.journal import data_quality_of_all
from archive.index.members import remember_loose
from archive.index.overlay import StateRow, set_states
from archive.index.patients import component, find_patient
from archive.index.studies import (
    StudyTold,
    fill_in,
    lock_study,
    note_arrivals,
    number_series,
    told_of_series,
    told_of_study,
)
from archive.states import InstanceState
from archive.words.identity import PatientIdentity

PATIENT_MISMATCH = "PATIENT_MISMATCH"
"""State code of an object whose patient number is not its study's: it does not leave the trust."""

_Number = tuple[str, int | None]
"""A patient's number, and the row of the authority that gave it."""


def add(conn: Connection, arrived: Sequence[Arrived], *, at_ms: int) -> None:
    """Add instances of one study in one custody, as if one came after the other.

    No two of them are the same octets under one SOP Instance UID.
    """
    told = _told(conn, arrived, at_ms)
    study = lock_study(conn, told[0], at_ms=at_ms)
    fill_in(conn, study, *told)
    series = [told_of_series(one.header) for one in arrived]
    numbers = number_series(conn, study.study_key, series, at_ms=at_ms)
    placed = [(numbers[one.header.SeriesInstanceUID], one) for one in arrived]
    rows = [_columns(study.study_key, series_no, one) for series_no, one in placed]
    conn.execute(insert(tables.instance), rows)
    remember_loose(
        conn,
        custodian_id=study.custodian_id,
        study_key=study.study_key,
        members=[(series_no, one.header.SOPInstanceUID) for series_no, one in placed],
    )
    note_arrivals(conn, study.study_key, Counter(number for number, _ in placed), at_ms=at_ms)
    strangers = _of_other_patients(conn, study, told)
    _keep_within_trust(conn, [arrived[number] for number in strangers], at_ms)


def decided_here(
    arrived: Arrived, *, state: InstanceState, serves: bool, code: str, at_ms: int
) -> StateRow:
    """Return what intake says of exactly these octets."""
    return StateRow(
        sop_instance_uid=arrived.header.SOPInstanceUID,
        sha256=arrived.digest.sha256,
        state=state,
        serves=serves,
        code=code,
        actor="intake",
        at_ms=at_ms,
        numbered_by=arrived.source.node,
    )


def _told(conn: Connection, arrived: Sequence[Arrived], at_ms: int) -> list[StudyTold]:
    """Return what each tells of the study, and show a person the issuers that are not ours."""
    custodian = arrived[0].source.organisation
    named = [one.header.IssuerOfPatientID.strip() for one in arrived]
    issuers = header_issuers(conn, named, custodian=custodian)
    note_findings(
        conn,
        issuers.values(),
        custodian=custodian,
        study_instance_uid=arrived[0].header.StudyInstanceUID,
        at_ms=at_ms,
    )
    return [
        told_of_study(
            one.header,
            custodian=custodian,
            custodian_id=one.source.organisation_id,
            authority_id=issuers[name].authority_id if name else one.source.authority_id,
        )
        for name, one in zip(named, arrived, strict=True)
    ]


def _columns(study_key: int, series_no: int, arrived: Arrived) -> dict[str, object]:
    return {
        "study_key": study_key,
        "series_no": series_no,
        "sop_instance_uid": arrived.header.SOPInstanceUID,
        "sha256": arrived.digest.sha256,
        "transfer_syntax": arrived.digest.transfer_syntax,
        "sop_class_uid": arrived.header.SOPClassUID,
        "instance_number": arrived.header.InstanceNumber,
        "size": arrived.size,
        "segment": arrived.location.segment,
        "offset": arrived.location.offset,
        "length": arrived.location.length,
        "data_set_offset": arrived.location.data_set_offset,
        "source_id": arrived.source.source_id,
        "calling_ae": arrived.calling_ae,
        "called_ae": arrived.called_ae,
        "arrived_at": arrived.arrived_ms,
    }


def _of_other_patients(
    conn: Connection, study: Row[tuple[object, ...]], told: Sequence[StudyTold]
) -> list[int]:
    """Return which of ``told`` name another patient than the study, whose first number counts."""
    numbers: list[_Number] = [(one.mrn, one.authority_id) for one in told]
    known = next((each for each in [(study.mrn, study.authority_id), *numbers] if each[0]), None)
    if known is None:
        return []
    others = {each for each in numbers if each[0] and each != known}
    strangers = {each for each in others if _are_two(conn, each, known)}
    return [place for place, each in enumerate(numbers) if each in strangers]


def _are_two(conn: Connection, one: _Number, other: _Number) -> bool:
    first, second = _patient_id(conn, *one), _patient_id(conn, *other)
    if first is None or second is None:
        return True
    return second not in component(conn, first)


def _patient_id(conn: Connection, mrn: str, authority_id: int | None) -> int | None:
    if authority_id is None:
        return None
    patient = find_patient(conn, PatientIdentity(mrn, issuer_of(conn, authority_id)))
    return None if patient is None else patient.patient_id


def _keep_within_trust(conn: Connection, arrived: Sequence[Arrived], at_ms: int) -> None:
    if not arrived:
        return
    custodian = arrived[0].source.organisation
    visible = InstanceState.VISIBLE
    rows = [
        decided_here(one, state=visible, serves=True, code=PATIENT_MISMATCH, at_ms=at_ms)
        for one in arrived
    ]
    set_states(conn, custodian=custodian, rows=rows)
    data_quality_of_all(
        conn,
        organisation=custodian,
        code=PATIENT_MISMATCH,
        sentence="An object names another patient than the rest of its study; it stays here.",
        subjects=[one.header.SOPInstanceUID for one in arrived],
        at_ms=at_ms,
    )
