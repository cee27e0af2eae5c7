"""Leases: a running job is its worker's until the lease runs out or somebody takes it away."""

from collections.abc import Mapping, Sequence

from sqlalchemy import ColumnElement, Connection, insert, or_, select, update

from archive.index.tables import job, job_heartbeat
from archive.states import JobState
from sync.jobs.moves import now
from sync.jobs.work import Claimed, Interruption

LONGEST_LEASE_MS = 600_000
"""No lease is given for longer."""


def lengthen(conn: Connection, claimed: Claimed, lease_ms: int) -> None:
    """Move the end of a lease, counted from now; does nothing to a job that is not ours."""
    ours = (
        job.c.id == claimed.job_id,
        job.c.token == claimed.token,
        job.c.state == JobState.IN_PROGRESS,
    )
    conn.execute(update(job).where(*ours).values(lease_until=now() + lease_ms))


def taken_away(conn: Connection, claims: Sequence[Claimed]) -> Mapping[int, Interruption]:
    """Return which of these jobs are no longer under these claims, and why."""
    tokens = {claimed.job_id: claimed.token for claimed in claims}
    rows = conn.execute(select(job.c.id, job.c.token, job.c.state).where(job.c.id.in_(tokens)))
    states = {row.id: row.state for row in rows if row.token == tokens[row.id]}
    return {
        job_id: _why(states.get(job_id))
        for job_id in tokens
        if states.get(job_id) != JobState.IN_PROGRESS
    }


def beat(conn: Connection, job_id: int, progress: str) -> None:
    """Note how far a running job is; a job has one such row, and only while it runs."""
    values = {"at": now(), "progress": progress}
    noted = conn.execute(
        update(job_heartbeat).where(job_heartbeat.c.job_id == job_id).values(values)
    )
    if noted.rowcount == 0:
        conn.execute(insert(job_heartbeat).values({"job_id": job_id, **values}))


def expired() -> tuple[ColumnElement[bool], ...]:
    """Return the guard of jobs whose worker has not been heard of for a lease.

    A lease that ends absurdly late was given before the clock was set back.
    """
    ends = job.c.lease_until
    has_ended = or_(ends < now(), ends > now() + LONGEST_LEASE_MS)
    return (job.c.state == JobState.IN_PROGRESS, has_ended)


def _why(state: str | None) -> Interruption:
    return Interruption.CANCELED if state == JobState.CANCELED else Interruption.LOST
