"""Writing work down, in the transaction of the fact that calls for it."""

import json
from collections.abc import Mapping

from sqlalchemy import Connection, insert, select, update

from archive.index.engine import serialise
from archive.index.tables import job
from archive.states import JobState
from sync.jobs.moves import FINISHED, move, now, record
from sync.jobs.work import AT_ONCE, NO_DEADLINE, PRESSING, Work


def enqueue(conn: Connection, work: Work, *, reopen: bool) -> int | None:
    """Write work down; return its number, or None when its key needs nothing more."""
    serialise(conn, "job", work.idempotency_key)
    found = conn.execute(
        select(job.c.id, job.c.state).where(job.c.idempotency_key == work.idempotency_key)
    ).first()
    if found is None:
        return _insert(conn, work)
    if found.state not in FINISHED:
        _press(conn, found.id, work)
        return None
    return _reopen(conn, found.id, JobState(found.state), work) if reopen else None


_ANEW: Mapping[str, object] = {
    "not_before": AT_ONCE,
    "attempt": 0,
    "spoilt": 0,
    "cause": "",
    "finished_at": None,
}


def rearm(conn: Connection, job_id: int, *, evidence: str, values: Mapping[str, object]) -> None:
    """Send a failed or cancelled job back to work with all its tries.

    Raises:
        NotFound: there is no such job.
        StateMoved: it stands elsewhere.
    """
    move(
        conn,
        job_id,
        source={JobState.FAILED, JobState.CANCELED},
        target=JobState.SCHEDULED,
        evidence=evidence,
        values={**_ANEW, **values},
    )


def _insert(conn: Connection, work: Work) -> int:
    values = {
        **_wanted(work),
        "idempotency_key": work.idempotency_key,
        "state": JobState.SCHEDULED,
        "created_at": now(),
    }
    job_id = conn.execute(insert(job).values(values).returning(job.c.id)).scalar_one()
    record(conn, job_id, JobState.SCHEDULED, f"wanted by {work.wanted_by or 'this tier'}")
    return int(job_id)


def _wanted(work: Work) -> dict[str, object]:
    """Return the columns; weight is kept negated, so that an index has the best job first."""
    return {
        "kind": work.kind,
        "subject": work.subject,
        "destination": work.destination,
        "class": work.job_class,
        "weight": -work.weight,
        "wanted_by": work.wanted_by,
        "payload": json.dumps(dict(work.payload), sort_keys=True, separators=(",", ":")),
        "deadline": NO_DEADLINE if work.deadline_ms is None else work.deadline_ms,
        "not_before": AT_ONCE if work.not_before_ms is None else work.not_before_ms,
    }


def _press(conn: Connection, job_id: int, work: Work) -> None:
    """Let a waiting job profit from being wanted again, more urgently."""
    lesser = PRESSING[PRESSING.index(work.job_class) + 1 :]
    waiting = (job.c.id == job_id, job.c.state == JobState.SCHEDULED)
    conn.execute(
        update(job)
        .where(*waiting, job.c["class"].in_(lesser))
        .values({"class": work.job_class, "not_before": AT_ONCE, "wanted_by": work.wanted_by})
    )


def _reopen(conn: Connection, job_id: int, state: JobState, work: Work) -> int:
    if state is JobState.COMPLETED:
        _set_aside(conn, job_id, work.idempotency_key)
        return _insert(conn, work)
    evidence = f"wanted again by {work.wanted_by or 'this tier'}"
    rearm(conn, job_id, evidence=evidence, values=_wanted(work))
    return job_id


def _set_aside(conn: Connection, job_id: int, key: str) -> None:
    """Keep what is done under a key of its own: nothing moves out of COMPLETED."""
    conn.execute(update(job).where(job.c.id == job_id).values(idempotency_key=f"{key}#{job_id}"))
