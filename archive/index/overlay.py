"""The state overlay: how each instance is shown, whatever pack or segment holds it."""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, insert, select

from archive.errors import StateMoved
from archive.index import tables
from archive.index.directory import ensure_organisation, find_organisation
from archive.index.engine import serialise
from archive.index.journal import Unnumbered, append_all
from archive.index.parts import in_parts
from archive.states import INSTANCE_MOVES, InstanceState

ANY_OCTETS = b""
"""The digest of a state that holds for whatever octets come under the UID."""

"""UIDs asked for in one statement."""
_Key = tuple[str, bytes, str]
"""UID, digest, and who numbers: what a custodian has one row of."""
_COLUMNS = tables.instance_state.c
_DELETE = delete(tables.instance_state).where(
    _COLUMNS.custodian_id == bindparam("of_custodian"),
    _COLUMNS.sop_instance_uid == bindparam("of_uid"),
    _COLUMNS.sha256 == bindparam("of_sha256"),
    _COLUMNS.numbered_by == bindparam("of_numbered_by"),
)


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
    for row in _rows_of(conn, custodian_id, uids):
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
    return set_states(conn, custodian=custodian, rows=[row])[0]


def set_states(conn: Connection, *, custodian: str, rows: Sequence[StateRow]) -> list[int]:
    """Write states decided at this tier, as :func:`set_state` does, one after the other.

    Returns the number that the last one said of each row's key has, in the order of the rows.

    Raises:
        StateMoved: INSTANCE_MOVES does not allow one of them; roll the transaction back.
    """
    custodian_id = ensure_organisation(conn, custodian)
    serialise(conn, "states", custodian)
    known = _current(conn, custodian_id, rows)
    said = dict(known)
    news = []
    for row in rows:
        before = said.get(_key(row))
        if before is None or not _same(before, row):
            _check_move(before, row)
            said[_key(row)] = row
            news.append(row)
    numbers = _journalled(conn, custodian, news)
    said |= {_key(row): replace(row, seq=seq) for row, seq in zip(news, numbers, strict=True)}
    changed = dict.fromkeys(map(_key, news))
    _replace(conn, custodian_id, [said[key] for key in changed], known)
    return [said[_key(row)].seq for row in rows]


def take_state(conn: Connection, *, custodian: str, row: StateRow) -> bool:
    """Write a state as its custodian numbered it; return whether it was news.

    A number that is no newer than the one that is held changes nothing.
    """
    custodian_id = ensure_organisation(conn, custodian)
    serialise(conn, "states", custodian)
    known = _current(conn, custodian_id, [row])
    if _key(row) in known and known[_key(row)].seq >= row.seq:
        return False
    _replace(conn, custodian_id, [row], known)
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
    return [_state_row(row) for row in conn.execute(query)]


def _current(conn: Connection, custodian_id: int, rows: Iterable[StateRow]) -> dict[_Key, StateRow]:
    """Return what is said now of the UIDs of some rows, by whomever."""
    uids = list(dict.fromkeys(row.sop_instance_uid for row in rows))
    found = map(_state_row, _rows_of(conn, custodian_id, uids))
    return {_key(row): row for row in found}


def _rows_of(
    conn: Connection, custodian_id: int, uids: Sequence[str]
) -> Iterator[Row[tuple[object, ...]]]:
    columns = tables.instance_state.c
    query = select(tables.instance_state).where(columns.custodian_id == custodian_id)
    for part in in_parts(uids):
        yield from conn.execute(query.where(columns.sop_instance_uid.in_(part)))


def _state_row(row: Row[tuple[Any, ...]]) -> StateRow:
    return StateRow(
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


def _key(row: StateRow) -> _Key:
    return row.sop_instance_uid, row.sha256, row.numbered_by


def _same(known: StateRow, row: StateRow) -> bool:
    return (known.state, known.serves, known.code) == (row.state, row.serves, row.code)


def _check_move(known: StateRow | None, row: StateRow) -> None:
    before = InstanceState.VISIBLE if known is None else known.state
    if row.state is not before and row.state not in INSTANCE_MOVES[before]:
        raise StateMoved(
            "The instance cannot change its state that way.",
            sop_instance_uid=row.sop_instance_uid,
            before=before.value,
            after=row.state.value,
        )


def _journalled(conn: Connection, custodian: str, rows: Iterable[StateRow]) -> list[int]:
    """Put states on the custodian's journal, whose numbers have no gaps."""
    said = [Unnumbered(row.at_ms, row.sop_instance_uid, _body(row)) for row in rows]
    return append_all(conn, kind="state", organisation=custodian, said=said)


def _body(row: StateRow) -> bytes:
    says = {
        "sop_instance_uid": row.sop_instance_uid,
        "sha256": row.sha256.hex(),
        "state": row.state.value,
        "serves": row.serves,
        "code": row.code,
        "actor": row.actor,
    }
    return json.dumps(says, sort_keys=True).encode()


def _replace(
    conn: Connection, custodian_id: int, rows: Collection[StateRow], known: Collection[_Key]
) -> None:
    """Write rows, each key once, over those of them that are known."""
    gone = [_in_delete(custodian_id, row) for row in rows if _key(row) in known]
    if gone:
        conn.execute(_DELETE, gone)
    if rows:
        conn.execute(insert(tables.instance_state), [_columns(custodian_id, row) for row in rows])


def _in_delete(custodian_id: int, row: StateRow) -> dict[str, object]:
    return {
        "of_custodian": custodian_id,
        "of_uid": row.sop_instance_uid,
        "of_sha256": row.sha256,
        "of_numbered_by": row.numbered_by,
    }


def _columns(custodian_id: int, row: StateRow) -> dict[str, object]:
    return {
        "custodian_id": custodian_id,
        "sop_instance_uid": row.sop_instance_uid,
        "sha256": row.sha256,
        "state": row.state.value,
        "serves": row.serves,
        "code": row.code,
        "actor": row.actor,
        "at": row.at_ms,
        "numbered_by": row.numbered_by,
        "seq": row.seq,
    }
