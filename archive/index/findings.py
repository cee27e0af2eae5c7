"""What waits for a person: findings and held objects, listed and settled.

Nothing here names a patient: subjects are keys, sentences are fixed.
"""

import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, Select, Table, func, select, update

from archive.errors import NotFound, StateMoved
from archive.index import tables
from archive.index.directory import organisation_code
from archive.index.journal import append

AUDIT = "audit"
"""The journal of who settled what."""
RULE = "rule"
"""Who settles what a rule of the archive has answered by itself."""

_HELD = "held-"
_DIGITS = 18
"""So many a row's number can have."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A row for a person to look at."""

    key: str
    """By which a person settles it."""
    at_ms: int
    organisation: str
    code: str
    sentence: str
    subject: str
    settled_ms: int | None


@dataclass(frozen=True, slots=True)
class HeldObject:
    """An object or message that is kept and not indexed."""

    key: str
    at_ms: int
    reason: str
    sentence: str
    calling_ae: str
    sop_class_uid: str
    """As the C-STORE command said, unchecked."""
    sop_instance_uid: str
    sha256: bytes
    size: int
    """Octets."""
    settled_ms: int | None


@dataclass(frozen=True, slots=True)
class Waiting:
    """What somebody is shown of it, the newest first."""

    findings: tuple[Finding, ...] = ()
    held: tuple[HeldObject, ...] = ()


def findings(
    conn: Connection, *, limit: int, organisation: str | None = None, settled: bool = False
) -> tuple[Finding, ...]:
    """Return the newest findings, of one organisation or of all, settled ones too or not."""
    columns = tables.data_quality.c
    query = select(tables.data_quality, tables.organisation.c.ods_code).outerjoin(
        tables.organisation, columns.organisation_id == tables.organisation.c.id
    )
    if organisation is not None:
        query = query.where(tables.organisation.c.ods_code == organisation)
    rows = conn.execute(_newest(query, tables.data_quality, limit=limit, settled=settled))
    return tuple(
        Finding(
            str(row.id),
            row.at,
            row.ods_code or "",
            row.code,
            row.sentence,
            row.subject,
            row.resolved_at,
        )
        for row in rows
    )


def held_objects(conn: Connection, *, limit: int, settled: bool = False) -> tuple[HeldObject, ...]:
    """Return the newest held objects, with those settled or without."""
    query = _newest(select(tables.held), tables.held, limit=limit, settled=settled)
    return tuple(
        HeldObject(
            f"{_HELD}{row.id}",
            row.at,
            row.reason,
            row.sentence,
            row.calling_ae,
            row.command_sop_class_uid,
            row.command_sop_instance_uid,
            row.sha256,
            row.size,
            row.resolved_at,
        )
        for row in conn.execute(query)
    )


def settle(conn: Connection, key: str, *, actor: str, at_ms: int) -> None:
    """Note that a person has seen to a finding, or to a held object and what was found with it.

    Raises:
        NotFound: nothing has that key.
        StateMoved: it is settled already.
    """
    table = tables.held if key.startswith(_HELD) else tables.data_quality
    row = _row(conn, table, key.removeprefix(_HELD))
    if row is None:
        raise NotFound("Nothing that waits for a person has that number.", id=key)
    if not _settle(conn, table, table.c.id == row.id, actor=actor, at_ms=at_ms):
        raise StateMoved("It is settled already.", id=key)
    if table is tables.held:
        _settle_alarm(conn, row, actor=actor, at_ms=at_ms)


def settle_by_rule(conn: Connection, *, codes: str, subject: str, at_ms: int) -> int:
    """Settle the findings about a subject whose code begins with ``codes``; return how many."""
    columns = tables.data_quality.c
    which = (columns.subject == subject) & columns.code.startswith(codes, autoescape=True)
    return _settle(conn, tables.data_quality, which, actor=RULE, at_ms=at_ms)


def _newest(query: Select[Any], table: Table, *, limit: int, settled: bool) -> Select[Any]:
    if not settled:
        query = query.where(table.c.resolved_at.is_(None))
    return query.order_by(table.c.id.desc()).limit(limit)


def _row(conn: Connection, table: Table, number: str) -> Row[Any] | None:
    if not (number.isascii() and number.isdecimal() and len(number) <= _DIGITS):
        return None
    return conn.execute(select(table).where(table.c.id == int(number))).first()


def _settle(conn: Connection, table: Table, which: Any, *, actor: str, at_ms: int) -> int:  # noqa: ANN401
    """Settle the open rows of a table, each with an entry of the journal; return how many."""
    is_open = table.c.resolved_at.is_(None)
    found = conn.execute(select(table).where(which, is_open).order_by(table.c.id)).all()
    return sum(_settle_row(conn, table, row, actor=actor, at_ms=at_ms) for row in found)


def _settle_row(conn: Connection, table: Table, row: Row[Any], *, actor: str, at_ms: int) -> bool:
    columns = table.c
    guarded = update(table).where(columns.id == row.id, columns.resolved_at.is_(None))
    if conn.execute(guarded.values(resolved_at=at_ms)).rowcount == 0:
        return False
    is_held = table is tables.held
    entry = {
        "actor": actor,
        "did": "resolved",
        "code": row.reason if is_held else row.code,
        "subject": f"held/{row.sha256.hex()}" if is_held else row.subject,
    }
    append(
        conn,
        kind=AUDIT,
        organisation="" if is_held else _organisation(conn, row),
        subject=f"{table.name}:{row.id}",
        body=json.dumps(entry, sort_keys=True).encode(),
        at_ms=at_ms,
    )
    return True


def _settle_alarm(conn: Connection, held: Row[Any], *, actor: str, at_ms: int) -> None:
    """Settle what was found with a held object, once no other row of the same is open."""
    columns = tables.held.c
    same = (columns.sha256 == held.sha256, columns.reason == held.reason)
    others = select(func.count()).where(*same, columns.resolved_at.is_(None))
    if conn.execute(others).scalar_one() == 0:
        told = tables.data_quality.c
        which = (told.subject == f"held/{held.sha256.hex()}") & (told.code == held.reason)
        _settle(conn, tables.data_quality, which, actor=actor, at_ms=at_ms)


def _organisation(conn: Connection, row: Row[Any]) -> str:
    return "" if row.organisation_id is None else organisation_code(conn, row.organisation_id)
