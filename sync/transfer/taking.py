"""From messages to rows: what one tier takes over from another."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, select, update

from archive.errors import DigestMismatch, MalformedMessage
from archive.index import tables
from archive.index.aliases import save_alias
from archive.index.copies import PackKey
from archive.index.directory import ensure_authority, ensure_organisation
from archive.index.overlay import StateRow, take_state
from archive.index.packs import announce_pack, lacking_digests
from archive.index.patients import Link, LocalPatient, find_patient, save_link, save_patient
from archive.index.studies import (
    SeriesTold,
    StudyTold,
    ensure_series,
    fill_in,
    lock_study,
)
from archive.states import LinkState
from archive.store.manifest import Manifest, PackKind
from archive.store.origin import Origin
from archive.words.identity import AuthorityKind, Issuer, PatientIdentity
from archive.words.objects import parse_sha256
from sync.transfer.messages import (
    AnnouncementMessage,
    IssuerPart,
    LinkPart,
    PackPart,
    PatientPart,
    SeriesPart,
    StatePart,
    StudyPart,
)

_CENTRE = "CENTRE"
"""Kind of a link at a node: the centre holds the evidence."""


@dataclass(frozen=True, slots=True)
class Announced:
    """An announcement as it was taken."""

    packs: tuple[PackKey, ...]
    """In the announcement's order."""
    lacking: tuple[bytes, ...]
    """Digests that are not held here."""
    wanted: tuple[bytes, ...]
    """Contents of the packs that hold any of them."""


@dataclass(frozen=True, slots=True)
class ReadPack:
    """An announced pack whose manifest and origin were read and fit its content id."""

    manifest: Manifest
    origin: Origin


def read_pack(part: PackPart, *, custodian: str, study: str, series: str) -> ReadPack:
    """Return an announced pack's manifest and origin.

    Raises:
        PackMalformed: either does not have its form.
        DigestMismatch: the manifest's SHA-256 is not the content id.
        MalformedMessage: the pack is of another custodian, study or series than is announced.
    """
    manifest = Manifest.parse(part.manifest.encode())
    origin = Origin.parse(part.origin.encode())
    if hashlib.sha256(part.manifest.encode()).hexdigest() != part.content:
        raise DigestMismatch("A manifest does not have its content id.", content=part.content)
    named = (manifest.study_instance_uid, manifest.series_instance_uid, origin.custodian)
    if named != (study, series, custodian):
        raise MalformedMessage("A pack is not of the series announced.", content=part.content)
    return ReadPack(manifest, origin)


def take_announcement(
    conn: Connection, message: AnnouncementMessage, packs: Iterable[ReadPack], *, at_ms: int
) -> Announced:
    """Write an announced series and its packs, states first; saying it again changes nothing."""
    take_states(conn, message.custodian, message.states)
    study_key, custodian_id = take_study(conn, message.custodian, message.study, at_ms=at_ms)
    series_no = take_series(conn, study_key, message.series, at_ms=at_ms)
    keys: list[PackKey] = []
    lacking: list[bytes] = []
    wanted: list[bytes] = []
    for pack in packs:
        keys.append(
            announce_pack(
                conn,
                study_key=study_key,
                series_no=series_no,
                custodian_id=custodian_id,
                manifest=pack.manifest,
                origin=pack.origin,
                at_ms=at_ms,
            )
        )
        missing = lacking_digests(conn, custodian_id, pack.manifest)
        lacking += sorted({sha256 for _, _, sha256 in missing})
        wanted += [pack.manifest.content_id] if missing else []
    return Announced(tuple(keys), tuple(dict.fromkeys(lacking)), tuple(wanted))


def take_study(conn: Connection, custodian: str, part: StudyPart, *, at_ms: int) -> tuple[int, int]:
    """Write a study told by another tier; return its key and its custodian's row."""
    custodian_id = ensure_organisation(conn, custodian)
    told = StudyTold(
        custodian=custodian,
        custodian_id=custodian_id,
        study_instance_uid=part.study_instance_uid,
        authority_id=None if part.issuer is None else take_issuer(conn, part.issuer),
        mrn=part.mrn,
        kind=part.kind,
        patient_name=part.patient_name,
        birth_date=part.birth_date,
        sex=part.sex,
        study_date=part.study_date,
        study_time=part.study_time,
        accession_number=part.accession_number,
        study_id=part.study_id,
        description=part.description,
        referring_physician=part.referring_physician,
    )
    row = lock_study(conn, told, at_ms=at_ms)
    fill_in(conn, row, told)
    issuer_id = _take_accession_issuer(conn, row.study_key, part)
    save_alias(
        conn,
        custodian=custodian,
        custodian_id=custodian_id,
        issuer_id=issuer_id,
        accession_number=part.accession_number,
    )
    return row.study_key, custodian_id


def take_series(conn: Connection, study_key: int, part: SeriesPart, *, at_ms: int) -> int:
    """Write a series told by another tier; return its number within the study."""
    told = SeriesTold(
        series_instance_uid=part.series_instance_uid,
        kind=PackKind(part.kind),
        modality=part.modality,
        series_number=part.series_number,
        description=part.description,
        body_part=part.body_part,
        laterality=part.laterality,
        series_date=part.series_date,
        series_time=part.series_time,
    )
    return int(ensure_series(conn, study_key, told, at_ms=at_ms).series_no)


def take_states(
    conn: Connection, custodian: str, states: Iterable[StatePart]
) -> tuple[StatePart, ...]:
    """Write states as their custodian numbered them; return those that were news."""
    news = []
    for part in states:
        row = StateRow(
            sop_instance_uid=part.sop_instance_uid,
            sha256=parse_sha256(part.sha256) if part.sha256 else b"",
            state=part.state,
            serves=part.serves,
            code=part.code,
            actor=part.actor,
            at_ms=part.at_ms,
            numbered_by=part.numbered_by,
            seq=part.seq,
        )
        if take_state(conn, custodian=custodian, row=row):
            news.append(part)
    return tuple(news)


def take_patient(conn: Connection, part: PatientPart, *, at_ms: int) -> LocalPatient:
    """Write a local patient as another tier tells; return it with its row id."""
    take_issuer(conn, part.issuer)
    patient = LocalPatient(
        identity=told_identity(part),
        name=part.name,
        birth_date=part.birth_date,
        sex=part.sex,
        postcode=part.postcode,
        nhs_number=part.nhs_number,
        nhs_status=part.nhs_status,
        active=part.active,
    )
    return save_patient(conn, patient, at_ms=at_ms)


def take_links(conn: Connection, links: Iterable[LinkPart], *, at_ms: int) -> None:
    """Write what the centre holds of people; the own PAS's record is never overwritten.

    What the centre said later stands, in whatever order its messages are taken.
    """
    for part in links:
        local = find_patient(conn, told_identity(part.local))
        if local is None:
            local = take_patient(conn, part.local, at_ms=at_ms)
        foreign = take_patient(conn, part.foreign, at_ms=at_ms)
        if _said_later(conn, local.patient_id, foreign.patient_id, part.at_ms):
            continue
        link = Link(
            patient_a=local.patient_id,
            patient_b=foreign.patient_id,
            kind=_CENTRE,
            state=LinkState(part.state),
            actor="centre",
        )
        save_link(conn, link, at_ms=part.at_ms)


def _said_later(conn: Connection, one: int, other: int, at_ms: int) -> bool:
    columns = tables.identity_link.c
    query = select(columns.at).where(
        columns.patient_a == min(one, other), columns.patient_b == max(one, other)
    )
    said = conn.execute(query).scalar()
    return said is not None and said > at_ms


def take_issuer(conn: Connection, part: IssuerPart) -> int:
    """Return the row of an assigning authority, made when it is new here."""
    return ensure_authority(conn, issuer_in(part), kind=AuthorityKind(part.kind), oid=part.oid)


def told_identity(part: PatientPart) -> PatientIdentity:
    """Return whose record a message tells of."""
    return PatientIdentity(part.mrn, issuer_in(part.issuer))


def issuer_in(part: IssuerPart) -> Issuer:
    """Return the assigning authority that a message names."""
    return Issuer(organisation=part.organisation, namespace=part.namespace)


def _take_accession_issuer(conn: Connection, study_key: int, part: StudyPart) -> int | None:
    if part.accession_issuer is None:
        return None
    issuer_id = take_issuer(conn, part.accession_issuer)
    columns = tables.study.c
    change = update(tables.study).where(columns.study_key == study_key)
    conn.execute(change.values(accession_issuer_id=issuer_id))
    return issuer_id
