"""Append-only journals, rows for a person to look at, and counts.

Each journal is a chain per (kind, organisation): an entry's ``chain`` is the SHA-256 of the chain
before it, its number, time, subject and body, so that a changed or missing entry shows.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count as numbers_from

from sqlalchemy import Connection, func, insert, select, update

from archive.clock import from_milliseconds
from archive.index import tables
from archive.index.directory import ensure_organisation, find_organisation
from archive.index.engine import serialise

_START = bytes(32)


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One entry of a journal."""

    seq: int
    at_ms: int
    subject: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Unnumbered:
    """What is to become an entry of a journal."""

    at_ms: int
    subject: str
    body: bytes


def append(
    conn: Connection, *, kind: str, organisation: str, subject: str, body: bytes, at_ms: int
) -> int:
    """Add an entry and return its number, from 1 without gaps in (kind, organisation)."""
    entry = Unnumbered(at_ms, subject, body)
    return append_all(conn, kind=kind, organisation=organisation, said=[entry])[0]


def append_all(
    conn: Connection, *, kind: str, organisation: str, said: Sequence[Unnumbered]
) -> list[int]:
    """Add entries in their order and return their numbers, as :func:`append` gives them."""
    if not said:
        return []
    organisation_id = ensure_organisation(conn, organisation)
    serialise(conn, "journal", kind, organisation)
    last_seq, last_chain = _last(conn, kind, organisation_id)
    new = [
        JournalEntry(seq, one.at_ms, one.subject, one.body)
        for seq, one in zip(numbers_from(last_seq + 1), said, strict=False)
    ]
    of = {"kind": kind, "organisation_id": organisation_id}
    conn.execute(insert(tables.journal), [of | row for row in _chained(last_chain, new)])
    return [entry.seq for entry in new]


def entries(
    conn: Connection, *, kind: str, organisation: str, after: int = 0
) -> Iterator[JournalEntry]:
    """Yield a journal's entries in order, those with a number above ``after``."""
    columns = tables.journal.c
    query = (
        select(columns.seq, columns.at, columns.subject, columns.body)
        .where(columns.kind == kind, columns.seq > after)
        .where(columns.organisation_id == find_organisation(conn, organisation))
        .order_by(columns.seq)
    )
    for row in conn.execute(query):
        yield JournalEntry(seq=row.seq, at_ms=row.at, subject=row.subject, body=row.body)


def journal_holds(conn: Connection, *, kind: str, organisation: str, subject: str) -> bool:
    """Tell whether a journal has an entry about ``subject``."""
    columns = tables.journal.c
    query = select(columns.seq).where(
        columns.kind == kind,
        columns.subject == subject,
        columns.organisation_id == find_organisation(conn, organisation),
    )
    return conn.execute(query.limit(1)).first() is not None


def chain_is_whole(conn: Connection, *, kind: str, organisation: str) -> bool:
    """Tell whether every entry of a journal still follows from the one before it."""
    chain = _START
    columns = tables.journal.c
    organisation_id = find_organisation(conn, organisation)
    query = select(tables.journal).where(
        columns.kind == kind, columns.organisation_id == organisation_id
    )
    for number, row in enumerate(conn.execute(query.order_by(columns.seq)), start=1):
        entry = JournalEntry(seq=number, at_ms=row.at, subject=row.subject, body=row.body)
        chain = _chain(chain, entry)
        if row.seq != number or row.chain != chain:
            return False
    return True


def data_quality(
    conn: Connection, *, organisation: str, code: str, sentence: str, subject: str, at_ms: int
) -> None:
    """Write a row for a person to look at. ``subject`` is a key, never a patient's number."""
    data_quality_of_all(
        conn,
        organisation=organisation,
        code=code,
        sentence=sentence,
        subjects=[subject],
        at_ms=at_ms,
    )


def data_quality_of_all(
    conn: Connection,
    *,
    organisation: str,
    code: str,
    sentence: str,
    subjects: Sequence[str],
    at_ms: int,
) -> None:
    """Write a row for a person to look at, for each subject."""
    if not subjects:
        return
    says = {
        "organisation_id": ensure_organisation(conn, organisation),
        "code": code,
        "sentence": sentence,
        "at": at_ms,
    }
    rows = [says | {"subject": subject[:200]} for subject in subjects]
    conn.execute(insert(tables.data_quality), rows)


def data_quality_once(
    conn: Connection, *, organisation: str, code: str, sentence: str, subject: str, at_ms: int
) -> None:
    """Write a row for a person to look at, unless there is one of that code and subject."""
    columns = tables.data_quality.c
    known = select(columns.id).where(columns.code == code, columns.subject == subject[:200])
    if conn.execute(known.limit(1)).first() is None:
        data_quality(
            conn,
            organisation=organisation,
            code=code,
            sentence=sentence,
            subject=subject,
            at_ms=at_ms,
        )


def tally(conn: Connection, name: str, count: int, at_ms: int) -> None:
    """Add to the day's count of ``name``."""
    day = from_milliseconds(at_ms).date().isoformat()
    columns = tables.tally.c
    row = (columns.day == day, columns.name == name)
    serialise(conn, "tally", day, name)
    more = update(tables.tally).where(*row).values(count=columns.count + count)
    if conn.execute(more).rowcount == 0:
        conn.execute(insert(tables.tally).values(day=day, name=name, count=count))


def tallies(conn: Connection) -> dict[str, int]:
    """Return every count, over all days."""
    columns = tables.tally.c
    query = select(columns.name, func.sum(columns.count).label("total")).group_by(columns.name)
    return {row.name: int(row.total) for row in conn.execute(query)}


def _last(conn: Connection, kind: str, organisation_id: int) -> tuple[int, bytes]:
    columns = tables.journal.c
    row = conn.execute(
        select(columns.seq, columns.chain)
        .where(columns.kind == kind, columns.organisation_id == organisation_id)
        .order_by(columns.seq.desc())
        .limit(1)
    ).first()
    return (0, _START) if row is None else (row.seq, row.chain)


def _chained(chain: bytes, new: Iterable[JournalEntry]) -> Iterator[dict[str, object]]:
    for entry in new:
        chain = _chain(chain, entry)
        yield {
            "seq": entry.seq,
            "at": entry.at_ms,
            "subject": entry.subject,
            "body": entry.body,
            "chain": chain,
        }


def _chain(before: bytes, entry: JournalEntry) -> bytes:
    digest = hashlib.sha256(before)
    digest.update(f"{entry.seq}\n{entry.at_ms}\n{len(entry.subject)}\n{entry.subject}".encode())
    digest.update(entry.body)
    return digest.digest()
