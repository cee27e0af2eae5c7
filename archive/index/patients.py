"""Local patients and the links between them. Nothing else says who is the same person."""

from dataclasses import dataclass, replace

from sqlalchemy import Connection, Row, insert, or_, select, update

from archive.index import tables
from archive.index.directory import authority_id, ensure_authority, issuer_of
from archive.index.engine import serialise
from archive.states import LinkState
from archive.words.identity import Issuer, PatientIdentity
from archive.words.person_names import match_form


@dataclass(frozen=True, slots=True)
class LocalPatient:
    """One patient of one assigning authority, as that authority's PAS tells."""

    identity: PatientIdentity
    name: str = ""
    """Person name in DICOM's form (PS3.5 Section 6.2, PN)."""
    birth_date: str = ""
    """As sent: YYYYMMDD, or shorter where the feed knows no more."""
    sex: str = ""
    """M, F, O or empty (PS3.3 Section C.7.1.1)."""
    postcode: str = ""
    nhs_number: str = ""
    """Ten digits, or empty."""
    nhs_status: str = ""
    """``01`` to ``08``, or empty."""
    active: bool = True
    patient_id: int = 0
    """Row id; 0 before it is saved."""

    def __repr__(self) -> str:
        """Hide the person: a repr ends in logs."""
        return f"LocalPatient(patient_id={self.patient_id}, issuer={self.identity.issuer!r})"


@dataclass(frozen=True, slots=True)
class Link:
    """An edge between two local patients."""

    patient_a: int
    patient_b: int
    kind: str
    state: LinkState
    rule: str = ""
    evidence: str = ""
    actor: str = ""


def save_patient(conn: Connection, patient: LocalPatient, *, at_ms: int) -> LocalPatient:
    """Write a patient as told now, and return it with its row id."""
    authority = ensure_authority(conn, patient.identity.issuer)
    serialise(conn, "patient", authority, patient.identity.mrn)
    says = {
        "name": patient.name,
        "name_match": match_form(patient.name),
        "birth_date": patient.birth_date,
        "sex": patient.sex,
        "postcode": patient.postcode,
        "nhs_number": patient.nhs_number,
        "nhs_status": patient.nhs_status,
        "active": patient.active,
        "updated_at": at_ms,
    }
    columns = tables.local_patient.c
    known = find_patient(conn, patient.identity)
    if known is not None:
        change = update(tables.local_patient).where(columns.id == known.patient_id)
        conn.execute(change.values(says))
        return replace(patient, patient_id=known.patient_id)
    made = insert(tables.local_patient).values(
        authority_id=authority, mrn=patient.identity.mrn, **says
    )
    conn.execute(made)
    query = select(columns.id).where(
        columns.authority_id == authority, columns.mrn == patient.identity.mrn
    )
    return replace(patient, patient_id=int(conn.execute(query).scalar_one()))


def find_patient(conn: Connection, identity: PatientIdentity) -> LocalPatient | None:
    """Return the patient with that number, or None."""
    columns = tables.local_patient.c
    row = conn.execute(
        select(tables.local_patient)
        .join(tables.assigning_authority, columns.authority_id == tables.assigning_authority.c.id)
        .join(
            tables.organisation,
            tables.assigning_authority.c.organisation_id == tables.organisation.c.id,
        )
        .where(
            columns.mrn == identity.mrn,
            tables.assigning_authority.c.namespace == identity.issuer.namespace,
            tables.organisation.c.ods_code == identity.issuer.organisation,
        )
    ).first()
    return None if row is None else _patient(conn, row)


def patients_with_nhs_number(conn: Connection, nhs_number: str) -> list[LocalPatient]:
    """Return the active patients that carry an NHS number, in the order of their rows."""
    columns = tables.local_patient.c
    query = select(tables.local_patient).where(
        columns.nhs_number == nhs_number, columns.active.is_(True)
    )
    return [_patient(conn, row) for row in conn.execute(query.order_by(columns.id)).all()]


def patients_by_id(conn: Connection, patient_ids: set[int]) -> list[LocalPatient]:
    """Return patients by row id, in the order of their rows."""
    columns = tables.local_patient.c
    query = select(tables.local_patient).where(columns.id.in_(patient_ids)).order_by(columns.id)
    return [_patient(conn, row) for row in conn.execute(query).all()]


def patients_like(conn: Connection, issuer: Issuer, pattern: str) -> list[LocalPatient]:
    r"""Return an authority's patients whose number matches an SQL LIKE pattern (escape ``\``)."""
    columns = tables.local_patient.c
    query = select(tables.local_patient).where(
        columns.authority_id == authority_id(conn, issuer), columns.mrn.like(pattern, escape="\\")
    )
    return [_patient(conn, row) for row in conn.execute(query.order_by(columns.id)).all()]


def component(conn: Connection, patient_id: int) -> set[int]:
    """Return the row ids of a person: what CONFIRMED edges reach, itself included."""
    known, fresh = {patient_id}, {patient_id}
    while fresh:
        fresh = _neighbours(conn, fresh) - known
        known |= fresh
    return known


def linked(conn: Connection, identity: PatientIdentity) -> list[LocalPatient]:
    """Return every local patient of the person who has this number; empty when unknown."""
    patient = find_patient(conn, identity)
    if patient is None:
        return []
    return patients_by_id(conn, component(conn, patient.patient_id))


def save_link(conn: Connection, link: Link, *, at_ms: int) -> None:
    """Write an edge as decided now; an earlier decision about the pair is replaced."""
    low, high = sorted((link.patient_a, link.patient_b))
    says = {
        "kind": link.kind,
        "state": link.state.value,
        "rule": link.rule,
        "evidence": link.evidence,
        "actor": link.actor,
        "at": at_ms,
    }
    columns = tables.identity_link.c
    serialise(conn, "link", low, high)
    pair = (columns.patient_a == low, columns.patient_b == high)
    if conn.execute(update(tables.identity_link).where(*pair).values(says)).rowcount == 0:
        conn.execute(insert(tables.identity_link).values(patient_a=low, patient_b=high, **says))


def links_of(conn: Connection, patient_ids: set[int]) -> list[Link]:
    """Return every edge that touches one of the patients, whatever its state."""
    columns = tables.identity_link.c
    query = select(tables.identity_link).where(
        or_(columns.patient_a.in_(patient_ids), columns.patient_b.in_(patient_ids))
    )
    return [
        Link(
            patient_a=row.patient_a,
            patient_b=row.patient_b,
            kind=row.kind,
            state=LinkState(row.state),
            rule=row.rule,
            evidence=row.evidence,
            actor=row.actor,
        )
        for row in conn.execute(query.order_by(columns.id)).all()
    ]


def _neighbours(conn: Connection, patient_ids: set[int]) -> set[int]:
    return {
        end
        for link in links_of(conn, patient_ids)
        if link.state is LinkState.CONFIRMED
        for end in (link.patient_a, link.patient_b)
    }


def _patient(conn: Connection, row: Row[tuple[object, ...]]) -> LocalPatient:
    return LocalPatient(
        identity=PatientIdentity(mrn=row.mrn, issuer=issuer_of(conn, row.authority_id)),
        name=row.name,
        birth_date=row.birth_date,
        sex=row.sex,
        postcode=row.postcode,
        nhs_number=row.nhs_number,
        nhs_status=row.nhs_status,
        active=row.active,
        patient_id=row.id,
    )
