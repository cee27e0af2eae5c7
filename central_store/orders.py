"""Orders to nodes: written in the transaction of their cause, offered until acknowledged."""

import hashlib
from collections.abc import Iterable, Sequence

from pydantic import TypeAdapter
from sqlalchemy import Connection, Row, func, insert, select, update

from archive.errors import NotFound, StateMoved
from archive.index import tables
from archive.index.copies import note_copy
from archive.index.directory import ensure_organisation
from archive.index.engine import serialise
from archive.index.members import holdings_of
from archive.index.packs import packs_with_content
from archive.index.studies import study_row
from archive.states import ORDER_MOVES, CopyState, OrderState
from archive.words.objects import parse_sha256
from sync.transfer.messages import (
    FetchOrder,
    LinksOrder,
    OrderPart,
    OrdersMessage,
    OutcomeMessage,
    PutOrder,
    StatePart,
    StatesOrder,
)

_OFFER_LIMIT = 50
_STATES_LIMIT = 500

Body = FetchOrder | StatesOrder | LinksOrder | PutOrder
_BODY: TypeAdapter[Body] = TypeAdapter(Body)

LIVE = (OrderState.OFFERED.value, OrderState.ACKNOWLEDGED.value)


def give_order(  # noqa: PLR0913 - the columns of an order
    conn: Connection,
    *,
    node_id: int,
    subject: str,
    order_class: str,
    body: Body,
    key: str,
    at_ms: int,
    arrival_id: int | None = None,
    deadline_ms: int | None = None,
) -> bool:
    """Write an order; False where the node has one with the same key."""
    serialise(conn, "orders", node_id)
    columns = tables.node_order.c
    known = select(columns.id).where(columns.node_id == node_id, columns.idempotency_key == key)
    if conn.execute(known).first() is not None:
        return False
    conn.execute(
        insert(tables.node_order).values(
            {
                "node_id": node_id,
                "kind": body.kind,
                "subject": subject,
                "class": order_class,
                "body": body.model_dump_json(),
                "state": OrderState.OFFERED.value,
                "arrival_id": arrival_id,
                "deadline": deadline_ms,
                "offered_at": at_ms,
                "idempotency_key": key,
            }
        )
    )
    return True


def offered(conn: Connection, node_id: int) -> OrdersMessage:
    """Return what is offered to a node, the most pressing first."""
    columns = tables.node_order.c
    query = (
        select(tables.node_order)
        .where(columns.node_id == node_id, columns.state == OrderState.OFFERED.value)
        .order_by(columns.deadline.is_(None), columns.deadline, columns.id)
        .limit(_OFFER_LIMIT)
    )
    parts = [
        OrderPart(
            order_id=row.id,
            order_class=row._mapping["class"],  # noqa: SLF001 - a column named by a keyword
            deadline_ms=row.deadline,
            body=_BODY.validate_json(row.body),
        )
        for row in conn.execute(query)
    ]
    return OrdersMessage(orders=tuple(parts))


def nodes_with_offers(conn: Connection) -> set[int]:
    """Return the nodes to which anything is offered."""
    columns = tables.node_order.c
    query = select(columns.node_id).where(columns.state == OrderState.OFFERED.value).distinct()
    return set(conn.execute(query).scalars())


def acknowledge(conn: Connection, *, node_id: int, order_id: int, at_ms: int) -> None:
    """Note that a node has written an order down; again changes nothing.

    Raises:
        NotFound: the node has no such order.
        StateMoved: it has been withdrawn.
    """
    row = _order(conn, node_id, order_id)
    if row.state in {OrderState.ACKNOWLEDGED, OrderState.DONE, OrderState.FAILED}:
        return
    _move(conn, row, OrderState.ACKNOWLEDGED, acknowledged_at=at_ms)


def finish(
    conn: Connection, *, node_id: int, order_id: int, outcome: OutcomeMessage, at_ms: int
) -> int | None:
    """Note how an order ended; return the arrival it was given for, where it must be planned anew.

    Raises:
        NotFound: the node has no such order.
    """
    row = _order(conn, node_id, order_id)
    if row.state in {OrderState.DONE, OrderState.FAILED}:
        return None
    after = OrderState.DONE if outcome.done else OrderState.FAILED
    if row.state == OrderState.OFFERED:
        _move(conn, row, OrderState.ACKNOWLEDGED, acknowledged_at=at_ms)
        row = _order(conn, node_id, order_id)
    _move(conn, row, after, finished_at=at_ms, outcome=outcome.evidence)
    if outcome.done:
        _note_copies(conn, row, at_ms=at_ms)
        return None
    return None if row.arrival_id is None else int(row.arrival_id)


def order_states(
    conn: Connection, custodian: str, states: Sequence[StatePart], *, at_ms: int
) -> None:
    """Tell every node that was sent copies of these instances how they are shown from now on."""
    custodian_id = ensure_organisation(conn, custodian)
    by_node: dict[int, list[StatePart]] = {}
    for state in states:
        for node_id in _nodes_with_copies(conn, custodian_id, state.sop_instance_uid):
            by_node.setdefault(node_id, []).append(state)
    for node_id, parts in sorted(by_node.items()):
        for start in range(0, len(parts), _STATES_LIMIT):
            body = StatesOrder(custodian=custodian, states=tuple(parts[start:][:_STATES_LIMIT]))
            give_order(
                conn,
                node_id=node_id,
                subject=custodian,
                order_class="urgent",
                body=body,
                key=f"states:{_digest(body)}",
                at_ms=at_ms,
            )


def _digest(body: Body) -> str:
    """Tell orders apart by what they say: a node set back to a backup uses its numbers again."""
    return hashlib.sha256(body.model_dump_json().encode()).hexdigest()


def live_contents(conn: Connection, node_id: int, study_uid: str) -> set[str]:
    """Return the contents of packs that a node has been ordered to fetch and is still to fetch."""
    return _contents(conn, node_id, study_uid, LIVE)


def may_fetch(conn: Connection, node_id: int, *, study_uid: str, content: str) -> bool:
    """Tell whether a node has, or had and carried out, an order for a pack of a study."""
    return content in _contents(conn, node_id, study_uid, (*LIVE, OrderState.DONE.value))


def count_orders(
    conn: Connection, node_id: int, study_uid: str, *, state: OrderState | None = None
) -> int:
    """Return how often a node has been ordered anything about a study, of orders in one state."""
    columns = tables.node_order.c
    query = select(func.count()).where(columns.node_id == node_id, columns.subject == study_uid)
    if state is not None:
        query = query.where(columns.state == state.value)
    return int(conn.execute(query).scalar_one())


def _contents(conn: Connection, node_id: int, study_uid: str, states: Sequence[str]) -> set[str]:
    columns = tables.node_order.c
    query = select(columns.body).where(
        columns.node_id == node_id,
        columns.subject == study_uid,
        columns.kind == "fetch",
        columns.state.in_(states),
    )
    bodies = (FetchOrder.model_validate_json(body) for body in conn.execute(query).scalars())
    return {pack.content for body in bodies for pack in body.packs}


def _order(conn: Connection, node_id: int, order_id: int) -> Row[tuple[object, ...]]:
    columns = tables.node_order.c
    query = select(tables.node_order).where(columns.id == order_id, columns.node_id == node_id)
    row = conn.execute(query).first()
    if row is None:
        raise NotFound("This node has no such order.", order_id=order_id)
    return row


def _move(
    conn: Connection, row: Row[tuple[object, ...]], after: OrderState, **says: object
) -> None:
    columns = tables.node_order.c
    moved = 0
    if after in ORDER_MOVES[OrderState(row.state)]:
        change = update(tables.node_order).where(columns.id == row.id, columns.state == row.state)
        moved = conn.execute(change.values(state=after.value, **says)).rowcount
    if moved == 0:
        raise StateMoved("The order cannot go there.", order_id=row.id, after=after.value)


def _note_copies(conn: Connection, row: Row[tuple[object, ...]], *, at_ms: int) -> None:
    body = _BODY.validate_json(row.body)
    if not isinstance(body, FetchOrder):
        return
    name = conn.execute(
        select(tables.node.c.name).where(tables.node.c.id == row.node_id)
    ).scalar_one()
    custodian_id = ensure_organisation(conn, body.custodian)
    for pack in body.packs:
        for held in packs_with_content(conn, parse_sha256(pack.content)):
            if study_row(conn, held.study_key).custodian_id == custodian_id:
                key = (held.study_key, held.series_no, held.pack_no)
                note_copy(conn, key, kind="node", name=name, state=CopyState.CONFIRMED, at_ms=at_ms)


def _nodes_with_copies(conn: Connection, custodian_id: int, sop_instance_uid: str) -> Iterable[int]:
    """Return the nodes that were ever ordered to fetch the study of an instance.

    Whatever became of the order: one that failed may have brought some of its packs.
    """
    columns = tables.node_order.c
    studies = {
        study_row(conn, found.study_key).study_instance_uid
        for found in holdings_of(conn, sop_instance_uid, custodian_id=custodian_id)
    }
    query = select(columns.node_id).where(
        columns.kind == "fetch",
        columns.subject.in_(studies),
    )
    return sorted(set(conn.execute(query).scalars()))
