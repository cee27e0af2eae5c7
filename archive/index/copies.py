"""Where copies of packs are, and what places have proven they hold."""

from sqlalchemy import Connection, and_, insert, select, update

from archive.errors import StateMoved
from archive.index import tables
from archive.index.directory import place_id
from archive.index.engine import serialise
from archive.states import COPY_MOVES, CopyState

PackKey = tuple[int, int, int]
"""(study_key, series_no, pack_no)."""


def note_copy(
    conn: Connection, pack: PackKey, *, kind: str, name: str, state: CopyState, at_ms: int
) -> None:
    """Say that a place holds a pack, in a first state; a copy already noted is moved to it.

    Raises:
        StateMoved: COPY_MOVES does not allow the move from the state that is noted.
    """
    place = place_id(conn, kind=kind, name=name)
    known = copy_state(conn, pack, place=place)
    if known is state:
        return
    if known is None:
        says = {"study_key": pack[0], "series_no": pack[1], "pack_no": pack[2], "place_id": place}
        verified = at_ms if state is CopyState.CONFIRMED else None
        row = insert(tables.copy).values(**says, state=state, at=at_ms, verified_at=verified)
        conn.execute(row)
        return
    move_copy(conn, pack, place=place, before=known, after=state, at_ms=at_ms)


def move_copy(
    conn: Connection,
    pack: PackKey,
    *,
    place: int,
    before: CopyState,
    after: CopyState,
    at_ms: int,
) -> None:
    """Move a copy from one state to another.

    Raises:
        StateMoved: COPY_MOVES does not allow it, or the copy is in another state by now.
    """
    moved = 0
    if after in COPY_MOVES[before]:
        says: dict[str, object] = {"state": after.value, "at": at_ms}
        if after is CopyState.CONFIRMED:
            says["verified_at"] = at_ms
        change = update(tables.copy).where(
            _key(pack), tables.copy.c.place_id == place, tables.copy.c.state == before.value
        )
        moved = conn.execute(change.values(says)).rowcount
    if moved == 0:
        raise StateMoved("The copy is not in that state.", pack=pack, before=before, after=after)


def copy_state(conn: Connection, pack: PackKey, *, place: int) -> CopyState | None:
    """Return the state of a pack's copy at a place; None where no copy was ever noted."""
    columns = tables.copy.c
    query = select(columns.state).where(_key(pack), columns.place_id == place)
    state = conn.execute(query).scalar()
    return None if state is None else CopyState(state)


def unconfirmed(conn: Connection, study_key: int, *, kind: str) -> list[PackKey]:
    """Return a study's packs that may leave and that no place of ``kind`` has confirmed."""
    pack, copies, place = tables.pack.c, tables.copy.c, tables.place.c
    confirmed = (
        select(copies.pack_no)
        .join(tables.place, copies.place_id == place.id)
        .where(
            place.kind == kind,
            copies.state == CopyState.CONFIRMED.value,
            copies.study_key == pack.study_key,
            copies.series_no == pack.series_no,
            copies.pack_no == pack.pack_no,
        )
        .exists()
    )
    query = select(pack.study_key, pack.series_no, pack.pack_no).where(
        and_(pack.study_key == study_key, pack.withheld.is_(False), ~confirmed)
    )
    return [(row.study_key, row.series_no, row.pack_no) for row in conn.execute(query)]


def lock_copies(conn: Connection, study_key: int) -> None:
    """Let only one transaction at a time conclude something from all copies of a study."""
    serialise(conn, "copies", study_key)


def _key(pack: PackKey):  # type: ignore[no-untyped-def]  # noqa: ANN202
    columns = tables.copy.c
    return and_(
        columns.study_key == pack[0], columns.series_no == pack[1], columns.pack_no == pack[2]
    )
