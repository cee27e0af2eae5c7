"""Writers of one SQLite are let in one after the other, soon, and told when they cannot be."""

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from archive.clock import SystemClock
from archive.errors import DatabaseUnavailable
from archive.index import engine
from archive.index.engine import Index
from archive.index.turns import Line, TurnOverdue, begin_immediate


@pytest.fixture
def index(tmp_path: Path, migrated_file: Path) -> Iterator[Index]:
    path = tmp_path / "index.sqlite"
    path.write_bytes(migrated_file.read_bytes())
    opened = Index(f"sqlite:///{path}", clock=SystemClock())
    yield opened
    opened.close()


def test_threads_get_their_turn_in_the_order_in_which_they_came() -> None:
    line, order, standing = Line(), list[int](), list[threading.Thread]()

    def stand(number: int) -> None:
        with line.turn(30):
            order.append(number)

    with line.turn(30):
        for number in range(10):
            thread = threading.Thread(target=stand, args=(number,))
            thread.start()
            standing.append(thread)
            while len(line._waiting) <= number:
                time.sleep(0.001)
    for thread in standing:
        thread.join()

    assert order == list(range(10))


def test_a_turn_that_does_not_come_is_told_and_the_line_goes_on() -> None:
    line = Line()
    overdue = []

    def stand() -> None:
        try:
            with line.turn(0.01):
                overdue.append(False)
        except TurnOverdue:
            overdue.append(True)

    with line.turn(30):
        thread = threading.Thread(target=stand)
        thread.start()
        thread.join()

    assert overdue == [True]
    with line.turn(0):
        pass


def test_a_write_lock_that_is_kept_is_told_as_database_unavailable(
    index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "_BUSY_TIMEOUT_S", 0.05)
    with closing(sqlite3.connect(index.url.removeprefix("sqlite:///"))) as greedy:
        greedy.isolation_level = None
        greedy.execute("BEGIN IMMEDIATE")

        with pytest.raises(DatabaseUnavailable), index.writing():
            raise AssertionError("nobody is let in")
        index.now_ms()
        greedy.execute("ROLLBACK")

    with index.writing() as conn:
        conn.exec_driver_sql("DELETE FROM tally")


def test_a_failure_other_than_a_busy_lock_is_raised_at_once() -> None:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.execute("BEGIN")

        with pytest.raises(sqlite3.OperationalError, match="within a transaction"):
            begin_immediate(connection, 30)
