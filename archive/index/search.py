"""Searching: which studies, series and instances an asker finds, as he would see them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select

from archive.index import tables
from archive.index.criteria import study_conditions
from archive.index.directory import issuer_of, organisation_code
from archive.index.matching import Attributes, Level, Value, attribute_matches, uid_list
from archive.index.shown import ShownSeries, ShownStudy, shown_study
from archive.index.viewing import View, Viewer
from archive.view.stamping import apply_to_keywords
from archive.words.identity import Asker

ONLINE = "ONLINE"
"""Instance Availability (0008,0056): this tier has it."""
NEARLINE = "NEARLINE"
"""This tier can obtain it: its holder has announced it."""


@dataclass(frozen=True, slots=True)
class Match:
    """One match, the view applied."""

    attributes: Attributes
    """By DICOM keyword; the UIDs of its level and those above are always there."""
    custodian: str
    """ODS code of the trust whose record it is."""
    local_number: bool
    """False: the asker's authority has no number for the person; the issuer says whose it is."""
    availability: str

    def __repr__(self) -> str:
        """Hide the person: a repr ends in logs."""
        return f"Match(custodian={self.custodian!r}, availability={self.availability!r})"


def candidate_studies(
    conn: Connection, asker: Asker, keys: Mapping[str, str]
) -> list[tuple[int, ...]]:
    """Return groups of study keys, newest study first; each group has one Study Instance UID.

    Raises:
        NoAuthority, UnknownIssuer: as :func:`archive.index.criteria.study_conditions`.
    """
    conditions, _ = study_conditions(conn, asker, keys)
    columns = tables.study.c
    query = (
        select(columns.study_key, columns.study_instance_uid)
        .where(*conditions)
        .order_by(columns.study_date.desc(), columns.study_time.desc(), columns.study_key)
    )
    groups: dict[str, list[int]] = {}
    for row in conn.execute(query):
        groups.setdefault(row.study_instance_uid, []).append(row.study_key)
    return [tuple(keys_of_one) for keys_of_one in groups.values()]


def preferred_custody(
    conn: Connection, asker: Asker, viewer: Viewer, group: Sequence[int]
) -> tuple[ShownStudy, View] | None:
    """Return the one record that is shown of a Study Instance UID that several trusts hold.

    The asker's own custody first, then one whose person has a number with the asker, then the
    earliest; None where the overlay hides everything.
    """
    query = select(tables.study).where(tables.study.c.study_key.in_(group))
    rows = conn.execute(query.order_by(tables.study.c.study_key)).all()
    choices = [(shown_study(conn, row), viewer.view(row)) for row in rows]
    open_ones = [choice for choice in choices if choice[0].series]

    def rank(choice: tuple[ShownStudy, View]) -> tuple[bool, bool]:
        own = organisation_code(conn, choice[0].row.custodian_id) == asker.organisation
        return not own, not choice[1].local_number

    return min(open_ones, key=rank, default=None)


def matches_in(
    conn: Connection,
    asker: Asker,
    viewer: Viewer,
    group: Sequence[int],
    level: Level,
    keys: Mapping[str, str],
) -> Iterator[Match]:
    """Yield the matches that one Study Instance UID gives at a level."""
    chosen = preferred_custody(conn, asker, viewer, group)
    if chosen is None:
        return
    study, view = chosen
    wanted = {key: text for key, text in keys.items() if not _was_translated(key, text)}
    for attributes, is_here in _rows(conn, study, level):
        seen: Attributes = attributes
        if view.stamping is not None:
            seen = apply_to_keywords(view.stamping, attributes)
        if all(attribute_matches(key, text, seen) for key, text in wanted.items()):
            yield Match(
                attributes=seen,
                custodian=organisation_code(conn, study.row.custodian_id),
                local_number=view.local_number,
                availability=ONLINE if is_here else NEARLINE,
            )


def _was_translated(keyword: str, _text: str) -> bool:
    """Tell whether a key was matched in SQL, by identities instead of by its text."""
    return keyword in ("PatientID", "IssuerOfPatientID")


def _rows(
    conn: Connection, study: ShownStudy, level: Level
) -> Iterator[tuple[dict[str, Value], bool]]:
    of_study = _study_attributes(conn, study)
    if level in (Level.PATIENT, Level.STUDY):
        yield of_study, study.is_here
        return
    for series in study.series:
        of_series = of_study | _series_attributes(series)
        here = ShownStudy(study.row, (series,)).is_here
        if level is Level.SERIES:
            yield of_series, here
            continue
        for holding in series.holdings:
            member = holding.member
            of_image = {
                "SOPInstanceUID": member.sop_instance_uid,
                "SOPClassUID": member.sop_class_uid,
                "InstanceNumber": member.instance_number,
                "AvailableTransferSyntaxUID": member.transfer_syntax,
            }
            yield of_series | of_image, here


def _study_attributes(conn: Connection, study: ShownStudy) -> dict[str, Value]:
    row = study.row
    issuer = "" if row.authority_id is None else issuer_of(conn, row.authority_id).namespace
    modalities = {series.row.modality for series in study.series if series.row.modality}
    classes = {holding.member.sop_class_uid for holding in study.holdings}
    return {
        "PatientID": row.mrn,
        "IssuerOfPatientID": issuer,
        "PatientName": row.patient_name,
        "PatientBirthDate": row.birth_date,
        "PatientSex": row.sex,
        "StudyInstanceUID": row.study_instance_uid,
        "StudyDate": row.study_date,
        "StudyTime": row.study_time,
        "AccessionNumber": row.accession_number,
        "StudyID": row.study_id,
        "StudyDescription": row.description,
        "ReferringPhysicianName": row.referring_physician,
        "ModalitiesInStudy": tuple(sorted(modalities)),
        "SOPClassesInStudy": tuple(sorted(classes)),
        "NumberOfStudyRelatedSeries": len(study.series),
        "NumberOfStudyRelatedInstances": len(study.holdings),
    }


def _series_attributes(series: ShownSeries) -> dict[str, Value]:
    row = series.row
    return {
        "SeriesInstanceUID": row.series_instance_uid,
        "Modality": row.modality,
        "SeriesNumber": row.series_number,
        "SeriesDescription": row.description,
        "BodyPartExamined": row.body_part,
        "Laterality": row.laterality,
        "SeriesDate": row.series_date,
        "SeriesTime": row.series_time,
        "NumberOfSeriesRelatedInstances": len(series.holdings),
    }


def distinct_patients(matches: Iterator[Match]) -> Iterator[Match]:
    """Yield one match for each patient number and issuer, of matches at PATIENT level."""
    seen: set[tuple[Value, Value]] = set()
    for match in matches:
        key = (match.attributes["PatientID"], match.attributes["IssuerOfPatientID"])
        if key not in seen:
            seen.add(key)
            yield match


def selection_keys(study_uids: Sequence[str]) -> dict[str, str]:
    """Return the keys that select studies by UID."""
    return {"StudyInstanceUID": "\\".join(study_uids)}


def named(uids: Sequence[str], uid: str) -> bool:
    """Tell whether ``uid`` is among ``uids``, where an empty list means every one."""
    return not uids or uid in uid_list("\\".join(uids))
