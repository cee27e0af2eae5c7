"""Runs one claimed job: the lease kept, the outcome recorded, whatever the work did."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import structlog

from archive.clock import Clock, SystemClock
from archive.errors import ArchiveError, StateMoved
from archive.unexpected import told_of
from sync.jobs.breaker import Breakers
from sync.jobs.caps import Caps
from sync.jobs.heart import Grip, Heart
from sync.jobs.ledger import Ledger
from sync.jobs.slots import Slots
from sync.jobs.work import Claimed, Interrupted, Interruption, JobClass

Kinds = Mapping[str, Callable[[Claimed], str]]
"""What each kind of work does; it returns its evidence, or raises."""

LEASE_MS = 15_000

_log = structlog.get_logger("jobs")


@dataclass(slots=True)
class Executor:
    """The bench of one worker process. Any number of threads may call `run_one`.

    `owner` names this process in leases; no two processes share a name.
    """

    ledger: Ledger
    kinds: Kinds
    owner: str
    slots: Slots = field(default_factory=lambda: Slots(4))
    caps: Caps = field(default_factory=Caps)
    lease_ms: int = LEASE_MS
    clock: Clock = field(default_factory=SystemClock)
    breakers: Breakers = field(init=False)
    heart: Heart = field(init=False)

    def __post_init__(self) -> None:
        self.breakers = Breakers(self.clock)
        self.heart = Heart(self.ledger, self.clock, self.lease_ms)

    @property
    def stopping(self) -> threading.Event:
        """Set when this worker is to end: nothing more begins, running work is put down."""
        return self.heart.stopping

    def run_one(self, job_class: JobClass) -> bool:
        """Do the best due job of a class; False when there is none, or no free slot, or we stop.

        Raises:
            DatabaseUnavailable: nothing could be claimed.
        """
        with self.slots.taken(job_class) as taken:
            if not taken or self.stopping.is_set():
                return False
            claimed = self.ledger.claim(
                job_class=job_class,
                owner=self.owner,
                lease_ms=self.lease_ms,
                caps=self.current_caps(),
                kinds=self.kinds.keys(),
            )
            if claimed is None:
                return False
            with self.heart.holding(claimed) as grip:
                self._run(grip)
            return True

    def due(self, job_class: JobClass) -> int:
        """Return how many jobs of a class this worker could begin now."""
        free = 0 if self.stopping.is_set() else self.slots.free(job_class)
        if not free:
            return 0
        return self.ledger.due(
            job_class, caps=self.current_caps(), most=free, kinds=self.kinds.keys()
        )

    def current_caps(self) -> Caps:
        """Return the caps as the circuit breakers leave them."""
        return self.caps.narrowed(self.breakers.limits())

    def stop(self, seconds: float) -> bool:
        """Begin nothing more and wait for running work to be put down; False when some was not."""
        self.stopping.set()
        return self.slots.wait_empty(seconds)

    def _run(self, grip: Grip) -> None:
        began = self.clock.monotonic()
        try:
            ended = self._conclude(grip)
        except StateMoved as error:
            ended = f"lost: {error.sentence}"
        except ArchiveError as error:  # the outcome could not be written; the lease gives it back
            ended = f"unrecorded: {type(error).__name__}"
        _log.info(
            "job.ended",
            job=grip.claimed.job_id,
            kind=grip.claimed.kind,
            attempt=grip.claimed.attempt,
            end=ended,
            seconds=round(self.clock.monotonic() - began, 3),
        )

    def _conclude(self, grip: Grip) -> str:
        """Do the work and record how it ended; return the end in a word.

        Raises:
            StateMoved: the job went to somebody else meanwhile.
            DatabaseUnavailable: the end could not be written.
        """
        claimed = grip.claimed
        try:
            evidence = self.kinds[claimed.kind](claimed)
        except Interrupted as interrupted:
            return self._put_down(grip, interrupted.why)
        except Exception as error:  # noqa: BLE001 - whatever the work did, its row must say so
            return self._failed(claimed, error)
        self.breakers.note(claimed.destination, None)
        if not grip.settled:
            self.ledger.complete(claimed, evidence)
        return "completed"

    def _put_down(self, grip: Grip, why: Interruption) -> str:
        if why is Interruption.STOPPING and not grip.settled:
            self.ledger.release(grip.claimed, why)
        return why

    def _failed(self, claimed: Claimed, error: Exception) -> str:
        self.breakers.note(claimed.destination, error)
        if not isinstance(error, ArchiveError):
            _log.error("job.fell", job=claimed.job_id, kind=claimed.kind, **told_of(error))
        decision = self.ledger.fail(claimed, error)
        if decision.retry_after_ms is None:
            return f"failed: {type(error).__name__}"
        return f"again in {decision.retry_after_ms} ms: {type(error).__name__}"
