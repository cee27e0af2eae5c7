"""Clocks that jump, forward by a day and back by a day: work is delayed by no more than a lease."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from archive.errors import DigestMismatch, PeerUnreachable, StateMoved
from archive.index.engine import Index
from archive.states import JobState
from sync.jobs.caps import Caps
from sync.jobs.ledger import Ledger
from sync.jobs.work import Claimed, JobClass, Work
from tests.faults.objects import images
from tests.intake.house import Cold, MovedClock, cold_side

DAY = 86_400.0
LEASE_MS = 15_000
JUMPS = pytest.mark.parametrize("seconds", [DAY, -DAY], ids=["forward", "back"])


@pytest.fixture
def cold(tmp_path: Path) -> Iterator[Cold]:
    clock = MovedClock()
    index = Index(f"sqlite:///{tmp_path / 'index.sqlite'}", clock=clock)
    index.migrate()
    yield cold_side(tmp_path, index, clock)
    index.close()


@pytest.fixture
def ledger(cold: Cold) -> Ledger:
    return Ledger(cold.index)


def ask(ledger: Ledger, key: str = "key") -> int:
    work = Work(
        kind="k", subject="s", destination="", job_class=JobClass.ROUTINE, idempotency_key=key
    )
    with ledger.index.writing() as conn:
        job_id = ledger.enqueue(conn, work)
    assert job_id is not None
    return job_id


def claim(ledger: Ledger, owner: str) -> Claimed | None:
    return ledger.claim(
        job_class=JobClass.ROUTINE, owner=owner, lease_ms=LEASE_MS, caps=Caps(), kinds=None
    )


def state(cold: Cold, job_id: int) -> str:
    (row,) = (row for row in cold.rows("job") if row["id"] == job_id)
    return str(row["state"])


@JUMPS
def test_work_asked_for_before_the_clock_jumped_is_due_after_it(
    cold: Cold, ledger: Ledger, seconds: float
) -> None:
    ask(ledger)
    cold.clock.advance(seconds)

    assert claim(ledger, "worker") is not None


@JUMPS
def test_work_of_a_lost_worker_goes_back_within_a_lease_whatever_the_clock_does(
    cold: Cold, ledger: Ledger, seconds: float
) -> None:
    job_id = ask(ledger)
    assert claim(ledger, "lost") is not None
    cold.clock.advance(seconds)
    cold.clock.advance(LEASE_MS / 1000 + 1)

    assert ledger.recover() == 1

    assert state(cold, job_id) == JobState.SCHEDULED


@JUMPS
def test_a_worker_that_lives_keeps_its_work_once_it_has_renewed_after_the_jump(
    cold: Cold, ledger: Ledger, seconds: float
) -> None:
    job_id = ask(ledger)
    claimed = claim(ledger, "living")
    assert claimed is not None
    cold.clock.advance(seconds)

    assert ledger.renew([claimed], lease_ms=LEASE_MS, progress={}) == {}

    assert ledger.recover() == 0
    ledger.complete(claimed, "done")
    assert state(cold, job_id) == JobState.COMPLETED


def test_work_that_a_jump_took_away_is_completed_by_its_new_worker_alone(
    cold: Cold, ledger: Ledger
) -> None:
    job_id = ask(ledger)
    first = claim(ledger, "first")
    assert first is not None
    cold.clock.advance(DAY)
    assert ledger.recover() == 1
    cold.clock.advance(1)
    second = claim(ledger, "second")
    assert second is not None

    with pytest.raises(StateMoved):
        ledger.complete(first, "done by the first")
    ledger.complete(second, "done by the second")

    assert state(cold, job_id) == JobState.COMPLETED
    evidence = [row["evidence"] for row in cold.rows("job_event") if row["state"] == "COMPLETED"]
    assert evidence == ["done by the second"]


def test_damage_after_a_long_outage_is_still_tried_again(cold: Cold, ledger: Ledger) -> None:
    """A line that was away five times and then turned one bit is no reason to give up."""
    job_id = ask(ledger)
    for number in range(5):
        claimed = claim(ledger, f"worker {number}")
        assert claimed is not None
        ledger.fail(claimed, PeerUnreachable("Away."))
        cold.clock.advance(DAY)
    claimed = claim(ledger, "worker")
    assert claimed is not None

    ledger.fail(claimed, DigestMismatch("One bit was turned."))

    assert state(cold, job_id) == JobState.SCHEDULED


@JUMPS
def test_a_series_is_sealed_after_its_quiet_time_whatever_the_clock_does(
    cold: Cold, seconds: float
) -> None:
    objects = images(3)
    cold.store(*objects)
    cold.take_in()
    assert not cold.sealer().once(), "it is not quiet yet"
    cold.clock.advance(seconds)

    cold.seal()

    assert cold.number("pack") == 1
    assert cold.number("instance") == 0


def test_a_late_instance_after_a_jump_forward_makes_a_pack_of_its_own(cold: Cold) -> None:
    early, late = images(2)
    cold.store(early)
    cold.take_in()
    cold.clock.advance(DAY)
    cold.seal()
    cold.clock.advance(-DAY)

    cold.store(late)
    cold.take_in()
    cold.seal()

    assert cold.number("pack") == 2
    assert cold.answers() == {"Registered": 2}


def test_segments_named_by_a_clock_set_back_are_all_taken_in(cold: Cold) -> None:
    first, second = images(2)
    cold.store(first)
    cold.clock.advance(-DAY)
    cold.store(second)

    cold.take_in()

    assert cold.answers() == {"Registered": 2}
