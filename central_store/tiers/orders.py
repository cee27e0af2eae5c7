"""Orders as nodes take them: offered until acknowledged, ended by an outcome."""

from dataclasses import dataclass

import structlog

from archive.clock import Clock, milliseconds
from archive.index.engine import Index
from central_store import orders
from central_store.prefetch.plan import open_plan
from central_store.tiers.calling import CallingNode
from sync.jobs.ledger import Ledger
from sync.jobs.nudger import Nudger
from sync.jobs.work import JobClass
from sync.transfer.messages import OrdersMessage, OutcomeMessage

_log = structlog.get_logger("tiers")


@dataclass(frozen=True, slots=True)
class Orders:
    """The orders of each node."""

    index: Index
    ledger: Ledger
    clock: Clock
    nudger: Nudger

    def offered(self, node: CallingNode) -> OrdersMessage:
        """Return what is offered to a node now."""
        with self.index.reading() as conn:
            return orders.offered(conn, node.node_id)

    def nodes_with_offers(self) -> set[int]:
        """Return the row ids of the nodes to which anything is offered."""
        with self.index.reading() as conn:
            return orders.nodes_with_offers(conn)

    def acknowledge(self, node: CallingNode, order_id: int) -> None:
        """Take that a node has written an order down.

        Raises:
            NotFound: the node has no such order.
            StateMoved: it has been withdrawn.
        """
        with self.index.writing() as conn:
            orders.acknowledge(conn, node_id=node.node_id, order_id=order_id, at_ms=self._now_ms())

    def finish(self, node: CallingNode, order_id: int, outcome: OutcomeMessage) -> None:
        """Take how an order ended; one that failed for an arrival is planned anew.

        Raises:
            NotFound: the node has no such order.
            StateMoved: it has been withdrawn.
        """
        with self.index.writing() as conn:
            arrival_id = orders.finish(
                conn,
                node_id=node.node_id,
                order_id=order_id,
                outcome=outcome,
                at_ms=self._now_ms(),
            )
            if arrival_id is not None:
                open_plan(self.ledger, conn, arrival_id, cause=f"order:{order_id}")
        if arrival_id is not None:
            self.nudger.nudge(JobClass.URGENT, None)
        _log.info("order.ended", node=node.name, order=order_id, done=outcome.done)

    def _now_ms(self) -> int:
        return milliseconds(self.clock.now())
