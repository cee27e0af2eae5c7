"""The schema: the revisions give what the code means, and a journal keeps what was written."""

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import delete, exc, update

from archive.clock import SystemClock
from archive.index import tables
from archive.index.engine import Index
from archive.index.journal import append, chain_is_whole, entries
from archive.index.members import sop_hash
from tests.index.builders import Rows


def test_the_revisions_give_the_schema_that_the_code_means(tmp_path: Path) -> None:
    index = Index(f"sqlite:///{tmp_path / 'index.sqlite'}", clock=SystemClock())
    index.migrate()

    with index.reading() as conn:
        differences = compare_metadata(MigrationContext.configure(conn), tables.metadata)

    assert differences == []


def test_a_journal_has_no_gaps_and_its_chain_holds(rows: Rows) -> None:
    with rows.index.writing() as conn:
        numbers = [
            append(
                conn, kind="hl7", organisation="RXA", subject=str(n), body=b"x", at_ms=rows.now_ms
            )
            for n in range(3)
        ]

    with rows.index.reading() as conn:
        assert numbers == [1, 2, 3]
        assert [entry.subject for entry in entries(conn, kind="hl7", organisation="RXA")] == [
            "0",
            "1",
            "2",
        ]
        assert chain_is_whole(conn, kind="hl7", organisation="RXA")


def test_the_database_itself_refuses_to_change_a_journal(rows: Rows) -> None:
    with rows.index.writing() as conn:
        append(conn, kind="hl7", organisation="RXA", subject="1", body=b"x", at_ms=0)

    for change in (update(tables.journal).values(body=b"y"), delete(tables.journal)):
        with pytest.raises(exc.DBAPIError, match="append-only"), rows.index.writing() as conn:
            conn.execute(change)


def test_a_second_opening_keeps_the_hash_key(rows: Rows) -> None:

    with rows.index.reading() as conn:
        before = sop_hash(conn, "1.2.3")
    rows.index.migrate()
    with Index(rows.index.url, clock=SystemClock()).reading() as conn:
        assert sop_hash(conn, "1.2.3") == before
