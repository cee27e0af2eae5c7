"""Which job is the best due one: the one question that every claim and every sweep asks."""

from collections.abc import Collection

from sqlalchemy import ColumnElement, Connection, Row, Select, func, select

from archive.index.tables import job
from archive.states import JobState
from sync.jobs.caps import Caps
from sync.jobs.moves import now
from sync.jobs.work import JobClass


def best_due(
    conn: Connection, job_class: JobClass, *, caps: Caps, kinds: Collection[str] | None
) -> Row[tuple[object, ...]] | None:
    """Return the due job of a class to do next, or None: weight, then deadline, then age.

    Jobs whose destination is at its cap are passed over; on PostgreSQL the row is locked.
    """
    full = caps.full(_running(conn))
    statement = (
        select(job)
        .where(*_claimable(job_class, full, kinds))
        .order_by(job.c.weight, job.c.deadline, job.c.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    return conn.execute(statement).first()


def count_due(
    conn: Connection, job_class: JobClass, *, caps: Caps, kinds: Collection[str] | None, most: int
) -> int:
    """Return how many jobs of a class could be claimed now, counted no further than `most`."""
    full = caps.full(_running(conn))
    some: Select[tuple[int]] = (
        select(job.c.id).where(*_claimable(job_class, full, kinds)).limit(most)
    )
    return int(conn.execute(select(func.count()).select_from(some.subquery())).scalar_one())


def _running(conn: Connection) -> dict[str, int]:
    statement = (
        select(job.c.destination, func.count().label("running"))
        .where(job.c.state == JobState.IN_PROGRESS)
        .group_by(job.c.destination)
    )
    return {row.destination: row.running for row in conn.execute(statement)}


def _claimable(
    job_class: JobClass, full: Collection[str], kinds: Collection[str] | None
) -> list[ColumnElement[bool]]:
    guards = [
        job.c.state == JobState.SCHEDULED,
        job.c["class"] == job_class,
        job.c.not_before <= now(),
    ]
    if full:
        guards.append(job.c.destination.not_in(sorted(full)))
    if kinds is not None:
        guards.append(job.c.kind.in_(sorted(kinds)))
    return guards
