"""The job of a result ends when the peer has acknowledged it, and not before."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from archive.clock import SystemClock
from archive.config import load
from archive.dimse.letterbox import Letterbox
from archive.dimse.peers import Destination
from archive.dimse.tables import DestinationTable
from archive.errors import ConfigurationInvalid
from local_node.commitment import REPORT, UNANSWERED, Reporting, open_report
from local_node.config import NodeSettings
from sync.jobs.executor import Executor
from sync.jobs.ledger import Ledger
from sync.jobs.work import JobClass
from tests.commitment.house import CT_ITEM, Committing
from tests.commitment.modality import CommitmentScu
from tests.intake.house import Cold
from tests.intake.samples import image, sent
from tests.peers.processes import LOOPBACK, Endpoint, free_port

PROCESSING_FAILURE = 0x0110


class Worker:
    """A node's worker with one peer, CT1."""

    def __init__(self, cold: Cold) -> None:
        self.house = Committing(cold)
        self.ledger = Ledger(cold.index)
        self.port = free_port()
        self.ct1 = CommitmentScu("CT1", Endpoint(LOOPBACK, 0, "RXA"))
        reporting = Reporting(
            cold.index,
            Letterbox(cold.directory / "letters"),
            DestinationTable({"CT1": Destination("CT1", LOOPBACK, self.port)}),
            SystemClock(),
            "RXA",
            "RXA",
        )
        self.executor = Executor(
            self.ledger, {REPORT: reporting.run}, owner="test", clock=cold.clock
        )

    def judged(self, calling_ae: str = "CT1", transaction: str = "1.2.9") -> None:
        """Have a request of an AE taken in and judged."""
        before = len(self.house.told)
        self.house.request(CT_ITEM, calling_ae=calling_ae, transaction=transaction)
        self.house.take_in()
        self.house.look()
        with self.house.cold.index.writing() as conn:
            for told in self.house.told[before:]:
                open_report(self.ledger, conn, told)

    def work(self) -> bool:
        self.house.cold.clock.advance(400)
        return self.executor.run_one(JobClass.URGENT)

    def jobs(self) -> list[dict[str, Any]]:
        return self.house.cold.rows("job")

    def states(self) -> list[str]:
        return [job["state"] for job in self.jobs()]


@pytest.fixture
def worker(cold: Cold) -> Iterator[Worker]:
    cold.store(sent(image()))
    made = Worker(cold)
    yield made
    made.executor.stop(1)


def test_a_result_that_was_acknowledged_is_told_no_more_until_it_is_asked_for_again(
    worker: Worker,
) -> None:
    worker.judged()
    with worker.ct1.listening(worker.port):
        assert worker.work()
        assert not worker.work()
        worker.judged()
        assert worker.work()

    assert [worker.ct1.hear().transaction_uid for _ in range(2)] == ["1.2.9", "1.2.9"]
    assert worker.ct1.told.empty()
    assert worker.states() == ["COMPLETED", "COMPLETED"]
    assert [row["state"] for row in worker.house.cold.rows("commitment")] == ["REPORTED"]


def test_a_request_that_comes_again_while_it_is_told_is_not_told_twice(worker: Worker) -> None:
    worker.judged()
    worker.ct1.on_hearing = [worker.judged]
    with worker.ct1.listening(worker.port):
        assert worker.work()
        assert not worker.work()

    assert worker.states() == ["COMPLETED"]


def test_a_peer_that_is_away_is_tried_for_ever_and_keeps_nobody_else_waiting(
    worker: Worker,
) -> None:
    worker.judged()
    for _ in range(5):
        assert worker.work()
    assert worker.states() == ["SCHEDULED"]
    assert worker.jobs()[0]["spoilt"] == 0
    assert set(worker.executor.breakers.states()) == {"CT1"}

    with worker.ct1.listening(worker.port):
        assert worker.work()
    assert worker.states() == ["COMPLETED"]
    assert worker.executor.breakers.states() == {}


def test_a_peer_that_declines_is_tried_for_ever_and_counts_as_one_that_answers(
    worker: Worker,
) -> None:
    worker.judged()
    worker.ct1.answer[:] = [PROCESSING_FAILURE] * 5
    with worker.ct1.listening(worker.port):
        for _ in range(5):
            assert worker.work()
        assert worker.states() == ["SCHEDULED"]
        assert worker.executor.breakers.states() == {}
        assert worker.work()
    assert worker.states() == ["COMPLETED"]


def test_an_ae_without_an_address_fails_at_once_and_is_shown_to_a_person_once(
    worker: Worker,
) -> None:
    for transaction in ("1.2.9", "1.2.10"):
        worker.judged("STRANGER", transaction)
        assert worker.work()

    assert worker.states() == ["FAILED", "FAILED"]
    (finding,) = worker.house.cold.rows("data_quality")
    assert (finding["code"], finding["subject"]) == (UNANSWERED, "STRANGER")


def test_a_node_without_a_centre_cannot_be_told_to_have_it_prove_anything(tmp_path: Path) -> None:
    file = tmp_path / "node.toml"
    file.write_text(
        f'directory = "{tmp_path}"\nbroker = "redis://localhost"\n'
        '[node]\nname = "RXA"\norganisation = "RXA"\nae_title = "RXA"\n'
        '[[authorities]]\nnamespace = "RXA"\n[commitment]\nproof = "centre"\n',
        encoding="utf-8",
    )
    with pytest.raises(ConfigurationInvalid, match=r"commitment\.proof"):
        load(NodeSettings, file)
