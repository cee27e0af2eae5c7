"""The executor: the lease kept, the outcome recorded, whatever the work did."""

import threading
from collections.abc import Callable

import pytest

from archive.errors import (
    DatabaseUnavailable,
    DigestMismatch,
    NotPermitted,
    PeerUnreachable,
    StateMoved,
)
from archive.states import JobState
from sync.jobs.caps import Caps
from sync.jobs.executor import Executor
from sync.jobs.ledger import Ledger
from sync.jobs.listing import Listing
from sync.jobs.slots import Slots
from sync.jobs.sweep import Sweep
from sync.jobs.work import Claimed, JobClass
from tests.jobs.clocks import MovedClock
from tests.jobs.works import LEASE_MS, put, work

Kind = Callable[[Claimed], str]


def bench(ledger: Ledger, kind: Kind, *, slots: int = 4, owner: str = "bench") -> Executor:
    return Executor(
        ledger,
        {"put": kind},
        owner,
        slots=Slots(slots),
        caps=Caps(default=100),
        lease_ms=LEASE_MS,
        clock=ledger.index.clock,
    )


def raising(error: BaseException) -> Kind:
    def kind(_claimed: Claimed) -> str:
        raise error

    return kind


def state(ledger: Ledger, job_id: int | None) -> JobState:
    assert job_id is not None
    return Listing(ledger.index).job(job_id).state


def ignore(_job_class: JobClass) -> None:
    pass


class Long:
    """Work that looks up at each chunk until it is let go."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.leave = threading.Event()

    def __call__(self, claimed: Claimed) -> str:
        claimed.check("chunk 0")
        self.begun.set()
        chunks = 0
        while not self.leave.wait(0.01):
            chunks += 1
            claimed.check(f"chunk {chunks}")
        return "left"


class Running:
    """An executor at work in another thread."""

    def __init__(self, executor: Executor, long: Long) -> None:
        self.answers: list[bool] = []
        self._thread = threading.Thread(
            target=lambda: self.answers.append(executor.run_one(JobClass.ROUTINE)), daemon=True
        )
        self._thread.start()
        assert long.begun.wait(10)

    def end(self) -> None:
        self._thread.join(10)
        assert not self._thread.is_alive()


def test_done_work_is_completed_with_its_evidence(either: Ledger) -> None:
    job_id = put(either, "a")
    assert bench(either, lambda claimed: f"put {claimed.subject}").run_one(JobClass.ROUTINE)
    assert job_id is not None
    assert Listing(either.index).events(job_id)[-1].evidence == "put subject of a"


def test_nothing_due_is_nothing_done(either: Ledger) -> None:
    assert not bench(either, lambda _: "").run_one(JobClass.ROUTINE)


@pytest.mark.parametrize(
    ("error", "ends"),
    [
        (PeerUnreachable("Away."), JobState.SCHEDULED),
        (DigestMismatch("Differs."), JobState.SCHEDULED),
        (NotPermitted("No."), JobState.FAILED),
        (KeyError("defect"), JobState.SCHEDULED),
    ],
)
def test_each_error_ends_as_its_kind_says(ledger: Ledger, error: Exception, ends: JobState) -> None:
    job_id = put(ledger, "a")
    assert bench(ledger, raising(error)).run_one(JobClass.ROUTINE)
    assert state(ledger, job_id) is ends


def test_a_dead_peer_stops_only_its_own_work_and_comes_back(
    ledger: Ledger, clock: MovedClock
) -> None:
    for n in range(6):
        put(ledger, f"dead {n}", destination="dead", weight=9)
    put(ledger, "alive", destination="alive")
    away, tried = {"dead"}, []

    def kind(claimed: Claimed) -> str:
        tried.append(claimed.destination)
        if claimed.destination in away:
            raise PeerUnreachable("Away.")
        return "done"

    executor = bench(ledger, kind)
    while executor.run_one(JobClass.ROUTINE):
        pass
    assert tried == ["dead", "dead", "dead", "alive"]
    away.clear()
    clock.advance(1)
    assert executor.due(JobClass.ROUTINE) > 0
    assert executor.run_one(JobClass.ROUTINE)
    Sweep(executor, ignore, ignore).once()
    while executor.run_one(JobClass.ROUTINE):
        pass
    assert tried[4:] == ["dead"] * 6


def test_the_lease_of_long_work_is_kept(ledger: Ledger, clock: MovedClock) -> None:
    job_id = put(ledger, "a")
    long = Long()
    executor = bench(ledger, long)
    running = Running(executor, long)
    for _ in range(5):
        clock.advance(LEASE_MS / 2000)
        executor.heart.once()
        assert ledger.recover() == 0
    assert job_id is not None
    assert Listing(ledger.index).job(job_id).progress.startswith("chunk ")
    long.leave.set()
    running.end()
    assert state(ledger, job_id) is JobState.COMPLETED


def test_cancelled_work_is_put_down(ledger: Ledger) -> None:
    job_id = put(ledger, "a")
    assert job_id is not None
    long = Long()
    executor = bench(ledger, long)
    running = Running(executor, long)
    ledger.cancel(job_id, actor="operator")
    executor.heart.once()
    running.end()
    assert state(ledger, job_id) is JobState.CANCELED


def test_work_whose_lease_was_lost_leaves_the_job_to_its_new_owner(
    ledger: Ledger, clock: MovedClock
) -> None:
    job_id = put(ledger, "a")
    long = Long()
    executor = bench(ledger, long)
    running = Running(executor, long)
    clock.advance(LEASE_MS / 1000 + 1)
    ledger.recover()
    clock.advance(1)
    other = bench(ledger, lambda _: "done by the other", owner="other")
    assert other.run_one(JobClass.ROUTINE)
    executor.heart.once()
    running.end()
    assert state(ledger, job_id) is JobState.COMPLETED


def test_a_worker_that_stops_puts_its_work_back(ledger: Ledger) -> None:
    job_id = put(ledger, "a")
    put(ledger, "b")
    long = Long()
    executor = bench(ledger, long)
    running = Running(executor, long)
    assert executor.stop(10)
    running.end()
    assert state(ledger, job_id) is JobState.SCHEDULED
    assert job_id is not None
    assert Listing(ledger.index).job(job_id).attempt == 0
    assert not executor.run_one(JobClass.ROUTINE)
    assert executor.due(JobClass.ROUTINE) == 0


def test_a_worker_does_not_wait_for_ever_for_work_that_does_not_look_up(ledger: Ledger) -> None:
    put(ledger, "a")
    begun, leave = threading.Event(), threading.Event()

    def deaf(_claimed: Claimed) -> str:
        begun.set()
        leave.wait(10)
        return "done"

    executor = bench(ledger, deaf)
    thread = threading.Thread(target=executor.run_one, args=(JobClass.ROUTINE,), daemon=True)
    thread.start()
    assert begun.wait(10)
    assert not executor.stop(0)
    leave.set()
    thread.join(10)


def test_ordinary_work_never_takes_the_urgent_slot(ledger: Ledger) -> None:
    put(ledger, "a")
    put(ledger, "b")
    urgent = put(ledger, "now", kind="fetch", job_class=JobClass.URGENT)
    long = Long()
    executor = Executor(
        ledger,
        {"put": long, "fetch": lambda _: "fetched"},
        "bench",
        slots=Slots(2),
        clock=ledger.index.clock,
    )
    running = Running(executor, long)
    assert not executor.run_one(JobClass.ROUTINE)
    assert executor.run_one(JobClass.URGENT)
    assert state(ledger, urgent) is JobState.COMPLETED
    long.leave.set()
    running.end()


def test_a_guarded_effect_and_its_job_are_one_transaction(either: Ledger) -> None:
    job_id = put(either, "a")

    def kind(claimed: Claimed) -> str:
        with either.index.writing() as conn:
            either.enqueue(conn, work("the effect", kind="other"))
            claimed.settle(conn, "effect written")
        return "not written: the job is settled"

    assert bench(either, kind).run_one(JobClass.ROUTINE)
    assert job_id is not None
    assert Listing(either.index).events(job_id)[-1].evidence == "effect written"
    assert len(Listing(either.index).jobs()) == 2


def test_a_guarded_effect_of_a_lost_job_does_not_happen(either: Ledger) -> None:
    job_id = put(either, "a")

    def kind(claimed: Claimed) -> str:
        either.cancel(claimed.job_id, actor="operator")
        with either.index.writing() as conn:
            either.enqueue(conn, work("the effect", kind="other"))
            claimed.settle(conn, "never")
        return "never"

    assert bench(either, kind).run_one(JobClass.ROUTINE)
    assert state(either, job_id) is JobState.CANCELED
    assert len(Listing(either.index).jobs()) == 1


def test_an_outcome_that_cannot_be_written_is_left_to_the_lease(
    ledger: Ledger, clock: MovedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = put(ledger, "a")
    executor = bench(ledger, lambda _: "done")

    def away(*_: object) -> None:
        raise DatabaseUnavailable("Away.")

    with monkeypatch.context() as patched:
        patched.setattr(Ledger, "complete", away)
        assert executor.run_one(JobClass.ROUTINE)
    assert state(ledger, job_id) is JobState.IN_PROGRESS
    clock.advance(LEASE_MS / 1000 + 1)
    assert ledger.recover() == 1
    clock.advance(1)
    assert executor.run_one(JobClass.ROUTINE)
    assert state(ledger, job_id) is JobState.COMPLETED


def test_the_sweep_wakes_for_due_work_whose_nudge_was_lost(
    ledger: Ledger, clock: MovedClock
) -> None:
    nudged: list[JobClass] = []
    sweep = Sweep(bench(ledger, lambda _: "done"), nudged.append, ignore)
    put(ledger, "a")
    put(ledger, "b", job_class=JobClass.URGENT)
    put(ledger, "later", not_before_ms=ledger.index.now_ms() + 5000)
    sweep.once()
    assert nudged == [JobClass.URGENT, JobClass.ROUTINE]
    clock.advance(5)
    sweep.once()
    assert nudged[2:] == [JobClass.URGENT, JobClass.ROUTINE, JobClass.ROUTINE]


def test_the_sweep_wakes_no_more_than_there_are_free_slots(ledger: Ledger) -> None:
    nudged: list[JobClass] = []
    sweep = Sweep(bench(ledger, lambda _: "done", slots=3), nudged.append, ignore)
    for n in range(9):
        put(ledger, f"{n}")
    sweep.once()
    assert nudged == [JobClass.ROUTINE, JobClass.ROUTINE]


def test_what_stays_due_although_nudges_were_sent_is_done_without_the_broker(
    ledger: Ledger,
) -> None:
    swallowed: list[JobClass] = []
    here: list[JobClass] = []
    sweep = Sweep(bench(ledger, lambda _: "done"), swallowed.append, here.append)
    put(ledger, "a")
    while not here:
        sweep.once()
        assert len(swallowed) < 20
    assert here == [JobClass.ROUTINE]


def test_the_sweep_gives_back_the_work_of_a_lost_worker(ledger: Ledger, clock: MovedClock) -> None:
    job_id = put(ledger, "a")
    ledger.claim(job_class=JobClass.ROUTINE, owner="dead", lease_ms=LEASE_MS, caps=Caps())
    executor = bench(ledger, lambda _: "done")
    ran: list[bool] = []
    sweep = Sweep(executor, lambda job_class: ran.append(executor.run_one(job_class)), ignore)
    clock.advance(LEASE_MS / 1000 + 1)
    sweep.once()
    clock.advance(1)
    sweep.once()
    assert state(ledger, job_id) is JobState.COMPLETED


def test_many_threads_do_every_job_once(either: Ledger) -> None:
    wanted = {put(either, f"{n}") for n in range(40)}
    done: list[int] = []

    def kind(claimed: Claimed) -> str:
        done.append(claimed.job_id)
        return "done"

    executor = bench(either, kind)

    def drain() -> None:
        while len(done) < len(wanted):
            executor.run_one(JobClass.ROUTINE)

    threads = [threading.Thread(target=drain, daemon=True) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(done) == sorted(n for n in wanted if n is not None)


def test_moved_is_told_from_lost(ledger: Ledger) -> None:
    job_id = put(ledger, "a")
    assert job_id is not None

    def kind(claimed: Claimed) -> str:
        ledger.cancel(claimed.job_id, actor="operator")
        raise StateMoved("A row of the work moved.")

    assert bench(ledger, kind).run_one(JobClass.ROUTINE)
    assert state(ledger, job_id) is JobState.CANCELED
