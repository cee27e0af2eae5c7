"""How far intake is in each spool segment, and which segments nothing needs any more.

States of a segment's row::

    (none) --first records--> TAKING --last record--> COMPLETE --nothing loose in it--> (none)
                                |                         ^
                                +-- some are to be compared --> COMPARING, until none is
                                |
                                +-- the disk has harmed it --> DAMAGED, until a person has looked
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Connection, delete, insert, select, update

from archive.errors import StateMoved
from archive.index import tables
from archive.index.engine import serialise
from archive.index.parts import in_parts


class SegmentState(StrEnum):
    """How far intake is in a segment."""

    TAKING = "TAKING"
    """Some records are taken in, others may follow."""
    COMPARING = "COMPARING"
    """Every record was looked at; some wait to be compared with what is held under their UIDs."""
    COMPLETE = "COMPLETE"
    """Every record is taken in."""
    DAMAGED = "DAMAGED"
    """What verified is taken in; the file is kept for a person to look at."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far intake is in one segment."""

    done: int = 0
    """Sequence number of the last record looked at."""
    state: SegmentState = SegmentState.TAKING
    to_compare: tuple[int, ...] = ()
    """Sequence numbers of records up to ``done`` that are not taken in yet, ascending."""


BEGINNING = Progress()
"""Of a segment that has no row yet."""


def progress_of(conn: Connection, segments: Sequence[str]) -> Mapping[str, Progress]:
    """Return the progress in each of these segments that has some."""
    columns = tables.segment_progress.c
    found: dict[str, Progress] = {}
    for part in in_parts(segments):
        query = select(tables.segment_progress).where(columns.segment.in_(part))
        for row in conn.execute(query):
            numbers = tuple(map(int, row.to_compare.split()))
            found[row.segment] = Progress(row.done, SegmentState(row.state), numbers)
    return found


def advance(conn: Connection, segment: str, *, before: Progress, after: Progress) -> None:
    """Note progress in a segment, in the transaction that makes it.

    Raises:
        StateMoved: another intake was faster; read the progress again.
    """
    serialise(conn, "segment", segment)
    table = tables.segment_progress
    says = _columns(after)
    if before == BEGINNING and not progress_of(conn, [segment]):
        conn.execute(insert(table).values(segment=segment, **says))
        return
    was = [table.c[name] == value for name, value in _columns(before).items()]
    where = (table.c.segment == segment, *was)
    if conn.execute(update(table).where(*where).values(says)).rowcount == 0:
        raise StateMoved("Another intake has gone on with the segment.", segment=segment)


def _columns(progress: Progress) -> dict[str, object]:
    return {
        "done": progress.done,
        "state": progress.state.value,
        "to_compare": " ".join(map(str, progress.to_compare)),
    }


def unneeded(conn: Connection) -> list[str]:
    """Return the complete segments in which nothing loose lies any more."""
    progress, loose = tables.segment_progress.c, tables.instance.c
    lies_in_it = select(loose.segment).where(loose.segment == progress.segment).exists()
    query = select(progress.segment).where(
        progress.state == SegmentState.COMPLETE.value, ~lies_in_it
    )
    return [row.segment for row in conn.execute(query.order_by(progress.segment))]


def forget(conn: Connection, segments: Sequence[str]) -> None:
    """Take back the progress of segments whose files are gone."""
    columns = tables.segment_progress.c
    for part in in_parts(segments):
        conn.execute(delete(tables.segment_progress).where(columns.segment.in_(part)))
