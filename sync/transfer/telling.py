"""From rows to messages: what one tier tells another."""

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, Row, select

from archive.index import tables
from archive.index.copies import PackKey
from archive.index.directory import (
    authority_facts,
    authority_id,
    issuer_of,
    organisation_code,
)
from archive.index.members import unpacked_manifest
from archive.index.overlay import StateRow
from archive.index.packs import pack_row
from archive.index.patients import LocalPatient
from archive.index.studies import study_row
from archive.states import InstanceState
from archive.words.identity import Issuer
from sync.transfer.messages import (
    AnnouncementMessage,
    IssuerPart,
    PackPart,
    PatientPart,
    SeriesPart,
    StatePart,
    StudyPart,
)

AnyRow = Row[tuple[object, ...]]


def announcement(conn: Connection, packs: Sequence[PackKey]) -> AnnouncementMessage:
    """Return what is announced of some packs of one series, with the states of their members."""
    rows = [pack_row(conn, key) for key in packs]
    study = study_row(conn, packs[0][0])
    uids = {
        member.sop_instance_uid
        for row in rows
        for member in unpacked_manifest(row.manifest).members
    }
    return AnnouncementMessage(
        custodian=organisation_code(conn, study.custodian_id),
        study=study_part(conn, study),
        series=series_part(_series(conn, packs[0])),
        packs=tuple(pack_part(row) for row in rows),
        states=tuple(map(state_part, states_of(conn, study.custodian_id, uids))),
    )


def study_part(conn: Connection, row: AnyRow) -> StudyPart:
    """Return what is told of a study's row."""
    return StudyPart(
        study_instance_uid=row.study_instance_uid,
        kind=row.kind,
        issuer=_issuer_or_none(conn, row.authority_id),
        mrn=row.mrn,
        patient_name=row.patient_name,
        birth_date=row.birth_date,
        sex=row.sex,
        study_date=row.study_date,
        study_time=row.study_time,
        accession_number=row.accession_number,
        accession_issuer=_issuer_or_none(conn, row.accession_issuer_id),
        study_id=row.study_id,
        description=row.description,
        referring_physician=row.referring_physician,
    )


def series_part(row: AnyRow) -> SeriesPart:
    """Return what is told of a series' row."""
    return SeriesPart(
        series_instance_uid=row.series_instance_uid,
        kind=row.kind,
        modality=row.modality,
        series_number=row.series_number,
        description=row.description,
        body_part=row.body_part,
        laterality=row.laterality,
        series_date=row.series_date,
        series_time=row.series_time,
    )


def pack_part(row: AnyRow) -> PackPart:
    """Return what is told of a pack's row."""
    manifest = unpacked_manifest(row.manifest).canonical().decode()
    return PackPart(content=row.content_id.hex(), manifest=manifest, origin=row.origin)


def state_part(row: StateRow) -> StatePart:
    """Return a state as it travels."""
    return StatePart(
        sop_instance_uid=row.sop_instance_uid,
        sha256=row.sha256.hex(),
        state=row.state,
        serves=row.serves,
        code=row.code,
        actor=row.actor,
        at_ms=row.at_ms,
        numbered_by=row.numbered_by,
        seq=row.seq,
    )


def patient_part(conn: Connection, patient: LocalPatient) -> PatientPart:
    """Return what is told of a local patient."""
    return PatientPart(
        issuer=issuer_part(conn, patient.identity.issuer),
        mrn=patient.identity.mrn,
        name=patient.name,
        birth_date=patient.birth_date,
        sex=patient.sex,
        postcode=patient.postcode,
        nhs_number=patient.nhs_number,
        nhs_status=patient.nhs_status,
        active=patient.active,
    )


def issuer_part(conn: Connection, issuer: Issuer) -> IssuerPart:
    """Return an assigning authority as it travels."""
    kind, oid = authority_facts(conn, authority_id(conn, issuer))
    return IssuerPart(
        organisation=issuer.organisation, namespace=issuer.namespace, kind=kind.value, oid=oid
    )


def states_of(
    conn: Connection, custodian_id: int, sop_instance_uids: Iterable[str]
) -> list[StateRow]:
    """Return the overlay's rows of some instances of a custodian, in the order of their numbers."""
    columns = tables.instance_state.c
    uids = sorted(set(sop_instance_uids))
    found = []
    for start in range(0, len(uids), 500):
        query = select(tables.instance_state).where(
            columns.custodian_id == custodian_id,
            columns.sop_instance_uid.in_(uids[start : start + 500]),
        )
        found += [_state_row(row) for row in conn.execute(query)]
    return sorted(found, key=lambda row: (row.numbered_by, row.seq))


def _state_row(row: AnyRow) -> StateRow:
    return StateRow(
        sop_instance_uid=row.sop_instance_uid,
        sha256=row.sha256,
        state=InstanceState(row.state),
        serves=row.serves,
        code=row.code,
        actor=row.actor,
        at_ms=row.at,
        numbered_by=row.numbered_by,
        seq=row.seq,
    )


def _issuer_or_none(conn: Connection, authority: int | None) -> IssuerPart | None:
    return None if authority is None else issuer_part(conn, issuer_of(conn, authority))


def _series(conn: Connection, pack: PackKey) -> AnyRow:
    columns = tables.series.c
    query = select(tables.series).where(columns.study_key == pack[0], columns.series_no == pack[1])
    return conn.execute(query).one()
