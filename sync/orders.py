"""Orders from the centre, as a node takes them: written down, acknowledged, then done."""

from collections.abc import Callable
from dataclasses import dataclass, field

from sqlalchemy import Connection

from archive.clock import milliseconds
from archive.errors import Unavailable
from archive.index.copies import PackKey
from archive.index.engine import Index
from archive.index.packs import packs_with_content
from archive.words.objects import parse_sha256
from sync.fetch import KIND as FETCH
from sync.jobs.ledger import Ledger
from sync.jobs.work import JobClass, Work
from sync.replicate import CENTRE, open_replication
from sync.transfer.messages import (
    FetchOrder,
    LinksOrder,
    OrderPart,
    OutcomeMessage,
    PutOrder,
    StatesOrder,
)
from sync.transfer.peer import Centre
from sync.transfer.taking import take_links, take_states


@dataclass(slots=True)
class OrderTaker:
    """Asks the centre for orders and writes them into the ledger, each once."""

    index: Index
    ledger: Ledger
    centre: Centre
    wait_seconds: float
    nudge: Callable[[JobClass], None]
    _answered: bool = field(default=False)

    def once(self) -> bool:
        """Ask once, for as long as the centre lets the question stand; True when it answered.

        An answer without orders is an answer: the next question follows at once. The first
        question after a silence does not wait, so that it is soon known that the centre is there.
        """
        wait_seconds = self.wait_seconds if self._answered else 0.0
        try:
            orders = self.centre.orders(wait_seconds=wait_seconds).orders
        except Unavailable:
            self._answered = False
            return False
        self._answered = True
        for order in orders:
            self._take(order)
        return True

    def _take(self, order: OrderPart) -> None:
        with self.index.writing() as conn:
            self._write(conn, order)
        if isinstance(order.body, FetchOrder):
            self.centre.acknowledge(order.order_id)
        else:  # one call, so that no order stays acknowledged for ever where the line breaks
            done = OutcomeMessage(done=True, evidence=_evidence(order.body))
            self.centre.finish(order.order_id, done)
        self.nudge(JobClass(order.order_class))

    def _write(self, conn: Connection, order: OrderPart) -> None:
        if isinstance(order.body, StatesOrder):
            take_states(conn, order.body.custodian, order.body.states)
        elif isinstance(order.body, LinksOrder):
            take_links(conn, order.body.links, at_ms=milliseconds(self.index.clock.now()))
        elif isinstance(order.body, PutOrder):
            packs = _own_packs(conn, order.body)
            open_replication(self.ledger, conn, packs, job_class=JobClass(order.order_class))
        else:
            self._write_fetch(conn, order, order.body)

    def _write_fetch(self, conn: Connection, order: OrderPart, body: FetchOrder) -> None:
        self.ledger.enqueue(
            conn,
            Work(
                kind=FETCH,
                subject=body.study.study_instance_uid,
                destination=CENTRE,
                job_class=JobClass(order.order_class),
                idempotency_key=f"order:{order.order_id}",
                payload={"order_id": order.order_id, "body": body.model_dump_json()},
                deadline_ms=order.deadline_ms,
                wanted_by=f"order:{order.order_id}",
            ),
        )


def _evidence(body: StatesOrder | LinksOrder | PutOrder) -> str:
    if isinstance(body, StatesOrder):
        return f"{len(body.states)} states taken over"
    if isinstance(body, LinksOrder):
        return f"{len(body.links)} links taken over"
    return "the pack is queued for sending"


def _own_packs(conn: Connection, body: PutOrder) -> list[PackKey]:
    rows = packs_with_content(conn, parse_sha256(body.content))
    return [(row.study_key, row.series_no, row.pack_no) for row in rows if row.encoding_id]
