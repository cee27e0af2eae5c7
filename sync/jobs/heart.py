"""The heart of a worker: it renews the leases of what runs and hears when work is taken away."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from sqlalchemy import Connection

from archive.clock import Clock
from sync.jobs.ledger import Ledger
from sync.jobs.work import Claimed, Interrupted, Interruption

BEAT_S = 1.0
"""One look a second at what runs, and at most one write."""

_BEATS_PER_LEASE = 3


@dataclass(slots=True)
class Grip:
    """A worker's hold on one running job."""

    claimed: Claimed
    ledger: Ledger
    stopping: threading.Event
    taken_away: Interruption | None = None
    settled: bool = False
    progress: str = ""
    noted: str = ""

    def check(self, progress: str) -> None:
        """Note how far the work is. Raises Interrupted when it must be put down."""
        if progress:
            self.progress = progress
        if self.taken_away is not None:
            raise Interrupted(self.taken_away)
        if self.stopping.is_set():
            raise Interrupted(Interruption.STOPPING)

    def settle(self, conn: Connection, evidence: str) -> None:
        """Complete the job inside the transaction of its effect. Raises StateMoved."""
        self.ledger.complete_in(conn, self.claimed, evidence)
        self.settled = True


@dataclass(slots=True)
class Heart:
    """Beats for all jobs of one worker together; `once` is called every `BEAT_S`."""

    ledger: Ledger
    clock: Clock
    lease_ms: int
    stopping: threading.Event = field(default_factory=threading.Event)
    _grips: dict[int, Grip] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _renewed_at: float = 0.0

    @contextmanager
    def holding(self, claimed: Claimed) -> Iterator[Grip]:
        """Keep the lease of a job while the block runs it."""
        grip = Grip(claimed, self.ledger, self.stopping)
        grip.claimed = replace(claimed, hold=grip)
        with self._lock:
            self._grips[claimed.job_id] = grip
        try:
            yield grip
        finally:
            with self._lock:
                if self._grips.get(claimed.job_id) is grip:
                    del self._grips[claimed.job_id]

    def once(self) -> bool:
        """Renew what needs it and see what was taken away; False, as there is never more to do.

        Raises:
            DatabaseUnavailable: nothing was renewed; the next beat tries again.
        """
        with self._lock:
            grips = [grip for grip in self._grips.values() if grip.taken_away is None]
        if grips:
            self._beat(grips)
        return False

    def _beat(self, grips: list[Grip]) -> None:
        claims = [grip.claimed for grip in grips]
        news = {g.claimed.job_id: g.progress for g in grips if g.progress != g.noted}
        due = self.clock.monotonic() - self._renewed_at >= self.lease_ms / 1000 / _BEATS_PER_LEASE
        if not due and not news:
            self._tell(grips, self.ledger.taken_away(claims))
            return
        gone = self.ledger.renew(claims, lease_ms=self.lease_ms, progress=news)
        self._renewed_at = self.clock.monotonic()
        for grip in grips:
            grip.noted = news.get(grip.claimed.job_id, grip.noted)
        self._tell(grips, gone)

    def _tell(self, grips: list[Grip], gone: Mapping[int, Interruption]) -> None:
        for grip in grips:
            grip.taken_away = gone.get(grip.claimed.job_id)
