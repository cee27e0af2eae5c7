"""Study and series rows: made when something of theirs first comes, filled in as more is known."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import count, pairwise

from sqlalchemy import Connection, Row, bindparam, func, insert, select, update

from archive.clock import from_milliseconds
from archive.errors import StateMoved
from archive.index import tables
from archive.index.engine import serialise
from archive.index.header import Header
from archive.states import STUDY_MOVES, StudyState
from archive.store.manifest import PackKind
from archive.words.identity import PatientIdentity
from archive.words.person_names import match_form
from archive.words.uids import derived_uid

DOCUMENTS_MODALITY = "DOC"


@dataclass(frozen=True, slots=True)
class StudyTold:
    """What is told of a study when it is first seen, here or at another tier."""

    custodian: str
    custodian_id: int
    study_instance_uid: str
    authority_id: int | None
    mrn: str
    kind: str = "study"
    patient_name: str = ""
    birth_date: str = ""
    sex: str = ""
    study_date: str = ""
    study_time: str = ""
    accession_number: str = ""
    study_id: str = ""
    description: str = ""
    referring_physician: str = ""

    def __repr__(self) -> str:
        """Hide the person: a repr ends in logs."""
        return f"StudyTold(study_instance_uid={self.study_instance_uid!r})"


@dataclass(frozen=True, slots=True)
class SeriesTold:
    """What is told of a series when it is first seen."""

    series_instance_uid: str
    kind: PackKind = PackKind.SERIES
    modality: str = ""
    series_number: str = ""
    description: str = ""
    body_part: str = ""
    laterality: str = ""
    series_date: str = ""
    series_time: str = ""


_STUDY_TEXT = (
    "patient_name",
    "birth_date",
    "sex",
    "study_date",
    "study_time",
    "accession_number",
    "study_id",
    "description",
    "referring_physician",
)
_SERIES_TEXT = (
    "modality",
    "series_number",
    "description",
    "body_part",
    "laterality",
    "series_date",
    "series_time",
)


def told_of_study(
    header: Header, *, custodian: str, custodian_id: int, authority_id: int | None
) -> StudyTold:
    """Return what a header tells of its study; its patient's number is the authority's."""
    return StudyTold(
        custodian=custodian,
        custodian_id=custodian_id,
        study_instance_uid=header.StudyInstanceUID,
        authority_id=authority_id,
        mrn=header.PatientID.strip(),
        patient_name=header.PatientName,
        birth_date=header.PatientBirthDate,
        sex=header.PatientSex,
        study_date=header.StudyDate,
        study_time=header.StudyTime,
        accession_number=header.AccessionNumber.strip(),
        study_id=header.StudyID,
        description=header.StudyDescription,
        referring_physician=header.ReferringPhysicianName,
    )


def told_of_series(header: Header) -> SeriesTold:
    """Return what a header tells of its series."""
    return SeriesTold(
        series_instance_uid=header.SeriesInstanceUID,
        modality=header.Modality,
        series_number=header.SeriesNumber,
        description=header.SeriesDescription,
        body_part=header.BodyPartExamined,
        laterality=header.Laterality,
        series_date=header.SeriesDate,
        series_time=header.SeriesTime,
    )


def documents_series(study_instance_uid: str) -> SeriesTold:
    """Return the pseudo-series that holds a study's documents."""
    return SeriesTold(
        series_instance_uid=derived_uid("documents", study_instance_uid),
        kind=PackKind.DOCUMENTS,
        modality=DOCUMENTS_MODALITY,
    )


def folder_uid(custodian: str, identity: PatientIdentity) -> str:
    """Return the UID of the folder for a patient's documents that name no study."""
    return derived_uid("folder", custodian, identity.issuer.namespace, identity.mrn)


def lock_study(conn: Connection, told: StudyTold, *, at_ms: int) -> Row[tuple[object, ...]]:
    """Return the study's row, made when it is new, locked until the transaction ends."""
    serialise(conn, "study", told.custodian_id, told.study_instance_uid)
    columns = tables.study.c
    query = select(tables.study).where(
        columns.custodian_id == told.custodian_id,
        columns.study_instance_uid == told.study_instance_uid,
    )
    row = conn.execute(query).first()
    if row is not None:
        return row
    conn.execute(
        insert(tables.study).values(
            custodian_id=told.custodian_id,
            study_instance_uid=told.study_instance_uid,
            kind=told.kind,
            authority_id=told.authority_id,
            mrn=told.mrn,
            name_match=match_form(told.patient_name),
            state=StudyState.RECEIVING.value,
            registered_at=at_ms,
            registered_day=from_milliseconds(at_ms).date().isoformat(),
            last_arrival_at=at_ms,
            **{name: getattr(told, name) for name in _STUDY_TEXT},
        )
    )
    return conn.execute(query).one()


def fill_in(conn: Connection, row: Row[tuple[object, ...]], *told: StudyTold) -> None:
    """Fill what the study's row lacks from what later objects tell; nothing is overwritten.

    The first of them that tells a thing counts.
    """
    lacking: dict[str, object] = {}
    for one in reversed(told):
        lacking |= _lacking(row, one)
    if lacking:
        columns = tables.study.c
        conn.execute(update(tables.study).where(columns.study_key == row.study_key).values(lacking))


def ensure_series(
    conn: Connection, study_key: int, told: SeriesTold, *, at_ms: int
) -> Row[tuple[object, ...]]:
    """Return a series' row, made when it is new. The study's row must be locked."""
    number_series(conn, study_key, [told], at_ms=at_ms)
    columns = tables.series.c
    query = select(tables.series).where(
        columns.study_key == study_key, columns.series_instance_uid == told.series_instance_uid
    )
    return conn.execute(query).one()


def number_series(
    conn: Connection, study_key: int, told: Iterable[SeriesTold], *, at_ms: int
) -> dict[str, int]:
    """Return the numbers of a study's series by UID; new ones are made in the order told.

    The first that is told of a series counts. The study's row must be locked.
    """
    each: dict[str, SeriesTold] = {}
    for one in told:
        each.setdefault(one.series_instance_uid, one)
    numbers = _series_numbers(conn, study_key, list(each))
    new = [one for uid, one in each.items() if uid not in numbers]
    if new:
        numbers |= _make_series(conn, study_key, new, at_ms)
    return numbers


def note_arrival(conn: Connection, study_key: int, series_no: int, *, at_ms: int) -> None:
    """Count a change of a series: it is to be sealed again, and its study is RECEIVING."""
    note_arrivals(conn, study_key, {series_no: 1}, at_ms=at_ms)


def note_arrivals(
    conn: Connection, study_key: int, changes: Mapping[int, int], *, at_ms: int
) -> None:
    """Count changes of series by their numbers, as :func:`note_arrival` counts one."""
    series, study = tables.series.c, tables.study.c
    conn.execute(
        update(tables.series)
        .where(series.study_key == study_key, series.series_no == bindparam("of_series"))
        .values(revision=series.revision + bindparam("changes"), last_arrival_at=at_ms),
        [{"of_series": series_no, "changes": times} for series_no, times in changes.items()],
    )
    conn.execute(
        update(tables.study)
        .where(study.study_key == study_key)
        .values(
            revision=study.revision + sum(changes.values()),
            last_arrival_at=at_ms,
            state=StudyState.RECEIVING.value,
        )
    )


def move_study(conn: Connection, study_key: int, *, before: StudyState, after: StudyState) -> None:
    """Move a study from one state to another.

    Raises:
        StateMoved: STUDY_MOVES does not allow it, or the study is in another state by now.
    """
    columns = tables.study.c
    moved = 0
    if after in STUDY_MOVES[before]:
        change = update(tables.study).where(
            columns.study_key == study_key, columns.state == before.value
        )
        moved = conn.execute(change.values(state=after.value)).rowcount
    if moved == 0:
        raise StateMoved("The study is not in that state.", study_key=study_key, before=before)


def settle_received(conn: Connection, custodian_id: int, study_instance_uid: str) -> None:
    """Move a study whose packs came from another tier to REPLICATED: the centre holds it."""
    columns = tables.study.c
    query = select(columns.study_key, columns.state).where(
        columns.custodian_id == custodian_id, columns.study_instance_uid == study_instance_uid
    )
    row = conn.execute(query).first()
    if row is None:
        return
    path = (StudyState.RECEIVING, StudyState.STABLE, StudyState.REPLICATED)
    for before, after in pairwise(path):
        if study_row(conn, row.study_key).state == before.value:
            move_study(conn, row.study_key, before=before, after=after)


def study_row(conn: Connection, study_key: int) -> Row[tuple[object, ...]]:
    """Return a study's row by its key."""
    return conn.execute(select(tables.study).where(tables.study.c.study_key == study_key)).one()


def series_rows(conn: Connection, study_key: int) -> list[Row[tuple[object, ...]]]:
    """Return the rows of a study's series, documents included, in the order they came."""
    columns = tables.series.c
    query = select(tables.series).where(columns.study_key == study_key)
    return list(conn.execute(query.order_by(columns.series_no)).all())


def _lacking(row: Row[tuple[object, ...]], told: StudyTold) -> dict[str, object]:
    lacking = {
        name: getattr(told, name)
        for name in _STUDY_TEXT
        if not getattr(row, name) and getattr(told, name)
    }
    if "patient_name" in lacking:
        lacking["name_match"] = match_form(told.patient_name)
    if not row.mrn and told.mrn:
        lacking |= {"mrn": told.mrn, "authority_id": told.authority_id}
    return lacking


def _series_numbers(conn: Connection, study_key: int, uids: list[str]) -> dict[str, int]:
    columns = tables.series.c
    query = select(columns.series_instance_uid, columns.series_no).where(
        columns.study_key == study_key, columns.series_instance_uid.in_(uids)
    )
    return {row.series_instance_uid: row.series_no for row in conn.execute(query)}


def _make_series(
    conn: Connection, study_key: int, new: Iterable[SeriesTold], at_ms: int
) -> dict[str, int]:
    columns = tables.series.c
    highest = select(func.max(columns.series_no)).where(columns.study_key == study_key)
    first = (conn.execute(highest).scalar() or 0) + 1
    made = dict(zip(count(first), new, strict=False))
    rows = [_series_columns(study_key, number, told, at_ms) for number, told in made.items()]
    conn.execute(insert(tables.series), rows)
    return {told.series_instance_uid: number for number, told in made.items()}


def _series_columns(
    study_key: int, series_no: int, told: SeriesTold, at_ms: int
) -> dict[str, object]:
    return {
        "study_key": study_key,
        "series_no": series_no,
        "series_instance_uid": told.series_instance_uid,
        "kind": told.kind.value,
        "registered_at": at_ms,
        "last_arrival_at": at_ms,
        **{name: getattr(told, name) for name in _SERIES_TEXT},
    }
