"""The state overlay: how each instance is shown, whatever pack or segment holds it."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from sqlalchemy import Connection, Row, delete, insert, select

from archive.errors import StateMoved
from archive.index import tables
from archive.index.directory import ensure_organisation, find_organisation
from archive.index.engine import serialise
from archive.index.journal import append
from archive.states import INSTANCE_MOVES, InstanceState

ANY_OCTETS = b""
"""The digest of a state that holds for whatever octets come under the UID."""


@dataclass(frozen=True, slots=True)
class Shown:
    """How one instance is shown."""

    state: InstanceState = InstanceState.VISIBLE
    serves: bool = True
    code: str = ""

    @property
    def is_open(self) -> bool:
        """Tell whether a door may show it."""
        return self.state is InstanceState.VISIBLE and self.serves


_PLAIN = Shown()
_SEVERITY = (
    InstanceState.VISIBLE,
    InstanceState.QUARANTINED,
    InstanceState.REJECTED,
    InstanceState.DELETED,
)


def _stricter(one: Shown, other: Shown) -> Shown:
    """Return the one that shows less; of two alike the first."""
    return max(one, other, key=lambda shown: (_SEVERITY.index(shown.state), not shown.serves))


@dataclass(frozen=True, slots=True)
class StateRow:
    """One row of the overlay, as it travels between tiers."""

    sop_instance_uid: str
    sha256: bytes
    state: InstanceState
    serves: bool
    code: str
    actor: str
    at_ms: int
    numbered_by: str
    """Name of the node or centre at whose door it was decided."""
    seq: int = 0


@dataclass(frozen=True, slots=True)
class Overlay:
    """The overlay of some instances of one custodian."""

    rows: Mapping[tuple[str, bytes], Shown] = field(default_factory=dict)

    def of(self, sop_instance_uid: str, sha256: bytes) -> Shown:
        """Return how these octets are shown: the most restrictive of what is said of them."""
        exact = self.rows.get((sop_instance_uid, sha256), _PLAIN)
        whole = self.rows.get((sop_instance_uid, ANY_OCTETS), _PLAIN)
        return _stricter(exact, whole)

    def disputed(self, sop_instance_uid: str) -> bool:
        """Tell whether some octets under the UID are quarantined."""
        return any(
            uid == sop_instance_uid and shown.state is InstanceState.QUARANTINED
            for (uid, _), shown in self.rows.items()
        )


def overlay(conn: Connection, custodian_id: int, sop_instance_uids: Iterable[str]) -> Overlay:
    """Return the overlay of a custodian's instances; most have no row and cost one probe."""
    columns = tables.instance_state.c
    probe = select(columns.seq).where(columns.custodian_id == custodian_id).limit(1)
    if conn.execute(probe).first() is None:
        return Overlay()
    rows: dict[tuple[str, bytes], Shown] = {}
    uids = list(dict.fromkeys(sop_instance_uids))
    for start in range(0, len(uids), 500):
        query = select(tables.instance_state).where(
            columns.custodian_id == custodian_id,
            columns.sop_instance_uid.in_(uids[start : start + 500]),
        )
        for row in conn.execute(query):
            key = (row.sop_instance_uid, row.sha256)
            said = Shown(InstanceState(row.state), row.serves, row.code)
            rows[key] = _stricter(said, rows.get(key, said))
    return Overlay(rows)


def set_state(conn: Connection, *, custodian: str, row: StateRow) -> int:
    """Write a state decided at this tier, and return its number: no gaps within the custodian.

    Saying again what is said already changes nothing and returns the number it has.

    Raises:
        StateMoved: INSTANCE_MOVES does not allow the move from what is said now.
    """
    custodian_id = ensure_organisation(conn, custodian)
    serialise(conn, "states", custodian)
    known = _current(conn, custodian_id, row)
    if known is not None and _same(known, row):
        return int(known.seq)
    _check_move(known, row)
    seq = _journalled(conn, custodian, row)
    _replace(conn, custodian_id, row, seq)
    return seq


def take_state(conn: Connection, *, custodian: str, row: StateRow) -> bool:
    """Write a state as its custodian numbered it; return whether it was news.

    A number that is no newer than the one that is held changes nothing.
    """
    custodian_id = ensure_organisation(conn, custodian)
    serialise(conn, "states", custodian)
    known = _current(conn, custodian_id, row)
    if known is not None and known.seq >= row.seq:
        return False
    _replace(conn, custodian_id, row, row.seq)
    return True


def states_after(
    conn: Connection, *, custodian: str, numbered_by: str, seq: int, limit: int = 500
) -> list[StateRow]:
    """Return a custodian's states that one tier has numbered above ``seq``, in order."""
    columns = tables.instance_state.c
    query = (
        select(tables.instance_state)
        .where(columns.custodian_id == find_organisation(conn, custodian))
        .where(columns.numbered_by == numbered_by, columns.seq > seq)
        .order_by(columns.seq)
        .limit(limit)
    )
    return [
        StateRow(
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
        for row in conn.execute(query)
    ]


def _current(conn: Connection, custodian_id: int, row: StateRow) -> Row[tuple[object, ...]] | None:
    return conn.execute(select(tables.instance_state).where(*_key(custodian_id, row))).first()


def _key(custodian_id: int, row: StateRow):  # type: ignore[no-untyped-def]  # noqa: ANN202
    columns = tables.instance_state.c
    return (
        columns.custodian_id == custodian_id,
        columns.sop_instance_uid == row.sop_instance_uid,
        columns.sha256 == row.sha256,
        columns.numbered_by == row.numbered_by,
    )


def _same(known: Row[tuple[object, ...]], row: StateRow) -> bool:
    says = (known.state, known.serves, known.code)
    return says == (row.state.value, row.serves, row.code)


def _check_move(known: Row[tuple[object, ...]] | None, row: StateRow) -> None:
    before = InstanceState.VISIBLE if known is None else InstanceState(known.state)
    if row.state is not before and row.state not in INSTANCE_MOVES[before]:
        raise StateMoved(
            "The instance cannot change its state that way.",
            sop_instance_uid=row.sop_instance_uid,
            before=before.value,
            after=row.state.value,
        )


def _journalled(conn: Connection, custodian: str, row: StateRow) -> int:
    """Put the state on the custodian's journal, whose numbers have no gaps."""
    says = {
        "sop_instance_uid": row.sop_instance_uid,
        "sha256": row.sha256.hex(),
        "state": row.state.value,
        "serves": row.serves,
        "code": row.code,
        "actor": row.actor,
    }
    return append(
        conn,
        kind="state",
        organisation=custodian,
        subject=row.sop_instance_uid,
        body=json.dumps(says, sort_keys=True).encode(),
        at_ms=row.at_ms,
    )


def _replace(conn: Connection, custodian_id: int, row: StateRow, seq: int) -> None:
    conn.execute(delete(tables.instance_state).where(*_key(custodian_id, row)))
    conn.execute(
        insert(tables.instance_state).values(
            custodian_id=custodian_id,
            sop_instance_uid=row.sop_instance_uid,
            sha256=row.sha256,
            state=row.state.value,
            serves=row.serves,
            code=row.code,
            actor=row.actor,
            at=row.at_ms,
            numbered_by=row.numbered_by,
            seq=seq,
        )
    )
