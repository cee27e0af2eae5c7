"""The life of a study on one tier, from rows: what happened when, and by what evidence."""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, Row, select

from archive.errors import NotFound
from archive.index import tables
from archive.index.members import holdings_of, unpacked_manifest
from archive.words.uids import parse_uid

AnyRow = Row[tuple[object, ...]]


@dataclass(frozen=True, slots=True)
class LifeEvent:
    """One line of a study's life."""

    at_ms: int
    what: str
    evidence: str
    """Counts, digests and keys; never a patient."""


def life_of(conn: Connection, uid: str) -> list[LifeEvent]:
    """Return the life of a study, by its own UID or that of a series or instance of it, in order.

    Raises:
        InvalidUid: not a UID.
        NotFound: this tier has never heard of it.
    """
    study_uid = _study_uid(conn, parse_uid(uid))
    columns = tables.study.c
    studies = conn.execute(
        select(tables.study).where(columns.study_instance_uid == study_uid)
    ).all()
    events = [event for study in studies for event in _of_study(conn, study)]
    events += _of_jobs(conn, study_uid)
    events += _of_orders(conn, study_uid)
    events += _of_deliveries(conn, study_uid)
    if not events:
        raise NotFound("This tier has never heard of it.", uid=uid)
    return sorted(events, key=lambda event: event.at_ms)


def _study_uid(conn: Connection, uid: str) -> str:
    study, series = tables.study.c, tables.series.c
    by_series = (
        select(study.study_instance_uid)
        .join(tables.series, series.study_key == study.study_key)
        .where(series.series_instance_uid == uid)
    )
    found = conn.execute(by_series).scalar()
    if found is not None:
        return str(found)
    for holding in holdings_of(conn, uid):
        query = select(study.study_instance_uid).where(study.study_key == holding.study_key)
        return str(conn.execute(query).scalar_one())
    return uid


def _of_study(conn: Connection, study: AnyRow) -> Iterator[LifeEvent]:
    organisation = tables.organisation.c
    custodian = conn.execute(
        select(organisation.ods_code).where(organisation.id == study.custodian_id)
    ).scalar_one()
    evidence = f"custodian {custodian}, now {study.state}"
    yield LifeEvent(study.registered_at, "study first seen", evidence)
    yield from _of_packs(conn, study)
    yield from _of_copies(conn, study)
    yield from _of_documents(conn, study)
    yield from _of_states(conn, study)


def _of_packs(conn: Connection, study: AnyRow) -> Iterator[LifeEvent]:
    columns = tables.pack.c
    query = select(tables.pack).where(columns.study_key == study.study_key)
    for row in conn.execute(query).all():
        name = f"{row.kind} pack {row.content_id.hex()[:16]}"
        counted = f"{row.instance_count} objects, {row.octets} octets"
        if row.held_at is None:
            yield LifeEvent(row.sealed_at, "announced", f"{name}, {counted}")
            continue
        withheld = ", withheld: it does not leave the trust" if row.withheld else ""
        encoding = f"encoding {row.encoding_id.hex()[:16]}, {row.length} octets"
        yield LifeEvent(row.held_at, "pack held", f"{name}, {counted}, {encoding}{withheld}")


def _of_copies(conn: Connection, study: AnyRow) -> Iterator[LifeEvent]:
    copies, place = tables.copy.c, tables.place.c
    query = (
        select(copies.at, copies.state, place.kind, place.name, copies.series_no, copies.pack_no)
        .join(tables.place, copies.place_id == place.id)
        .where(copies.study_key == study.study_key)
    )
    for row in conn.execute(query):
        where = "the centre" if row.kind == "centre" else f"{row.kind} {row.name}"
        yield LifeEvent(
            row.at, f"copy {row.state}", f"at {where}, pack {row.series_no}.{row.pack_no}"
        )


def _of_documents(conn: Connection, study: AnyRow) -> Iterator[LifeEvent]:
    columns = tables.document.c
    query = select(tables.document).where(columns.study_key == study.study_key)
    for row in conn.execute(query):
        evidence = (
            f"{row.media_type}, status {row.report_status or 'none'}, {row.sha256.hex()[:16]}"
        )
        yield LifeEvent(row.received_at, "report received", evidence)


def _of_states(conn: Connection, study: AnyRow) -> Iterator[LifeEvent]:
    packs = tables.pack.c
    query = select(packs.manifest).where(packs.study_key == study.study_key)
    uids = {
        member.sop_instance_uid
        for manifest in conn.execute(query).scalars()
        for member in unpacked_manifest(manifest).members
    }
    loose = tables.instance.c
    uids |= set(
        conn.execute(
            select(loose.sop_instance_uid).where(loose.study_key == study.study_key)
        ).scalars()
    )
    columns = tables.instance_state.c
    states = select(tables.instance_state).where(columns.custodian_id == study.custodian_id)
    for row in conn.execute(states):
        if row.sop_instance_uid in uids:
            evidence = f"{row.sop_instance_uid}, {row.code}, number {row.seq}, by {row.actor}"
            yield LifeEvent(row.at, f"instance {row.state}", evidence)


def _of_jobs(conn: Connection, study_uid: str) -> Iterator[LifeEvent]:
    job, event = tables.job.c, tables.job_event.c
    query = (
        select(event.at, event.state, event.evidence, job.id, job.kind)
        .join(tables.job, event.job_id == job.id)
        .where(job.subject == study_uid)
        .order_by(event.at, event.seq)
    )
    for row in conn.execute(query):
        yield LifeEvent(row.at, f"{row.kind} {row.state}", f"job {row.id}: {row.evidence}")


def _of_orders(conn: Connection, study_uid: str) -> Iterator[LifeEvent]:
    order, node = tables.node_order.c, tables.node.c
    query = (
        select(tables.node_order, node.name.label("node"))
        .join(tables.node, order.node_id == node.id)
        .where(order.subject == study_uid)
    )
    for row in conn.execute(query):
        name = f"order {row.id} to {row.node}"
        yield LifeEvent(row.offered_at, f"{row.kind} ordered", name)
        if row.acknowledged_at is not None:
            yield LifeEvent(row.acknowledged_at, f"{row.kind} order acknowledged", name)
        if row.finished_at is not None:
            evidence = f"{name}: {row.outcome}"
            yield LifeEvent(row.finished_at, f"{row.kind} order {row.state}", evidence)


def _of_deliveries(conn: Connection, study_uid: str) -> Iterator[LifeEvent]:
    """Yield deliveries, those to one destination in one second as one line, when the first left."""
    columns = tables.delivery.c
    query = select(tables.delivery).where(columns.study_instance_uid == study_uid)
    grouped: dict[tuple[int, str, str, bool], list[int]] = {}
    for row in conn.execute(query.order_by(columns.at)):
        key = (row.at // 1000, row.means, row.destination, row.stamped)
        grouped.setdefault(key, []).append(row.at)
    for (_, means, destination, stamped), times in grouped.items():
        how = "stamped" if stamped else "as stored"
        yield LifeEvent(times[0], f"sent by {means}", f"{len(times)} to {destination}, {how}")
