"""What transactions that run at the same time see and hold."""

import hashlib
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from sqlalchemy import Connection, func, select

from archive.index import register as register_module
from archive.index import tables
from archive.index.header import Arrived
from archive.index.register import Answer, Verdict
from tests.index.builders import RXA, Rows, arrived

OVERLAP_S = 0.3


def test_all_that_a_read_transaction_reads_stood_there_at_one_moment(rows: Rows) -> None:
    """Sealing moves an instance between two tables: read one after the other, neither has it."""
    studies = select(func.count()).select_from(tables.study)
    with rows.index.reading() as conn:
        assert conn.execute(studies).scalar() == 0
        rows.take(arrived(rows.source(RXA), "1.2.3.1.1"))
        assert conn.execute(studies).scalar() == 0
    with rows.index.reading() as conn:
        assert conn.execute(studies).scalar() == 1


def test_intakes_that_meet_in_studies_and_states_do_not_wait_in_a_circle(
    rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = rows.source(RXA)
    held = [arrived(source, f"1.{study}.1", study=f"1.{study}") for study in (1, 2)]
    rows.take(*held)
    rivals = [
        arrived(source, f"1.{study}.1", study=f"1.{study}", octets=b"other") for study in (1, 2)
    ]
    verdicts = {
        rival.key: Verdict(Answer.CONFLICTING, hashlib.sha256(f"1.{study}.1".encode()).digest())
        for study, rival in zip((1, 2), rivals, strict=True)
    }
    late = [arrived(source, "1.2.8", study="1.2"), arrived(source, "1.2.9", study="1.2")]
    both_are_in_the_middle = threading.Barrier(2)
    register_one = register_module._register_one

    def slowly(conn: Connection, one: Arrived, *more: object) -> Answer:
        answer = register_one(conn, one, *more)  # type: ignore[arg-type]
        with suppress(threading.BrokenBarrierError):
            both_are_in_the_middle.wait(OVERLAP_S)
        return answer

    monkeypatch.setattr(register_module, "_register_one", slowly)

    def take(batch: Sequence[Arrived]) -> list[Answer]:
        return rows.take(*batch, verdicts=verdicts)

    with ThreadPoolExecutor() as pool:
        answers = list(pool.map(take, [(rivals[0], late[0]), (late[1], rivals[1])]))
    assert answers == [
        [Answer.CONFLICTING, Answer.REGISTERED],
        [Answer.REGISTERED, Answer.CONFLICTING],
    ]
