"""The node that calls, as the directory knows it, and when it was last heard of."""

import threading
from dataclasses import dataclass, field

from sqlalchemy import Connection, select

from archive.clock import Clock, milliseconds
from archive.errors import NotPermitted
from archive.index import tables
from archive.index.directory import hear, organisation_code
from archive.index.engine import Index
from archive.index.studies import study_row

_HEARD_EVERY_S = 1.0
"""A node that calls without a pause is noted down so often."""


@dataclass(frozen=True, slots=True)
class CallingNode:
    """A node as its token names it."""

    node_id: int
    name: str
    organisation: str
    """ODS code of its trust."""

    def speaks_for(self, organisation: str) -> None:
        """Let a node speak for its own trust alone.

        Raises:
            NotPermitted: it is another's.
        """
        if organisation != self.organisation:
            raise NotPermitted("A node speaks for its own trust alone.", node=self.name)

    def keeps(self, conn: Connection, study_key: int) -> bool:
        """Tell whether a study is in the custody of the node's trust."""
        custodian_id = study_row(conn, study_key).custodian_id
        return organisation_code(conn, custodian_id) == self.organisation


@dataclass(slots=True)
class Roll:
    """The nodes that have called this process; any thread may ask."""

    index: Index
    clock: Clock
    _known: dict[str, CallingNode] = field(default_factory=dict)
    _heard: dict[str, float] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def call(self, name: str, *, organisation: str) -> CallingNode:
        """Return the node of a token and note that it was heard of.

        Raises:
            NotPermitted: the directory has no such node, or has it for another trust.
        """
        node = self._known.get(name) or self._look_up(name)
        node.speaks_for(organisation)
        if self._is_time(name):
            with self.index.writing() as conn:
                hear(conn, name, at_ms=milliseconds(self.clock.now()))
        return node

    def _look_up(self, name: str) -> CallingNode:
        with self.index.reading() as conn:
            node = _node(conn, name)
        self._known[name] = node
        return node

    def _is_time(self, name: str) -> bool:
        now = self.clock.monotonic()
        with self._lock:
            before = self._heard.get(name)
            if before is not None and now - before < _HEARD_EVERY_S:
                return False
            self._heard[name] = now
            return True


def _node(conn: Connection, name: str) -> CallingNode:
    query = (
        select(tables.node.c.id, tables.organisation.c.ods_code)
        .join(tables.organisation, tables.node.c.organisation_id == tables.organisation.c.id)
        .where(tables.node.c.name == name)
    )
    row = conn.execute(query).first()
    if row is None:
        raise NotPermitted("The directory of this tier has no such node.", node=name)
    return CallingNode(node_id=row.id, name=name, organisation=row.ods_code)
