"""Moves of a job from state to state, each guarded by where it comes from, each with its history.

Nothing else writes `job.state` or `job_event`.
"""

from collections.abc import Collection, Mapping

from sqlalchemy import Connection, ScalarSelect, delete, func, insert, literal, select, update

from archive.errors import NotFound, StateMoved
from archive.index.engine import now_ms
from archive.index.tables import job, job_event, job_heartbeat
from archive.states import JOB_MOVES, JobState

FINISHED = frozenset({JobState.COMPLETED, JobState.FAILED, JobState.CANCELED})

_MOST_EVIDENCE = 500


def now() -> ScalarSelect[int]:
    """Return the database's clock as a value that a statement asks for once, not per row."""
    return select(now_ms()).scalar_subquery()


def move(
    conn: Connection,
    job_id: int,
    *,
    source: Collection[JobState],
    target: JobState,
    evidence: str,
    token: int | None = None,
    values: Mapping[str, object] | None = None,
) -> None:
    """Move a job from one of the `source` states to `target` and write it into its history.

    With `token`, only while the job is still under that claim. `values` are further columns.

    Raises:
        NotFound: there is no such job.
        StateMoved: it stands elsewhere, or under a later claim.
    """
    _allow(source, target)
    guard = [job.c.id == job_id, job.c.state.in_(source)]
    if token is not None:
        guard.append(job.c.token == token)
    moved = conn.execute(update(job).where(*guard).values({"state": target, **(values or {})}))
    if moved.rowcount != 1:
        raise _not_there(conn, job_id)
    if source == {JobState.IN_PROGRESS}:
        conn.execute(delete(job_heartbeat).where(job_heartbeat.c.job_id == job_id))
    record(conn, job_id, target, evidence)


def record(conn: Connection, job_id: int, state: JobState, evidence: str) -> None:
    """Append a line to a job's history. `evidence` never holds what could name a person."""
    line = select(
        literal(job_id),
        func.coalesce(func.max(job_event.c.seq), 0) + 1,
        now(),
        literal(state),
        literal(evidence[:_MOST_EVIDENCE]),
    ).where(job_event.c.job_id == job_id)
    conn.execute(insert(job_event).from_select(["job_id", "seq", "at", "state", "evidence"], line))


def _allow(source: Collection[JobState], target: JobState) -> None:
    for state in source:
        if target not in JOB_MOVES[state]:
            raise ValueError(f"no job moves from {state} to {target}")


def _not_there(conn: Connection, job_id: int) -> NotFound | StateMoved:
    state = conn.execute(select(job.c.state).where(job.c.id == job_id)).scalar()
    if state is None:
        return NotFound("There is no such job.", job=job_id)
    return StateMoved("The job has moved meanwhile.", job=job_id, state=state)
