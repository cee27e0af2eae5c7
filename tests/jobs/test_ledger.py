"""The ledger's promises, on SQLite and on PostgreSQL."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from archive.errors import DigestMismatch, NotFound, NotPermitted, PeerUnreachable, StateMoved
from archive.states import JobState
from sync.jobs.caps import Caps
from sync.jobs.ledger import Ledger
from sync.jobs.listing import JobFilter, Listing
from sync.jobs.moves import move
from sync.jobs.work import JobClass
from tests.jobs.clocks import MovedClock
from tests.jobs.works import LEASE_MS, claim, must_claim, put, work
from tests.peers.processes import wait_until


def state_of(ledger: Ledger, job_id: int) -> JobState:
    return Listing(ledger.index).job(job_id).state


class FactFailed(Exception):
    pass


def test_work_is_written_in_the_transaction_of_its_fact(either: Ledger) -> None:
    def fact() -> None:
        with either.index.writing() as conn:
            either.enqueue(conn, work("a"))
            raise FactFailed

    with pytest.raises(FactFailed):
        fact()
    assert Listing(either.index).jobs() == []


def test_a_key_is_never_live_twice(either: Ledger) -> None:
    first = put(either, "a")
    assert first is not None
    assert put(either, "a") is None
    must_claim(either)
    assert put(either, "a", reopen=True) is None
    assert [line.job_id for line in Listing(either.index).jobs()] == [first]


def test_two_transactions_write_the_same_key_once(either: Ledger) -> None:
    barrier = threading.Barrier(4)

    def ask(_n: int) -> int | None:
        barrier.wait()
        return put(either, "same")

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(ask, range(4)))
    assert len([answer for answer in answers if answer is not None]) == 1


def test_what_is_claimed_is_what_was_asked_for(either: Ledger) -> None:
    put(either, "a", payload={"pack": "ab" * 32, "n": 2}, deadline_ms=5)
    claimed = must_claim(either)
    assert (claimed.kind, claimed.subject, claimed.destination) == (
        "put",
        "subject of a",
        "centre",
    )
    assert claimed.job_class is JobClass.ROUTINE
    assert claimed.payload == {"pack": "ab" * 32, "n": 2}
    assert (claimed.attempt, claimed.token, claimed.deadline_ms) == (1, 1, 5)
    assert (claimed.owner, claimed.wanted_by) == ("worker", "test")
    claimed.check()


def test_the_best_is_claimed_first_by_weight_then_deadline_then_age(either: Ledger) -> None:
    put(either, "old")
    put(either, "young")
    put(either, "late deadline", deadline_ms=2000)
    put(either, "early deadline", deadline_ms=1000)
    put(either, "heavy", weight=1)
    order = [must_claim(either).idempotency_key for _ in range(5)]
    assert order == ["heavy", "early deadline", "late deadline", "old", "young"]
    assert claim(either) is None


def test_a_class_is_claimed_by_itself(either: Ledger) -> None:
    put(either, "a", job_class=JobClass.BACKFILL)
    assert claim(either) is None
    assert claim(either, job_class=JobClass.BACKFILL) is not None


def test_work_of_an_unknown_kind_is_left_for_who_knows_it(either: Ledger) -> None:
    put(either, "a", kind="verify")
    assert claim(either, kinds=["put"]) is None
    assert claim(either, kinds=["verify"]) is not None


def test_a_destination_at_its_cap_is_passed_over(either: Ledger) -> None:
    for n in range(3):
        put(either, f"slow {n}", destination="slow", weight=9)
    put(either, "fast", destination="fast")
    caps = Caps(default=2)
    order = [claim(either, caps=caps) for _ in range(4)]
    assert [c.destination if c else None for c in order] == ["slow", "slow", "fast", None]


def test_a_destination_that_is_narrowed_to_nothing_gets_nothing(either: Ledger) -> None:
    put(either, "a", destination="dead")
    put(either, "here", destination="")
    caps = Caps().narrowed({"dead": 0})
    claimed = claim(either, caps=caps)
    assert claimed is not None
    assert claimed.destination == ""
    assert claim(either, caps=caps) is None


def test_the_cap_holds_when_many_claim_at_once(either: Ledger) -> None:
    for n in range(12):
        put(either, f"{n}")
    caps = Caps(default=3)
    with ThreadPoolExecutor(6) as pool:
        claims = list(pool.map(lambda n: claim(either, owner=f"w{n}", caps=caps), range(12)))
    assert len([c for c in claims if c is not None]) == 3


def test_two_workers_claim_disjoint_jobs(either: Ledger) -> None:
    wanted = {put(either, f"{n}") for n in range(30)}

    def drain(owner: str) -> list[int]:
        taken = []
        while (claimed := claim(either, owner=owner)) is not None:
            taken.append(claimed.job_id)
        return taken

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(drain, ("one", "two"))
    assert sorted(first + second) == sorted(n for n in wanted if n is not None)


def test_history_is_written_with_each_move(either: Ledger) -> None:
    job_id = put(either, "a")
    assert job_id is not None
    either.fail(must_claim(either), PeerUnreachable("The centre did not answer."))
    either.retry(job_id, actor="operator")
    either.complete(must_claim(either), "3 digests confirmed")
    events = Listing(either.index).events(job_id)
    assert [event.seq for event in events] == [1, 2, 3, 4, 5, 6]
    assert [(event.state.value, event.evidence) for event in events] == [
        ("SCHEDULED", "wanted by test"),
        ("IN_PROGRESS", "claimed by worker, attempt 1"),
        ("SCHEDULED", "PeerUnreachable: The centre did not answer."),
        ("SCHEDULED", "tried again by operator"),
        ("IN_PROGRESS", "claimed by worker, attempt 2"),
        ("COMPLETED", "3 digests confirmed"),
    ]


def test_a_completed_job_cannot_be_completed_or_failed_again(either: Ledger) -> None:
    put(either, "a")
    claimed = must_claim(either)
    either.complete(claimed, "done")
    for move_again in (
        lambda: either.complete(claimed, "done"),
        lambda: either.fail(claimed, PeerUnreachable("Late.")),
        lambda: either.release(claimed, "late"),
        lambda: either.cancel(claimed.job_id, actor="operator"),
        lambda: either.retry(claimed.job_id, actor="operator"),
    ):
        with pytest.raises(StateMoved):
            move_again()
    assert claim(either) is None


def test_an_effect_is_undone_when_its_job_was_taken_away(either: Ledger) -> None:
    put(either, "a")
    claimed = must_claim(either)
    either.cancel(claimed.job_id, actor="operator")

    def effect() -> None:
        with either.index.writing() as conn:
            either.enqueue(conn, work("the effect"))
            either.complete_in(conn, claimed, "done")

    with pytest.raises(StateMoved):
        effect()
    assert [line.subject for line in Listing(either.index).jobs()] == ["subject of a"]


def test_a_move_that_no_table_allows_is_a_defect(either: Ledger) -> None:
    job_id = put(either, "a")
    assert job_id is not None
    with pytest.raises(ValueError, match="no job moves"), either.index.writing() as conn:
        move(
            conn,
            job_id,
            source={JobState.COMPLETED},
            target=JobState.SCHEDULED,
            evidence="never",
        )


def test_a_lease_that_ran_out_gives_the_job_to_another_and_fences_the_first(
    either: Ledger,
) -> None:
    put(either, "a")
    first = claim(either, owner="first", lease_ms=0)
    assert first is not None
    wait_until(lambda: either.recover() == 1, what="the lease ran out")
    wait_until(lambda: either.hasten("centre") == 0, what="nothing waits")
    second = must_claim(either, owner="second")
    assert second.job_id == first.job_id
    assert second.token > first.token
    for late in (
        lambda: either.complete(first, "late"),
        lambda: either.fail(first, PeerUnreachable("Late.")),
        lambda: either.release(first, "late"),
    ):
        with pytest.raises(StateMoved):
            late()
    either.complete(second, "done")
    assert state_of(either, second.job_id) is JobState.COMPLETED


def test_a_renewed_lease_is_not_recovered(ledger: Ledger, clock: MovedClock) -> None:
    put(ledger, "a")
    claimed = must_claim(ledger)
    clock.advance(LEASE_MS / 1000 - 1)
    assert ledger.renew([claimed], lease_ms=LEASE_MS, progress={claimed.job_id: "half"}) == {}
    clock.advance(LEASE_MS / 1000 - 1)
    assert ledger.recover() == 0
    assert Listing(ledger.index).job(claimed.job_id).progress == "half"
    clock.advance(2)
    assert ledger.recover() == 1
    assert Listing(ledger.index).job(claimed.job_id).cause == "the worker was lost"


def test_a_job_that_kills_its_workers_is_tried_ever_more_rarely(
    ledger: Ledger, clock: MovedClock
) -> None:
    job_id = put(ledger, "a")
    assert job_id is not None
    pauses = []
    for _ in range(4):
        must_claim(ledger)
        clock.advance(LEASE_MS / 1000 + 1)
        assert ledger.recover() == 1
        pause = Listing(ledger.index).job(job_id).not_before_ms - ledger.index.now_ms()
        clock.advance(pause / 1000)
        pauses.append(pause)
    assert pauses == [500, 1000, 2000, 4000]


def test_a_peer_that_is_away_is_tried_for_ever(ledger: Ledger, clock: MovedClock) -> None:
    job_id = put(ledger, "a")
    assert job_id is not None
    for _ in range(30):
        ledger.fail(must_claim(ledger), PeerUnreachable("The centre did not answer."))
        assert claim(ledger) is None
        clock.advance(300)
    line = Listing(ledger.index).job(job_id)
    assert (line.state, line.attempt) == (JobState.SCHEDULED, 30)


def test_what_waits_for_a_peer_is_due_when_it_is_back(ledger: Ledger) -> None:
    put(ledger, "a")
    put(ledger, "elsewhere", destination="other")
    for _ in range(2):
        ledger.fail(must_claim(ledger), PeerUnreachable("Away."))
    assert ledger.hasten("centre") == 1
    claimed = must_claim(ledger)
    assert claimed.destination == "centre"
    assert claim(ledger) is None


def test_damage_is_tried_three_times_and_shown_to_a_person(
    ledger: Ledger, clock: MovedClock
) -> None:
    job_id = put(ledger, "a")
    assert job_id is not None
    for _ in range(3):
        ledger.fail(must_claim(ledger), DigestMismatch("A digest differs."))
        clock.advance(300)
    line = Listing(ledger.index).job(job_id)
    assert (line.state, line.cause) == (JobState.FAILED, "DigestMismatch: A digest differs.")
    assert line.finished_at_ms is not None


def test_what_is_refused_fails_at_once_and_an_operator_may_try_it_again(either: Ledger) -> None:
    job_id = put(either, "a")
    assert job_id is not None
    either.fail(must_claim(either), NotPermitted("The token is not known."))
    assert state_of(either, job_id) is JobState.FAILED
    assert put(either, "a") is None
    either.retry(job_id, actor="operator")
    assert must_claim(either).attempt == 1


def test_the_text_of_an_unexpected_error_stays_out_of_the_ledger(either: Ledger) -> None:
    job_id = put(either, "a")
    assert job_id is not None
    either.fail(must_claim(either), KeyError("Doe^Archibald"))
    assert Listing(either.index).job(job_id).cause == "unexpected KeyError"


def test_work_that_is_put_back_loses_no_attempt(either: Ledger) -> None:
    put(either, "a")
    either.release(must_claim(either), "stopping")
    again = must_claim(either)
    assert (again.attempt, again.token) == (1, 2)


def test_a_cancelled_job_is_not_done_until_it_is_wanted_again(either: Ledger) -> None:
    job_id = put(either, "a")
    assert job_id is not None
    either.cancel(job_id, actor="operator")
    assert claim(either) is None
    assert put(either, "a") is None
    assert put(either, "a", reopen=True, weight=3) == job_id
    assert must_claim(either).job_id == job_id


def test_a_completed_key_begins_a_new_job_and_keeps_the_old(either: Ledger) -> None:
    old = put(either, "a")
    either.complete(must_claim(either), "done")
    assert put(either, "a") is None
    new = put(either, "a", reopen=True)
    assert old is not None
    assert new is not None
    assert new != old
    assert state_of(either, old) is JobState.COMPLETED
    assert must_claim(either).job_id == new


def test_work_that_is_wanted_more_urgently_is_more_urgent(ledger: Ledger) -> None:
    job_id = put(ledger, "a", job_class=JobClass.BACKFILL)
    assert put(ledger, "a", job_class=JobClass.URGENT) is None
    assert put(ledger, "a", job_class=JobClass.ROUTINE) is None
    claimed = claim(ledger, job_class=JobClass.URGENT)
    assert claimed is not None
    assert claimed.job_id == job_id


def test_an_unknown_job_is_not_found(either: Ledger) -> None:
    for ask in (
        lambda: either.retry(99, actor="operator"),
        lambda: either.cancel(99, actor="operator"),
        lambda: Listing(either.index).job(99),
    ):
        with pytest.raises(NotFound):
            ask()


def test_an_operator_lists_by_state_class_and_destination(either: Ledger) -> None:
    put(either, "a")
    put(either, "b", destination="other", job_class=JobClass.URGENT)
    either.fail(must_claim(either), PeerUnreachable("Away."))
    listing = Listing(either.index)
    assert [line.subject for line in listing.jobs()] == ["subject of b", "subject of a"]
    put_off = listing.jobs(JobFilter(destination="centre", state=JobState.SCHEDULED))
    assert [line.cause for line in put_off] == ["PeerUnreachable: Away."]
    assert len(listing.jobs(limit=1)) == 1
    assert [line.job_id for line in listing.jobs(before=listing.jobs(limit=1)[0].job_id)] == [
        put_off[0].job_id
    ]
    assert listing.counts() == {
        (JobClass.ROUTINE, JobState.SCHEDULED): 1,
        (JobClass.URGENT, JobState.SCHEDULED): 1,
    }
    centre, other = listing.destinations()
    assert (centre.destination, centre.waiting, centre.put_off) == ("centre", 1, 1)
    assert centre.cause == "PeerUnreachable: Away."
    assert centre.next_try_ms == put_off[0].not_before_ms
    assert (other.put_off, other.next_try_ms, other.cause) == (0, None, "")


def test_due_work_is_counted_no_further_than_asked(ledger: Ledger, clock: MovedClock) -> None:
    now = ledger.index.now_ms()
    for n in range(5):
        put(ledger, f"{n}")
    put(ledger, "later", not_before_ms=now + 1000)
    assert ledger.due(JobClass.ROUTINE, caps=Caps(), most=3) == 3
    assert ledger.due(JobClass.ROUTINE, caps=Caps(), most=9) == 5
    clock.advance(1)
    assert ledger.due(JobClass.ROUTINE, caps=Caps(), most=9) == 6
