"""Storage Commitment, Push Model, in types (PS3.4 Annex J)."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Any

from archive.words.uids import Uid

PUSH_MODEL = Uid("1.2.840.10008.1.20.1")
"""Storage Commitment Push Model SOP Class (PS3.4 Section J.3.5)."""
PUSH_MODEL_INSTANCE = Uid("1.2.840.10008.1.20.1.1")
"""Its one well-known SOP Instance (PS3.4 Section J.3.5)."""
REQUEST_STORAGE_COMMITMENT = 1
"""The one Action Type (PS3.4 Table J.3-1)."""


class CommitmentEvent(IntEnum):
    """Event Types of the result (PS3.4 Table J.3-2)."""

    ALL_COMMITTED = 1
    """Storage Commitment Request Successful."""
    FAILURES_EXIST = 2
    """Storage Commitment Request Complete, Failures Exist."""


class FailureReason(IntEnum):
    """Failure Reason (0008,1197) of one item (PS3.3 Section C.14.1.1)."""

    PROCESSING_FAILURE = 0x0110
    """Rejected, quarantined, held for a person, or not proven in time."""
    NO_SUCH_OBJECT_INSTANCE = 0x0112
    """Nothing under that UID has come from that AE."""
    CLASS_INSTANCE_CONFLICT = 0x0119
    """It has come, and is of another SOP Class."""
    DUPLICATE_TRANSACTION_UID = 0x0131
    """The AE has used the Transaction UID for another request."""


class Proof(StrEnum):
    """What makes octets committed."""

    NODE = "node"
    """They are durable and verified here."""
    CENTRE = "centre"
    """The central store, too, has confirmed every digest."""


@dataclass(frozen=True, slots=True, order=True)
class Referenced:
    """One item of the Referenced SOP Sequence (0008,1199)."""

    sop_class_uid: str
    sop_instance_uid: str


@dataclass(frozen=True, slots=True)
class CommitmentRequest:
    """What the Action Information asks (PS3.4 Table J.3-1)."""

    transaction_uid: str
    items: tuple[Referenced, ...]
    """At least one, in the order asked."""

    @property
    def content(self) -> bytes:
        """SHA-256 of what is asked for, in whatever order: the same for the same request."""
        pairs = sorted({(item.sop_class_uid, item.sop_instance_uid) for item in self.items})
        return hashlib.sha256(json.dumps(pairs).encode()).digest()


@dataclass(frozen=True, slots=True)
class Judgement:
    """The answer to one item."""

    item: Referenced
    failure: FailureReason | None = None
    """None: committed."""
    why: str = ""
    """What lies behind a failure, in a word for the log; the peer is not told."""


@dataclass(frozen=True, slots=True)
class CommitmentResult:
    """The answer to one request, item by item."""

    transaction_uid: str
    judgements: tuple[Judgement, ...]

    @property
    def event(self) -> CommitmentEvent:
        """The Event Type that tells it."""
        if any(judgement.failure is not None for judgement in self.judgements):
            return CommitmentEvent.FAILURES_EXIST
        return CommitmentEvent.ALL_COMMITTED

    def counts(self) -> Mapping[str, int]:
        """Return how many items are committed, and how many failed for each reason."""
        told = ["committed" if one.failure is None else one.failure.name for one in self.judgements]
        return {name.lower(): told.count(name) for name in dict.fromkeys(told)}

    def encoded(self) -> bytes:
        """Return JSON: ``[transaction UID, [[class, instance, reason or null, why], …]]``."""
        rows = [
            [one.item.sop_class_uid, one.item.sop_instance_uid, one.failure, one.why]
            for one in self.judgements
        ]
        return json.dumps([self.transaction_uid, rows], separators=(",", ":")).encode()

    @classmethod
    def decoded(cls, octets: bytes) -> "CommitmentResult":
        """Return what :meth:`encoded` wrote.

        Raises:
            ValueError: octets that it did not write.
        """
        transaction_uid, rows = json.loads(octets)
        return cls(transaction_uid, tuple(_judgement(*row) for row in rows))


def _judgement(sop_class_uid: str, uid: str, reason: Any, why: str) -> Judgement:  # noqa: ANN401
    failure = None if reason is None else FailureReason(reason)
    return Judgement(Referenced(sop_class_uid, uid), failure, why)
