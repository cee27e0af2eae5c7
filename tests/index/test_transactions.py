"""What transactions that run at the same time see and hold."""

import hashlib
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Connection, func, select

from archive.index import register as register_module
from archive.index import tables
from archive.index.header import Arrived
from archive.index.journal import tally
from archive.index.register import Answer, Verdict
from archive.intake.batch import Batch, Taken
from archive.intake.prepare import Instance, Prepared
from archive.intake.rejection import Rejection
from archive.reader import Octets
from archive.store.local_blobs import LocalBlobs
from archive.store.segment import Envelope, Record, RecordKind
from archive.store.spool import SpoolReader
from tests.index.builders import RXA, Rows, arrived

OVERLAP_S = 0.3
DEADLINE_S = 20.0


def _record() -> Record:
    said = Envelope(
        association="",
        context_id=1,
        calling_ae="CT1",
        called_ae="RXA",
        peer="",
        arrived_at=datetime.now(UTC),
        transfer_syntax="",
        sop_class_uid="",
        sop_instance_uid="",
    )
    return Record(kind=RecordKind.DICOM, envelope=said, offset=0, length=0, sequence=1)


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


def test_a_note_and_an_intake_that_says_states_do_not_wait_in_a_circle(
    rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one has states and goes on to the counts while the other comes for both."""
    rows.take(arrived(rows.source(RXA), "1.1", PatientID="7"))
    stranger = Instance(arrived(rows.source(RXA), "1.2", PatientID="8"), None)
    rejection = Rejection("113001", ("1.9",))
    note = Instance(arrived(rows.source(RXA), "1.5.1", study="1.5"), rejection)
    has_states, has_counted = threading.Event(), threading.Event()

    def slowly(conn: Connection, name: str, count: int, at_ms: int) -> None:
        if not has_states.is_set():
            has_states.set()
            has_counted.wait(OVERLAP_S)
        tally(conn, name, count, at_ms)
        has_counted.set()

    monkeypatch.setattr(register_module, "tally", slowly)

    def take(instance: Instance) -> Taken:
        octets = Octets(SpoolReader(Path("none")), LocalBlobs(Path("none")))
        batch = Batch(octets, [Prepared(_record(), instance)], node="RXA", hl7=None)
        with rows.index.writing() as conn:
            return batch.write(conn, at_ms=rows.now_ms)

    with ThreadPoolExecutor() as pool:
        first = pool.submit(take, stranger)
        assert has_states.wait(DEADLINE_S)
        second = pool.submit(take, note)
        assert [first.result().states_written, second.result().rejections] == [True, 1]
