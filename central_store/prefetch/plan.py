"""The plan for an arrival: the newest studies of the person that the trust does not hold.

A simple rule for now: the last N studies, newest first, documents before images, without what the
node holds or has been ordered to fetch already. A plan is made again whenever something it stands
on changes: a link, a pack that has come, an order that failed.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Connection, Row, and_, or_, select, update

from archive.clock import Clock, milliseconds
from archive.index import tables
from archive.index.copies import PackKey, copy_state
from archive.index.directory import issuer_of, organisation_code, place_id
from archive.index.engine import Index, serialise
from archive.index.journal import data_quality
from archive.index.members import unpacked_manifest
from archive.index.overlay import overlay
from archive.index.packs import packs_of
from archive.index.patients import LocalPatient, find_patient, linked
from archive.index.studies import series_rows, study_row
from archive.states import LinkState, OrderState
from archive.words.identity import PatientIdentity
from central_store.config import PrefetchSettings
from central_store.orders import count_orders, give_order, live_contents
from sync.jobs.ledger import Ledger
from sync.jobs.work import Claimed, Effect, JobClass, Work
from sync.transfer.messages import FetchOrder, FetchPack, LinkPart
from sync.transfer.telling import patient_part, series_part, state_part, states_of, study_part

KIND = "plan"
EFFECT = Effect.GUARDED

_ATTEMPTS_PER_STUDY = 20
"""Orders about one study to one node that may fail; beyond it a person looks."""

AnyRow = Row[tuple[object, ...]]


@dataclass(frozen=True, slots=True)
class Planner:
    """Turns an arrival into orders."""

    index: Index
    clock: Clock
    settings: PrefetchSettings

    def run(self, job: Claimed) -> str:
        """Plan one arrival; with nothing new to fetch it orders nothing."""
        at_ms = milliseconds(self.clock.now())
        with self.index.writing() as conn:
            arrival = _arrival(conn, int(str(job.payload["arrival_id"])))
            serialise(conn, "plan", arrival.node_id)
            if self._is_over(arrival, at_ms):
                _close(conn, arrival, at_ms)
                evidence = "the arrival is too long ago; it is closed"
            else:
                evidence = f"{self._order(conn, arrival, at_ms)} studies ordered"
            job.settle(conn, evidence)
        return evidence

    def _is_over(self, arrival: AnyRow, at_ms: int) -> bool:
        open_for = timedelta(days=self.settings.arrival_days)
        return bool(at_ms - arrival.at > round(open_for.total_seconds() * 1000))

    def _order(self, conn: Connection, arrival: AnyRow, at_ms: int) -> int:
        identity = PatientIdentity(arrival.mrn, issuer_of(conn, arrival.authority_id))
        local = find_patient(conn, identity)
        if local is None:
            return 0
        person = linked(conn, identity)
        studies = _foreign_studies(conn, arrival, person, self.settings.studies)
        _await_states(conn, studies)
        return sum(_order_study(conn, arrival, local, study, at_ms) for study in studies)


def plan_for_packs(ledger: Ledger, conn: Connection, packs: Iterable[PackKey]) -> None:
    """Open the plans of arrivals that packs which have come may serve, in their transaction."""
    for key in packs:
        study = study_row(conn, key[0])
        if study.authority_id is None or not study.mrn:
            continue
        identity = PatientIdentity(study.mrn, issuer_of(conn, study.authority_id))
        person = {patient.patient_id for patient in linked(conn, identity)}
        open_plans(ledger, conn, person, cause=f"pack:{key[0]}:{key[1]}:{key[2]}")


def open_plans(ledger: Ledger, conn: Connection, patient_ids: Iterable[int], *, cause: str) -> None:
    """Open the plan of every arrival that is open for one of these patients."""
    patients = tables.local_patient.c
    arrivals = tables.arrival.c
    query = (
        select(arrivals.id)
        .join(
            tables.local_patient,
            and_(patients.authority_id == arrivals.authority_id, patients.mrn == arrivals.mrn),
        )
        .where(patients.id.in_(set(patient_ids)), arrivals.closed_at.is_(None))
    )
    for arrival_id in conn.execute(query).scalars().all():
        open_plan(ledger, conn, arrival_id, cause=cause)


def open_plan(ledger: Ledger, conn: Connection, arrival_id: int, *, cause: str) -> None:
    """Open the plan of one arrival, because of ``cause``, which is new each time."""
    ledger.enqueue(
        conn,
        Work(
            kind=KIND,
            subject=f"arrival:{arrival_id}",
            destination="",
            job_class=JobClass.URGENT,
            idempotency_key=f"{KIND}:{arrival_id}:{cause}"[:180],
            payload={"arrival_id": arrival_id},
            wanted_by=cause[:64],
        ),
    )


def _arrival(conn: Connection, arrival_id: int) -> AnyRow:
    query = select(tables.arrival).where(tables.arrival.c.id == arrival_id)
    return conn.execute(query).one()


def _close(conn: Connection, arrival: AnyRow, at_ms: int) -> None:
    change = update(tables.arrival).where(tables.arrival.c.id == arrival.id)
    conn.execute(change.values(closed_at=at_ms))


def _foreign_studies(
    conn: Connection, arrival: AnyRow, person: Sequence[LocalPatient], limit: int
) -> list[AnyRow]:
    """Return the person's studies in other trusts' custody: folders, then the newest studies."""
    study, patient = tables.study.c, tables.local_patient.c
    own = select(tables.node.c.organisation_id).where(tables.node.c.id == arrival.node_id)
    query = (
        select(tables.study)
        .join(
            tables.local_patient,
            and_(patient.authority_id == study.authority_id, patient.mrn == study.mrn),
        )
        .where(patient.id.in_([each.patient_id for each in person]))
        .where(study.custodian_id != own.scalar_subquery())
        .where(or_(study.kind == "study", study.kind == "folder"))
        .order_by(study.study_date.desc(), study.study_time.desc(), study.study_key)
    )
    rows = conn.execute(query).all()
    folders = [row for row in rows if row.kind == "folder"]
    return folders + [row for row in rows if row.kind == "study"][:limit]


def _await_states(conn: Connection, studies: Sequence[AnyRow]) -> None:
    """See to it that a state that is told meanwhile finds the orders, or is in them.

    All locks come before the first order: whoever tells of a state takes them in that sequence.
    """
    for custodian in sorted({organisation_code(conn, study.custodian_id) for study in studies}):
        serialise(conn, "states", custodian)


def _order_study(
    conn: Connection, arrival: AnyRow, local: LocalPatient, study: AnyRow, at_ms: int
) -> int:
    """Order what a node lacks of a study; return whether anything was ordered."""
    packs = _lacking(conn, arrival.node_id, study)
    if not packs:
        return 0
    uid = study.study_instance_uid
    failed = count_orders(conn, arrival.node_id, uid, state=OrderState.FAILED)
    if failed >= _ATTEMPTS_PER_STUDY:
        _give_up(conn, study, at_ms)
        return 0
    body = _body(conn, local, study, packs, at_ms)
    number = count_orders(conn, arrival.node_id, uid)
    given = give_order(
        conn,
        node_id=arrival.node_id,
        subject=uid,
        order_class="prefetch",
        body=body,
        key=f"fetch:{study.study_key}:{number}",
        at_ms=at_ms,
        arrival_id=arrival.id,
        deadline_ms=arrival.deadline,
    )
    return int(given)


def _body(
    conn: Connection, local: LocalPatient, study: AnyRow, packs: Sequence[AnyRow], at_ms: int
) -> FetchOrder:
    series = {row.series_no: row for row in series_rows(conn, study.study_key)}
    foreign_identity = PatientIdentity(study.mrn, issuer_of(conn, study.authority_id))
    foreign = find_patient(conn, foreign_identity) or LocalPatient(foreign_identity)
    uids = {uid for pack in packs for uid in _uids(pack)}
    return FetchOrder(
        custodian=organisation_code(conn, study.custodian_id),
        study=study_part(conn, study),
        packs=tuple(
            FetchPack(
                content=pack.content_id.hex(),
                encoding=pack.encoding_id.hex(),
                length=pack.length,
                kind=pack.kind,
                series=series_part(series[pack.series_no]),
            )
            for pack in packs
        ),
        links=(
            LinkPart(
                local=patient_part(conn, local),
                foreign=patient_part(conn, foreign),
                state=LinkState.CONFIRMED.value,
                at_ms=at_ms,
            ),
        ),
        states=tuple(map(state_part, states_of(conn, study.custodian_id, uids))),
    )


def _lacking(conn: Connection, node_id: int, study: AnyRow) -> list[AnyRow]:
    """Return the held packs of a study that a node neither has nor is fetching, reports first."""
    name = conn.execute(select(tables.node.c.name).where(tables.node.c.id == node_id)).scalar_one()
    place = place_id(conn, kind="node", name=name)
    under_way = live_contents(conn, node_id, study.study_instance_uid)
    found = [
        pack
        for pack in packs_of(conn, study.study_key)
        if pack.encoding_id is not None
        and pack.content_id.hex() not in under_way
        and copy_state(conn, (pack.study_key, pack.series_no, pack.pack_no), place=place) is None
        and _shows_anything(conn, study.custodian_id, pack)
    ]
    return sorted(found, key=lambda pack: pack.kind != "documents")


def _shows_anything(conn: Connection, custodian_id: int, pack: AnyRow) -> bool:
    members = unpacked_manifest(pack.manifest).members
    said = overlay(conn, custodian_id, [member.sop_instance_uid for member in members])
    return any(said.of(member.sop_instance_uid, member.sha256).is_open for member in members)


def _uids(pack: AnyRow) -> set[str]:
    return {member.sop_instance_uid for member in unpacked_manifest(pack.manifest).members}


def _give_up(conn: Connection, study: AnyRow, at_ms: int) -> None:
    data_quality(
        conn,
        organisation=organisation_code(conn, study.custodian_id),
        code="PREFETCH_GIVEN_UP",
        sentence="A study was ordered again and again and never arrived.",
        subject=study.study_instance_uid,
        at_ms=at_ms,
    )
