"""What work is: what is asked for, what a worker gets, and why it may have to put it down."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from sqlalchemy import Connection

from archive.errors import StateMoved

_MOST_KIND = 32
_MOST_SUBJECT = 200
_MOST_DESTINATION = 64
_MOST_KEY = 180
"""Twenty octets less than the column: a finished job's key is set aside with its number behind."""

NO_DEADLINE = 1 << 62
"""The row of a job without a deadline: it sorts last, so that the best job is found by an index."""


AT_ONCE = 0
"""The due time of work that waits for nothing: past, even when the clock is set back."""


class JobClass(StrEnum):
    """How pressing work is, most pressing first. Each class is a queue of its own."""

    URGENT = "urgent"
    """Somebody waits for it at a screen. One slot of each worker takes nothing else."""
    PREFETCH = "prefetch"
    """Priors that must lie there before the patient does."""
    ROUTINE = "routine"
    """Replication of what arrived today."""
    BACKFILL = "backfill"
    """Replication of what a trust held before it joined."""
    VERIFY = "verify"
    """Reading again what is held, to see that it is still whole."""


PRESSING = tuple(JobClass)
"""The classes, most pressing first."""


class Effect(StrEnum):
    """Why doing a kind of work twice is harmless; every kind declares one."""

    IDEMPOTENT = "idempotent"
    """The far end takes the same thing twice as once."""
    GUARDED = "guarded"
    """The effect and the job's completion are one transaction (`Claimed.settle`)."""
    HARMLESS = "harmless"
    """It may happen twice, and nobody minds."""


class Interruption(StrEnum):
    """Why running work must put its tools down; none of these is an error of the work."""

    STOPPING = "stopping"
    """The worker ends; the job goes back and is done elsewhere or later."""
    CANCELED = "canceled"
    """An operator cancelled it."""
    LOST = "lost"
    """The lease ran out and the job belongs to somebody else."""


class Interrupted(BaseException):
    """Raised by `Claimed.check`. No `except Exception` of a kind of work can swallow it."""

    def __init__(self, why: Interruption) -> None:
        super().__init__(f"The work was interrupted: {why}.")
        self.why = why


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What is asked for. The same `idempotency_key` is never live twice.

    `subject` is what the work is about (a UID, a pack), `destination` the peer whose cap and
    circuit breaker govern it; an empty destination is work inside this tier. `payload` is JSON.
    Times are milliseconds since 1970. Higher `weight` goes first, then the earlier `deadline_ms`,
    then age.
    """

    kind: str
    subject: str
    destination: str
    job_class: JobClass
    idempotency_key: str
    payload: Mapping[str, object] = field(default_factory=dict, repr=False)
    weight: int = 0
    deadline_ms: int | None = None
    not_before_ms: int | None = None
    wanted_by: str = ""

    def __post_init__(self) -> None:
        _bound("kind", self.kind, _MOST_KIND)
        _bound("subject", self.subject, _MOST_SUBJECT)
        _bound("idempotency_key", self.idempotency_key, _MOST_KEY)
        if len(self.destination) > _MOST_DESTINATION:
            raise ValueError(f"a destination has at most {_MOST_DESTINATION} characters")


class Hold(Protocol):
    """A worker's grip on a running job."""

    def check(self, progress: str) -> None:
        """Note how far the work is. Raises Interrupted when it must be put down."""

    def settle(self, conn: Connection, evidence: str) -> None:
        """Complete the job inside the transaction of its effect. Raises StateMoved."""


class _NoHold:
    """The hold of a job that no executor runs: nothing interrupts it."""

    def check(self, progress: str) -> None:
        """Return at once."""

    def settle(self, _conn: Connection, _evidence: str) -> None:
        raise StateMoved("No executor runs this job.")


_NO_HOLD = _NoHold()


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """A job that this worker may do, and nobody else, until its lease ends.

    `attempt` counts from 1, `spoilt` those before it that count against the work. `token` rises
    with every claim; what holds an older one has lost.
    """

    job_id: int
    kind: str
    subject: str
    destination: str
    job_class: JobClass
    idempotency_key: str
    payload: Mapping[str, object] = field(compare=False, repr=False)
    attempt: int
    spoilt: int = 0
    token: int
    owner: str
    wanted_by: str = ""
    deadline_ms: int | None = None
    hold: Hold = field(default=_NO_HOLD, compare=False, repr=False)

    def check(self, progress: str = "") -> None:
        """Call at every chunk, at least once a second; costs no query.

        Raises:
            Interrupted: the worker stops, the job is cancelled, or the lease is lost.
        """
        self.hold.check(progress)

    def settle(self, conn: Connection, evidence: str) -> None:
        """Complete the job in `conn`'s transaction, so that its effect happens exactly once.

        Raises:
            StateMoved: the job is no longer ours; let the exception undo the effect.
        """
        self.hold.settle(conn, evidence)


def deadline_of(row_deadline: int | None) -> int | None:
    """Return a row's deadline, None when there is none."""
    return None if row_deadline == NO_DEADLINE else row_deadline


def _bound(name: str, value: str, most: int) -> None:
    if not 0 < len(value) <= most:
        raise ValueError(f"{name} must have 1 to {most} characters, not {len(value)}")
