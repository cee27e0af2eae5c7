"""The states of things and their moves. A move that no table here allows is a defect."""

from collections.abc import Mapping
from enum import StrEnum


class StudyState(StrEnum):
    """Where a study of this archive stands."""

    RECEIVING = "RECEIVING"
    """Instances came a moment ago; more are expected."""
    STABLE = "STABLE"
    """Quiet, and every instance is sealed into a pack."""
    REPLICATED = "REPLICATED"
    """Every pack is CONFIRMED at the other tier."""


class CopyState(StrEnum):
    """Where a copy at one place stands."""

    HELD = "HELD"
    """Written there; nobody else has proven it yet."""
    CONFIRMED = "CONFIRMED"
    """That place has answered that every digest is durable and verified."""
    EVICTING = "EVICTING"
    EVICTED = "EVICTED"
    DAMAGED = "DAMAGED"


class InstanceState(StrEnum):
    """How an instance is shown. Kept as an overlay: VISIBLE has no row."""

    VISIBLE = "VISIBLE"
    REJECTED = "REJECTED"
    """Named by a rejection note (IHE RAD IOCM); bytes are kept, no door shows it."""
    QUARANTINED = "QUARANTINED"
    """Other pixels, class or study under a UID that is taken; a person decides."""
    DELETED = "DELETED"


class JobState(StrEnum):
    """The states of work in the words of UPS (PS3.4 Section CC.1.1)."""

    SCHEDULED = "SCHEDULED"
    IN_PROGRESS = "IN_PROGRESS"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELED = "CANCELED"


class CommitmentState(StrEnum):
    """Where a storage commitment request stands (PS3.4 Annex J)."""

    REQUESTED = "REQUESTED"
    """Taken charge of; what it names may still be in the spool."""
    JUDGED = "JUDGED"
    """The result is known, and nobody has acknowledged it yet."""
    REPORTED = "REPORTED"
    """The AE that asked has acknowledged the result."""


class LinkState(StrEnum):
    """How far a link between two local patients is trusted."""

    CONFIRMED = "CONFIRMED"
    PROVISIONAL = "PROVISIONAL"
    QUARANTINED = "QUARANTINED"
    REVOKED = "REVOKED"


class OrderState(StrEnum):
    """Where an order of the centre to a node stands; offered until it is acknowledged."""

    OFFERED = "OFFERED"
    ACKNOWLEDGED = "ACKNOWLEDGED"
    DONE = "DONE"
    FAILED = "FAILED"
    WITHDRAWN = "WITHDRAWN"


STUDY_MOVES: Mapping[StudyState, frozenset[StudyState]] = {
    StudyState.RECEIVING: frozenset({StudyState.STABLE}),
    StudyState.STABLE: frozenset({StudyState.REPLICATED, StudyState.RECEIVING}),
    StudyState.REPLICATED: frozenset({StudyState.RECEIVING}),
}

COPY_MOVES: Mapping[CopyState, frozenset[CopyState]] = {
    CopyState.HELD: frozenset({CopyState.CONFIRMED, CopyState.DAMAGED}),
    CopyState.CONFIRMED: frozenset({CopyState.EVICTING, CopyState.DAMAGED}),
    CopyState.EVICTING: frozenset({CopyState.CONFIRMED, CopyState.EVICTED}),
    CopyState.EVICTED: frozenset({CopyState.HELD}),
    CopyState.DAMAGED: frozenset({CopyState.HELD}),
}

INSTANCE_MOVES: Mapping[InstanceState, frozenset[InstanceState]] = {
    InstanceState.VISIBLE: frozenset(
        {InstanceState.REJECTED, InstanceState.QUARANTINED, InstanceState.DELETED}
    ),
    InstanceState.QUARANTINED: frozenset(
        {InstanceState.VISIBLE, InstanceState.REJECTED, InstanceState.DELETED}
    ),
    InstanceState.REJECTED: frozenset({InstanceState.DELETED}),
    InstanceState.DELETED: frozenset(),
}

COMMITMENT_MOVES: Mapping[CommitmentState, frozenset[CommitmentState]] = {
    CommitmentState.REQUESTED: frozenset({CommitmentState.JUDGED}),
    CommitmentState.JUDGED: frozenset({CommitmentState.REPORTED}),
    CommitmentState.REPORTED: frozenset({CommitmentState.JUDGED}),
}

JOB_MOVES: Mapping[JobState, frozenset[JobState]] = {
    JobState.SCHEDULED: frozenset({JobState.IN_PROGRESS, JobState.CANCELED, JobState.COMPLETED}),
    JobState.IN_PROGRESS: frozenset(
        {JobState.COMPLETED, JobState.FAILED, JobState.CANCELED, JobState.SCHEDULED}
    ),
    JobState.COMPLETED: frozenset(),
    JobState.FAILED: frozenset({JobState.SCHEDULED, JobState.CANCELED}),
    JobState.CANCELED: frozenset({JobState.SCHEDULED}),
}

ORDER_MOVES: Mapping[OrderState, frozenset[OrderState]] = {
    OrderState.OFFERED: frozenset({OrderState.ACKNOWLEDGED, OrderState.WITHDRAWN}),
    OrderState.ACKNOWLEDGED: frozenset(
        {OrderState.DONE, OrderState.FAILED, OrderState.WITHDRAWN, OrderState.OFFERED}
    ),
    OrderState.DONE: frozenset(),
    OrderState.FAILED: frozenset({OrderState.OFFERED}),
    OrderState.WITHDRAWN: frozenset(),
}
