"""What is held of people, told to the nodes that have acted on it.

A node knows a link only from the orders it was given. When a person's links change, every node that
was ordered to fetch one of their studies is told how each of its own patients now stands to each of
those whose studies it was sent.
"""

import hashlib
from collections.abc import Collection, Iterator

from sqlalchemy import Connection, and_, select, update

from archive.index import tables
from archive.index.patients import LocalPatient, component, patients_by_id
from archive.states import LinkState, OrderState
from central_store.orders import give_order
from sync.transfer.messages import LinkPart, LinksOrder
from sync.transfer.telling import patient_part


def order_links(conn: Connection, patient_ids: Collection[int], *, at_ms: int) -> None:
    """Tell nodes how these patients, whose links may have changed, stand to each other now."""
    patients = patients_by_id(conn, set(patient_ids))
    for node_id, organisation, sent in _nodes_sent(conn, patient_ids):
        own = [each for each in patients if each.identity.issuer.organisation == organisation]
        foreign = [each for each in patients if each.patient_id in sent and each not in own]
        parts = tuple(_parts(conn, own, foreign, at_ms))
        if parts:
            _give(conn, node_id, parts, at_ms)
        _withdraw(conn, node_id, _parted(conn, own, foreign))


def _nodes_sent(
    conn: Connection, patient_ids: Collection[int]
) -> Iterator[tuple[int, str, set[int]]]:
    """Yield (node, ODS code, patients whose studies it was ordered to fetch)."""
    order, study, patient = tables.node_order.c, tables.study.c, tables.local_patient.c
    query = (
        select(order.node_id, tables.organisation.c.ods_code, patient.id)
        .join(tables.study, study.study_instance_uid == order.subject)
        .join(
            tables.local_patient,
            and_(patient.authority_id == study.authority_id, patient.mrn == study.mrn),
        )
        .join(tables.node, tables.node.c.id == order.node_id)
        .join(tables.organisation, tables.organisation.c.id == tables.node.c.organisation_id)
        .where(order.kind == "fetch", patient.id.in_(patient_ids))
        .distinct()
    )
    sent: dict[tuple[int, str], set[int]] = {}
    for row in conn.execute(query):
        sent.setdefault((row.node_id, row.ods_code), set()).add(row.id)
    for (node_id, organisation), of_node in sorted(sent.items()):
        yield node_id, organisation, of_node


def _parts(
    conn: Connection, own: list[LocalPatient], foreign: list[LocalPatient], at_ms: int
) -> Iterator[LinkPart]:
    for local in own:
        person = component(conn, local.patient_id)
        for other in foreign:
            together = other.patient_id in person
            yield LinkPart(
                local=patient_part(conn, local),
                foreign=patient_part(conn, other),
                state=LinkState.CONFIRMED.value if together else LinkState.QUARANTINED.value,
                at_ms=at_ms,
            )


def _parted(
    conn: Connection, own: list[LocalPatient], foreign: list[LocalPatient]
) -> list[LocalPatient]:
    """Return the foreign patients that are none of the node's own any more."""
    known = {member for local in own for member in component(conn, local.patient_id)}
    return [other for other in foreign if other.patient_id not in known]


def _give(conn: Connection, node_id: int, parts: tuple[LinkPart, ...], at_ms: int) -> None:
    body = LinksOrder(links=parts)
    digest = hashlib.sha256(body.model_dump_json().encode()).hexdigest()
    give_order(
        conn,
        node_id=node_id,
        subject="links",
        order_class="urgent",
        body=body,
        key=f"links:{at_ms}:{digest[:32]}",
        at_ms=at_ms,
    )


def _withdraw(conn: Connection, node_id: int, parted: list[LocalPatient]) -> None:
    """Take back what is still offered of studies of people who are none of the node's any more."""
    if not parted:
        return
    order, study, patient = tables.node_order.c, tables.study.c, tables.local_patient.c
    of_them = (
        select(study.study_instance_uid)
        .join(
            tables.local_patient,
            and_(patient.authority_id == study.authority_id, patient.mrn == study.mrn),
        )
        .where(patient.id.in_([each.patient_id for each in parted]))
    )
    conn.execute(
        update(tables.node_order)
        .where(order.node_id == node_id, order.kind == "fetch", order.subject.in_(of_them))
        .where(order.state == OrderState.OFFERED.value)
        .values(state=OrderState.WITHDRAWN.value, outcome="the records are no longer one person's")
    )
