"""What an operator sees of the ledger."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, func, select

from archive.errors import NotFound
from archive.index.engine import Index
from archive.index.tables import job, job_event, job_heartbeat
from archive.states import JobState
from sync.jobs.work import JobClass, deadline_of


@dataclass(frozen=True, slots=True, kw_only=True)
class JobLine:
    """A job as a list shows it. Times are milliseconds since 1970; no payload."""

    job_id: int
    kind: str
    subject: str
    destination: str
    job_class: JobClass
    state: JobState
    attempt: int
    weight: int
    deadline_ms: int | None
    not_before_ms: int
    created_at_ms: int
    finished_at_ms: int | None
    wanted_by: str
    lease_owner: str
    cause: str
    progress: str


@dataclass(frozen=True, slots=True)
class JobEvent:
    """A line of a job's history: the state it moved to, and why."""

    seq: int
    at_ms: int
    state: JobState
    evidence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFilter:
    """Which jobs are listed; what is None is not asked for."""

    state: JobState | None = None
    job_class: JobClass | None = None
    kind: str | None = None
    destination: str | None = None
    subject: str | None = None


@dataclass(frozen=True, slots=True)
class DestinationLine:
    """How work to one destination stands. `cause` is why the work there was last put off."""

    destination: str
    waiting: int
    running: int
    put_off: int
    next_try_ms: int | None
    cause: str


@dataclass(frozen=True, slots=True)
class Listing:
    """Reads of the ledger; all may raise DatabaseUnavailable."""

    index: Index

    def jobs(
        self, wanted: JobFilter | None = None, *, limit: int = 100, before: int | None = None
    ) -> Sequence[JobLine]:
        """Return jobs, newest first; `before` is the last number of the page before."""
        guards = _guards(wanted or JobFilter())
        if before is not None:
            guards.append(job.c.id < before)
        statement = _LINES.where(*guards).order_by(job.c.id.desc()).limit(limit)
        with self.index.reading() as conn:
            return [_line(row) for row in conn.execute(statement)]

    def job(self, job_id: int) -> JobLine:
        """Return one job. Raises NotFound."""
        with self.index.reading() as conn:
            row = conn.execute(_LINES.where(job.c.id == job_id)).first()
        if row is None:
            raise NotFound("There is no such job.", job=job_id)
        return _line(row)

    def events(self, job_id: int) -> Sequence[JobEvent]:
        """Return a job's history, oldest first; empty when there is no such job."""
        statement = select(job_event).where(job_event.c.job_id == job_id).order_by(job_event.c.seq)
        with self.index.reading() as conn:
            return [
                JobEvent(row.seq, row.at, JobState(row.state), row.evidence)
                for row in conn.execute(statement)
            ]

    def counts(self) -> dict[tuple[JobClass, JobState], int]:
        """Return how many jobs there are by class and state."""
        statement = select(job.c["class"], job.c.state, func.count()).group_by(
            job.c["class"], job.c.state
        )
        with self.index.reading() as conn:
            return {
                (JobClass(job_class), JobState(state)): count
                for job_class, state, count in conn.execute(statement)
            }

    def destinations(self) -> Sequence[DestinationLine]:
        """Return how unfinished work stands at each destination, by name.

        What every worker's circuit breaker saw is read off here: work put off, until when, why.
        """
        with self.index.reading() as conn:
            return [_destination(row) for row in conn.execute(_DESTINATIONS)]


_LINES = select(job, func.coalesce(job_heartbeat.c.progress, "").label("progress")).select_from(
    job.outerjoin(job_heartbeat, job_heartbeat.c.job_id == job.c.id)
)

_WAITS = job.c.state == JobState.SCHEDULED
_PUT_OFF = _WAITS & (job.c.cause != "")
_DESTINATIONS = (
    select(
        job.c.destination,
        func.count().filter(_WAITS).label("waiting"),
        func.count().filter(job.c.state == JobState.IN_PROGRESS).label("running"),
        func.count().filter(_PUT_OFF).label("put_off"),
        func.min(job.c.not_before).filter(_PUT_OFF).label("next_try"),
        func.max(job.c.cause).filter(_PUT_OFF).label("cause"),
    )
    .where(job.c.state.in_([JobState.SCHEDULED, JobState.IN_PROGRESS]))
    .group_by(job.c.destination)
    .order_by(job.c.destination)
)


def _guards(wanted: JobFilter) -> list[Any]:
    asked = {
        job.c.state: wanted.state,
        job.c["class"]: wanted.job_class,
        job.c.kind: wanted.kind,
        job.c.destination: wanted.destination,
        job.c.subject: wanted.subject,
    }
    return [column == value for column, value in asked.items() if value is not None]


def _line(row: Row[Any]) -> JobLine:
    return JobLine(
        job_id=row.id,
        kind=row.kind,
        subject=row.subject,
        destination=row.destination,
        job_class=JobClass(getattr(row, "class")),
        state=JobState(row.state),
        attempt=row.attempt,
        weight=-row.weight,
        deadline_ms=deadline_of(row.deadline),
        not_before_ms=row.not_before,
        created_at_ms=row.created_at,
        finished_at_ms=row.finished_at,
        wanted_by=row.wanted_by,
        lease_owner=row.lease_owner,
        cause=row.cause,
        progress=row.progress,
    )


def _destination(row: Row[Any]) -> DestinationLine:
    return DestinationLine(
        row.destination, row.waiting, row.running, row.put_off, row.next_try, row.cause or ""
    )
