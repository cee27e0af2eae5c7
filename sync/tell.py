"""Telling the centre facts of this trust: patients, arrivals, states."""

from dataclasses import dataclass

from sqlalchemy import Connection, func, insert, select, update

from archive.errors import NotFound
from archive.index import tables
from archive.index.directory import ensure_organisation, issuer_of
from archive.index.engine import Index
from archive.index.overlay import states_after
from archive.index.patients import find_patient, patients_by_id
from archive.words.identity import PatientIdentity
from sync.jobs.ledger import Ledger
from sync.jobs.work import Claimed, Effect, JobClass, Work
from sync.transfer.messages import ArrivalMessage, PatientPart, PatientsMessage, StatesMessage
from sync.transfer.peer import Centre
from sync.transfer.telling import issuer_part, patient_part, state_part

PATIENT = "tell_patient"
ARRIVAL = "tell_arrival"
STATES = "tell_states"
EFFECT = Effect.IDEMPOTENT

_CENTRE = "centre"
_STATES_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Telling:
    """Carries facts to the centre; each may be told again and changes nothing twice."""

    index: Index
    centre: Centre
    organisation: str
    """ODS code of this node's trust."""
    node: str
    """Name of this node, which numbers the trust's states."""

    def patient(self, job: Claimed) -> str:
        """Tell of one local patient as the PAS has it now."""
        self._tell_patient(job, int(str(job.payload["patient_id"])))
        return "told"

    def _tell_patient(self, job: Claimed, patient_id: int) -> None:
        """Tell of a patient until the record is still what was told.

        Another worker may tell of a later record meanwhile, and this one's would overwrite it.
        """
        told: PatientPart | None = None
        while (part := self._patient(patient_id)) != told:
            job.check()
            self.centre.tell_patients(PatientsMessage(patients=(part,)))
            told = part

    def _patient(self, patient_id: int) -> PatientPart:
        with self.index.reading() as conn:
            found = patients_by_id(conn, {patient_id})
            if not found:
                raise NotFound("The patient's record is gone.", patient_id=patient_id)
            return patient_part(conn, found[0])

    def arrival(self, job: Claimed) -> str:
        """Tell of an arrival, and of the patient before it, whatever order the jobs run in."""
        arrival_id = int(str(job.payload["arrival_id"]))
        with self.index.reading() as conn:
            row = conn.execute(
                select(tables.arrival).where(tables.arrival.c.id == arrival_id)
            ).one()
            issuer = issuer_of(conn, row.authority_id)
            patient = find_patient(conn, PatientIdentity(row.mrn, issuer))
            message = ArrivalMessage(
                issuer=issuer_part(conn, issuer),
                mrn=row.mrn,
                event=row.event,
                message_key=row.message_key,
                at_ms=row.at,
            )
        if patient is not None:
            self._tell_patient(job, patient.patient_id)
        self.centre.tell_arrival(message)
        return f"arrival {row.event} told"

    def states(self, job: Claimed) -> str:
        """Tell of every state since the last that was told."""
        told = 0
        while True:
            job.check()
            with self.index.reading() as conn:
                after = _told_until(conn, self.organisation)
                rows = states_after(
                    conn,
                    custodian=self.organisation,
                    numbered_by=self.node,
                    seq=after,
                    limit=_STATES_AT_ONCE,
                )
            if not rows:
                return f"{told} states told"
            message = StatesMessage(
                custodian=self.organisation, states=tuple(map(state_part, rows))
            )
            self.centre.tell_states(message)
            with self.index.writing() as conn:
                _note_told(conn, self.organisation, rows[-1].seq)
            told += len(rows)


def open_patient(ledger: Ledger, conn: Connection, patient_id: int) -> None:
    """Open the job that tells of a patient, in the transaction that changed it."""
    columns = tables.local_patient.c
    row = conn.execute(
        select(columns.updated_at, func.count(tables.job.c.id).label("before"))
        .outerjoin(tables.job, tables.job.c.subject == f"patient:{patient_id}")
        .where(columns.id == patient_id)
        .group_by(columns.updated_at)
    ).one()
    ledger.enqueue(
        conn,
        Work(
            kind=PATIENT,
            subject=f"patient:{patient_id}",
            destination=_CENTRE,
            job_class=JobClass.URGENT,
            idempotency_key=f"{PATIENT}:{patient_id}:{row.updated_at}:{row.before}",
            payload={"patient_id": patient_id},
        ),
    )


def open_arrival(
    ledger: Ledger,
    conn: Connection,
    *,
    node_id: int,
    authority_id: int,
    mrn: str,
    event: str,
    message_key: str,
    at_ms: int,
) -> None:
    """Write an arrival and open the job that tells of it; the same message again does nothing."""
    columns = tables.arrival.c
    known = select(columns.id).where(columns.node_id == node_id, columns.message_key == message_key)
    if conn.execute(known).first() is not None:
        return
    conn.execute(
        insert(tables.arrival).values(
            node_id=node_id,
            authority_id=authority_id,
            mrn=mrn,
            event=event,
            message_key=message_key,
            at=at_ms,
            deadline=at_ms,
        )
    )
    arrival_id = conn.execute(known).scalar_one()
    ledger.enqueue(
        conn,
        Work(
            kind=ARRIVAL,
            subject=f"arrival:{arrival_id}",
            destination=_CENTRE,
            job_class=JobClass.URGENT,
            idempotency_key=f"{ARRIVAL}:{arrival_id}",
            payload={"arrival_id": arrival_id},
        ),
    )


def open_states(ledger: Ledger, conn: Connection, *, organisation: str, node: str) -> None:
    """Open the job that tells of new states, in the transaction that wrote them."""
    newest = _newest_state(conn, organisation, node)
    if newest:
        ledger.enqueue(conn, _states_work(organisation, newest))


def reopen_states(ledger: Ledger, conn: Connection, *, organisation: str, node: str) -> None:
    """Let states that were never told be told after all, whatever ended the job that should have.

    Called when a worker starts: a rejection must not wait for somebody to find a FAILED job.
    """
    newest = _newest_state(conn, organisation, node)
    if newest > _told_until(conn, organisation):
        ledger.enqueue(conn, _states_work(organisation, newest), reopen=True)


def _newest_state(conn: Connection, organisation: str, node: str) -> int:
    columns = tables.instance_state.c
    custodian_id = ensure_organisation(conn, organisation)
    own = (columns.custodian_id == custodian_id, columns.numbered_by == node)
    return int(conn.execute(select(func.max(columns.seq)).where(*own)).scalar() or 0)


def _states_work(organisation: str, newest: int) -> Work:
    return Work(
        kind=STATES,
        subject=f"states:{organisation}",
        destination=_CENTRE,
        job_class=JobClass.URGENT,
        idempotency_key=f"{STATES}:{organisation}:{newest}",
    )


def _name(organisation: str) -> str:
    return f"states_told:{organisation}"


def _told_until(conn: Connection, organisation: str) -> int:
    columns = tables.setting.c
    query = select(columns.value).where(columns.name == _name(organisation))
    return int(conn.execute(query).scalar() or b"0")


def _note_told(conn: Connection, organisation: str, seq: int) -> None:
    columns = tables.setting.c
    value = str(seq).encode()
    change = update(tables.setting).where(columns.name == _name(organisation))
    if conn.execute(change.values(value=value)).rowcount == 0:
        conn.execute(insert(tables.setting).values(name=_name(organisation), value=value))
