"""The ledger of work: what is to be done, who does it, how it ended. The database is the truth.

Every move is guarded by the state it comes from; a claim is fenced by a token that rises each time
a job is claimed. Leases and due times are written and compared by the database's clock.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Row, select, update

from archive.errors import ArchiveError
from archive.index.engine import Index, serialise
from archive.index.tables import job
from archive.states import JobState
from sync.jobs.asking import enqueue, rearm
from sync.jobs.caps import Caps
from sync.jobs.due import best_due, count_due
from sync.jobs.leases import beat, expired, lengthen, taken_away
from sync.jobs.moves import move, now, record
from sync.jobs.policy import Decision, Policy, counts
from sync.jobs.work import Claimed, Interruption, JobClass, Work, deadline_of

_RUNNING = frozenset({JobState.IN_PROGRESS})
_WAITING = frozenset({JobState.SCHEDULED})
_RELEASED: Mapping[str, object] = {"lease_owner": "", "lease_until": None}


@dataclass(frozen=True, slots=True)
class Ledger:
    """The work of one tier.

    `enqueue` and `complete_in` join the caller's transaction; all else is a transaction of its
    own and may raise DatabaseUnavailable.
    """

    index: Index
    policy: Policy = field(default_factory=Policy)

    # --- asking for work ---

    def enqueue(self, conn: Connection, work: Work, *, reopen: bool = False) -> int | None:
        """Write work down in the transaction of the fact that calls for it; return its number.

        None when its key is there already. A job that waits takes the more pressing class of the
        two and is due now. With `reopen` a finished key is done again: a failed or cancelled job
        goes back to work, after a completed one a new job begins.
        """
        return enqueue(conn, work, reopen=reopen)

    # --- doing work ---

    def claim(
        self,
        *,
        job_class: JobClass,
        owner: str,
        lease_ms: int,
        caps: Caps,
        kinds: Collection[str] | None = None,
    ) -> Claimed | None:
        """Take the best due job of a class, or None; with `kinds`, only work of those kinds."""
        with self.index.writing() as conn:
            serialise(conn, "jobs", "claim")
            row = best_due(conn, job_class, caps=caps, kinds=kinds)
            if row is None:
                return None
            claimed = _claimed(row, owner)
            _begin(conn, claimed, lease_ms)
            return claimed

    def complete(self, claimed: Claimed, evidence: str) -> None:
        """Record that the work is done.

        Raises:
            StateMoved: the job is no longer ours.
        """
        with self.index.writing() as conn:
            self.complete_in(conn, claimed, evidence)

    def complete_in(self, conn: Connection, claimed: Claimed, evidence: str) -> None:
        """Complete in the transaction of the effect, which StateMoved then undoes."""
        _end(conn, claimed, JobState.COMPLETED, evidence, {"finished_at": now(), "cause": ""})

    def fail(self, claimed: Claimed, error: BaseException) -> Decision:
        """Record that the work failed: back to SCHEDULED or FAILED, as the policy decides.

        Raises:
            StateMoved: the job is no longer ours.
        """
        decision = self.policy.decide(error, attempt=claimed.attempt, spoilt=claimed.spoilt)
        target = JobState.FAILED if decision.gives_up else JobState.SCHEDULED
        cause = _cause(error)
        after = {"cause": cause, "spoilt": claimed.spoilt + int(counts(error))}
        with self.index.writing() as conn:
            _end(conn, claimed, target, cause, {**_later(decision), **after})
        return decision

    def release(self, claimed: Claimed, why: str) -> None:
        """Put work back that was begun and not done; it does not count as an attempt.

        Raises:
            StateMoved: the job is no longer ours.
        """
        with self.index.writing() as conn:
            back = {"attempt": claimed.attempt - 1}
            _end(conn, claimed, JobState.SCHEDULED, f"put back: {why}", back)

    # --- holding work ---

    def taken_away(self, claims: Sequence[Claimed]) -> Mapping[int, Interruption]:
        """Return which of these jobs are no longer ours, and why."""
        with self.index.reading() as conn:
            return taken_away(conn, claims)

    def renew(
        self, claims: Sequence[Claimed], *, lease_ms: int, progress: Mapping[int, str]
    ) -> Mapping[int, Interruption]:
        """Lengthen leases and note progress (by job); return the jobs that are no longer ours."""
        with self.index.writing() as conn:
            for claimed in claims:
                lengthen(conn, claimed, lease_ms)
            gone = taken_away(conn, claims)
            for job_id in progress.keys() - gone.keys():
                beat(conn, job_id, progress[job_id])
            return gone

    def recover(self) -> int:
        """Put back every job whose lease has run out; return how many."""
        lost = select(job).where(*expired())
        with self.index.reading() as conn:
            if conn.execute(lost.limit(1)).first() is None:
                return 0
        with self.index.writing() as conn:
            rows = conn.execute(lost.with_for_update()).all()
            for row in rows:
                self._recover_one(conn, row)
            return len(rows)

    def hasten(self, destination: str) -> int:
        """Make due, now, what waits to try a destination again that has come back."""
        waits = (
            job.c.destination == destination,
            job.c.state == JobState.SCHEDULED,
            job.c.attempt > 0,
            job.c.not_before > now(),
        )
        with self.index.writing() as conn:
            return conn.execute(update(job).where(*waits).values(not_before=now())).rowcount

    def due(
        self, job_class: JobClass, *, caps: Caps, most: int, kinds: Collection[str] | None = None
    ) -> int:
        """Return how many jobs of a class could be claimed now, counted no further than `most`."""
        with self.index.reading() as conn:
            return count_due(conn, job_class, caps=caps, kinds=kinds, most=most)

    # --- operators ---

    def retry(self, job_id: int, *, actor: str) -> None:
        """Send a failed or cancelled job back to work, with all its tries; make a waiting one due.

        Raises:
            NotFound: there is no such job.
            StateMoved: it runs, or is done.
        """
        evidence = f"tried again by {actor}"
        waiting = (job.c.id == job_id, job.c.state == JobState.SCHEDULED)
        with self.index.writing() as conn:
            if conn.execute(update(job).where(*waiting).values(not_before=now())).rowcount:
                record(conn, job_id, JobState.SCHEDULED, evidence)
            else:
                rearm(conn, job_id, evidence=evidence, values={})

    def cancel(self, job_id: int, *, actor: str) -> None:
        """Cancel a job; work that runs is told at its next look.

        Raises:
            NotFound: there is no such job.
            StateMoved: it is done or cancelled already.
        """
        with self.index.writing() as conn:
            move(
                conn,
                job_id,
                source={JobState.SCHEDULED, JobState.IN_PROGRESS, JobState.FAILED},
                target=JobState.CANCELED,
                evidence=f"cancelled by {actor}",
                values={**_RELEASED, "finished_at": now()},
            )

    def _recover_one(self, conn: Connection, row: Row[Any]) -> None:
        again = _later(self.policy.again(row.attempt))
        move(
            conn,
            row.id,
            source=_RUNNING,
            target=JobState.SCHEDULED,
            evidence=f"the lease of {row.lease_owner} ran out",
            token=row.token,
            values={**_RELEASED, **again, "cause": "the worker was lost"},
        )


def _begin(conn: Connection, claimed: Claimed, lease_ms: int) -> None:
    move(
        conn,
        claimed.job_id,
        source=_WAITING,
        target=JobState.IN_PROGRESS,
        evidence=f"claimed by {claimed.owner}, attempt {claimed.attempt}",
        token=claimed.token - 1,
        values={
            "attempt": claimed.attempt,
            "token": claimed.token,
            "lease_owner": claimed.owner,
            "lease_until": now() + lease_ms,
        },
    )


def _end(
    conn: Connection,
    claimed: Claimed,
    target: JobState,
    evidence: str,
    values: Mapping[str, object],
) -> None:
    move(
        conn,
        claimed.job_id,
        source=_RUNNING,
        target=target,
        evidence=evidence,
        token=claimed.token,
        values={**_RELEASED, **values},
    )


def _later(decision: Decision) -> dict[str, object]:
    if decision.retry_after_ms is None:
        return {"finished_at": now()}
    return {"not_before": now() + decision.retry_after_ms}


def _claimed(row: Row[Any], owner: str) -> Claimed:
    return Claimed(
        job_id=row.id,
        kind=row.kind,
        subject=row.subject,
        destination=row.destination,
        job_class=JobClass(getattr(row, "class")),
        idempotency_key=row.idempotency_key,
        payload=json.loads(row.payload),
        attempt=row.attempt + 1,
        spoilt=row.spoilt,
        token=row.token + 1,
        owner=owner,
        wanted_by=row.wanted_by,
        deadline_ms=deadline_of(row.deadline),
    )


def _cause(error: BaseException) -> str:
    """Say why work failed. Only our own errors are known to name no person."""
    if isinstance(error, ArchiveError):
        return f"{type(error).__name__}: {error.sentence}"
    return f"unexpected {type(error).__name__}"
