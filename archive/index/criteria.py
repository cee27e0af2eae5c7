"""From a query's keys to the studies that may match: what SQL can narrow, it narrows."""

from collections.abc import Iterable, Mapping

from sqlalchemy import ColumnElement, Connection, and_, false, or_, select, tuple_

from archive.errors import NoAuthority
from archive.index import tables
from archive.index.aliases import original_accession
from archive.index.directory import authority_id, find_issuer
from archive.index.matching import has_wildcard, like_pattern, range_ends, uid_list
from archive.index.members import holdings_of
from archive.index.patients import (
    LocalPatient,
    component,
    patients_by_id,
    patients_like,
    patients_with_nhs_number,
)
from archive.words.identity import NHS, Asker, Issuer
from archive.words.person_names import like_patterns

Condition = ColumnElement[bool]


def study_conditions(
    conn: Connection, asker: Asker, keys: Mapping[str, str]
) -> tuple[list[Condition], Issuer | None]:
    """Return conditions on study rows that every match meets, and the issuer the keys speak of.

    Raises:
        NoAuthority: a patient number is asked for, and neither asker nor key says whose it is.
        UnknownIssuer: the key names an issuer that nothing here knows.
    """
    issuer = _issuer(conn, asker, keys)
    conditions: list[Condition] = [tables.study.c.kind == "study"]
    if "PatientID" in keys and issuer is not None:
        conditions.append(_by_number(conn, issuer, keys["PatientID"]))
    if "PatientName" in keys:
        conditions.append(_by_name(conn, keys["PatientName"]))
    conditions += _by_date(keys.get("StudyDate", ""))
    if "AccessionNumber" in keys and not has_wildcard(keys["AccessionNumber"]):
        conditions.append(_by_accession(conn, keys["AccessionNumber"]))
    conditions += _by_uids(conn, keys)
    return conditions, issuer


def _issuer(conn: Connection, asker: Asker, keys: Mapping[str, str]) -> Issuer | None:
    if "IssuerOfPatientID" in keys:
        return find_issuer(conn, keys["IssuerOfPatientID"], organisation=asker.organisation)
    if "PatientID" in keys and asker.authority is None:
        raise NoAuthority("A patient number without its issuer names nobody.", who=asker.who)
    return asker.authority


def _by_number(conn: Connection, issuer: Issuer, pattern: str) -> Condition:
    if issuer == NHS:
        return _of_persons(conn, patients_with_nhs_number(conn, pattern.replace(" ", "")))
    like = like_pattern(pattern)
    columns = tables.study.c
    own = and_(
        columns.authority_id == authority_id(conn, issuer), columns.mrn.like(like, escape="\\")
    )
    return or_(own, _of_persons(conn, patients_like(conn, issuer, like)))


def _by_name(conn: Connection, pattern: str) -> Condition:
    likes = like_patterns(pattern)
    if not likes:
        return tables.study.c.study_key.is_not(None)
    patient = tables.local_patient.c
    named = select(patient.id).where(or_(*(patient.name_match.like(p, escape="\\") for p in likes)))
    found = patients_by_id(conn, {row.id for row in conn.execute(named)})
    own = or_(*(tables.study.c.name_match.like(p, escape="\\") for p in likes))
    return or_(own, _of_persons(conn, found))


def _of_persons(conn: Connection, patients: Iterable[LocalPatient]) -> Condition:
    """Return the condition that a study is under any number of these patients' persons."""
    reached: set[int] = set()
    for patient in patients:
        if patient.patient_id not in reached:
            reached |= component(conn, patient.patient_id)
    if not reached:
        return false()
    patient_row, study = tables.local_patient.c, tables.study.c
    numbers = select(patient_row.authority_id, patient_row.mrn).where(patient_row.id.in_(reached))
    return tuple_(study.authority_id, study.mrn).in_(numbers)


def _by_date(pattern: str) -> list[Condition]:
    if not pattern:
        return []
    low, high = range_ends(pattern)
    column = tables.study.c.study_date
    ends = [column >= low] if low else []
    return [*ends, column <= high] if high else ends


def _by_accession(conn: Connection, number: str) -> Condition:
    wanted = {number, original_accession(conn, number) or number}
    return tables.study.c.accession_number.in_(wanted)


def _by_uids(conn: Connection, keys: Mapping[str, str]) -> list[Condition]:
    study = tables.study.c
    conditions: list[Condition] = []
    if "StudyInstanceUID" in keys:
        conditions.append(study.study_instance_uid.in_(uid_list(keys["StudyInstanceUID"])))
    if "SeriesInstanceUID" in keys:
        series = tables.series.c
        named = select(series.study_key).where(
            series.series_instance_uid.in_(uid_list(keys["SeriesInstanceUID"]))
        )
        conditions.append(study.study_key.in_(named))
    if "SOPInstanceUID" in keys:
        holding = {
            found.study_key
            for uid in uid_list(keys["SOPInstanceUID"])
            for found in holdings_of(conn, uid)
        }
        conditions.append(study.study_key.in_(holding))
    return conditions
