"""Whatever happens in whatever order: what is done stays done, and nothing is lost."""

import shutil
import tempfile
from collections import Counter
from pathlib import Path
from typing import ClassVar

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from archive.errors import DigestMismatch, NotPermitted, PeerUnreachable, StateMoved
from archive.index.engine import Index
from archive.states import JobState
from sync.jobs.ledger import Ledger
from sync.jobs.listing import JobFilter, Listing
from sync.jobs.policy import Policy
from sync.jobs.work import Claimed
from tests.jobs.clocks import MovedClock
from tests.jobs.works import LEASE_MS, claim, put

ERRORS = (PeerUnreachable("Away."), DigestMismatch("Differs."), NotPermitted("No."), KeyError())
ENDS = st.sampled_from(("complete", "fail", "release", "vanish"))


class Interleavings(RuleBasedStateMachine):
    """Workers that finish, fail, stall and die at any moment, over one ledger."""

    migrated: ClassVar[Path]

    def __init__(self) -> None:
        super().__init__()
        self.directory = tempfile.TemporaryDirectory()
        path = Path(self.directory.name) / "index.sqlite"
        shutil.copy(self.migrated, path)
        self.clock = MovedClock()
        self.index = Index(f"sqlite:///{path}", clock=self.clock)
        self.ledger = Ledger(self.index, Policy(jitter=lambda: 0.5))
        self.listing = Listing(self.index)
        self.claims: list[Claimed] = []
        self.wanted: set[int] = set()
        self.done: Counter[int] = Counter()

    @rule(key=st.integers(0, 5))
    def want(self, key: int) -> None:
        job_id = put(self.ledger, f"{key}", destination=f"peer {key % 2}")
        if job_id is not None:
            self.wanted.add(job_id)

    @rule(owner=st.sampled_from(("one", "two")))
    def begin(self, owner: str) -> None:
        claimed = claim(self.ledger, owner=owner)
        if claimed is not None:
            assert self.done[claimed.job_id] == 0
            self.claims.append(claimed)

    @precondition(lambda self: self.claims)
    @rule(which=st.integers(0, 99), end=ENDS, error=st.sampled_from(ERRORS), twice=st.booleans())
    def end(self, which: int, end: str, error: Exception, *, twice: bool) -> None:
        """A worker ends its work, perhaps long after its lease, perhaps twice."""
        claimed = self.claims[which % len(self.claims)]
        if not twice:
            self.claims.remove(claimed)
        try:
            self._end(claimed, end, error)
        except StateMoved:
            assert self._is_stale(claimed)

    def _end(self, claimed: Claimed, end: str, error: Exception) -> None:
        if end == "complete":
            self.ledger.complete(claimed, "done")
            self.done[claimed.job_id] += 1
        elif end == "fail":
            self.ledger.fail(claimed, error)
        elif end == "release":
            self.ledger.release(claimed, "stopping")

    def _is_stale(self, claimed: Claimed) -> bool:
        line = self.listing.job(claimed.job_id)
        with self.index.reading() as conn:
            row = conn.exec_driver_sql("SELECT token FROM job WHERE id = ?", (claimed.job_id,))
            token = row.scalar_one()
        return line.state is not JobState.IN_PROGRESS or token != claimed.token

    @rule(seconds=st.sampled_from((0.4, 2, LEASE_MS / 1000 + 1, 400)))
    def let_time_pass(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @rule()
    def recover(self) -> None:
        self.ledger.recover()

    @rule(destination=st.sampled_from(("peer 0", "peer 1")))
    def come_back(self, destination: str) -> None:
        self.ledger.hasten(destination)

    @precondition(lambda self: self.wanted)
    @rule(which=st.integers(0, 99), retry=st.booleans())
    def interfere(self, which: int, *, retry: bool) -> None:
        job_id = sorted(self.wanted)[which % len(self.wanted)]
        act = self.ledger.retry if retry else self.ledger.cancel
        try:
            act(job_id, actor="operator")
        except StateMoved:
            assert self.listing.job(job_id).state is not JobState.FAILED

    @invariant()
    def nothing_is_done_twice(self) -> None:
        assert all(count <= 1 for count in self.done.values())

    @invariant()
    def nothing_is_lost(self) -> None:
        assert {line.job_id for line in self.listing.jobs()} == self.wanted
        completed = self.listing.jobs(JobFilter(state=JobState.COMPLETED))
        assert {line.job_id for line in completed} == {n for n, count in self.done.items() if count}

    def teardown(self) -> None:
        """However it stood, honest workers bring everything to its end."""
        for line in self.listing.jobs():
            if line.state in (JobState.FAILED, JobState.CANCELED):
                self.ledger.retry(line.job_id, actor="operator")
        self.clock.advance(LEASE_MS / 1000 + 1)
        self.ledger.recover()
        self.clock.advance(400)
        while (claimed := claim(self.ledger)) is not None:
            assert self.done[claimed.job_id] == 0
            self.ledger.complete(claimed, "done")
            self.done[claimed.job_id] += 1
        assert self.done == Counter(self.wanted)
        self.index.close()
        self.directory.cleanup()


def test_no_interleaving_loses_work_or_does_it_twice(migrated: Path) -> None:
    Interleavings.migrated = migrated
    run_state_machine_as_test(
        Interleavings,
        settings=settings(max_examples=20, stateful_step_count=25, deadline=None),
    )


@pytest.mark.parametrize("seconds", [0, LEASE_MS / 1000 + 1])
def test_a_message_that_comes_twice_does_its_work_once(
    ledger: Ledger, clock: MovedClock, seconds: float
) -> None:
    put(ledger, "a")
    first = claim(ledger, owner="one")
    assert first is not None
    clock.advance(seconds)
    assert claim(ledger, owner="two") is None
    ledger.complete(first, "done")
    ledger.recover()
    clock.advance(400)
    assert claim(ledger, owner="two") is None
