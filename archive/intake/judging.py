"""Storage commitment requests are judged, when all that may answer them has been taken in.

What an AE asks for is judged by the octets that *it* has sent under the UID. A request waits until
every segment that was in the spool when it was taken in has been taken in too, and, where the
central store is to prove it, until that has confirmed each digest; neither for ever.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import structlog
from sqlalchemy import Connection

from archive.clock import Clock, milliseconds
from archive.errors import NotFound, StateMoved
from archive.index.arrivals import Kept, copies_of, held_reasons, kept_octets, sighted_octets
from archive.index.commitments import Requested, requested, settle, waiting
from archive.index.copies import PackKey
from archive.index.engine import Index
from archive.index.overlay import Overlay, overlay
from archive.index.segments import BEGINNING, SegmentState, progress_of
from archive.intake.commitment import Judged, OnJudged
from archive.states import CopyState, InstanceState
from archive.store.spool import SpoolReader
from archive.words.commitment import (
    CommitmentRequest,
    CommitmentResult,
    FailureReason,
    Judgement,
    Proof,
    Referenced,
)

JUDGE_SECONDS = 0.25
"""Pause of the loop that judges."""
_TOLD = 20
"""So many failures of one request are told in the log by their UID."""
_LONGEST_REST_S = 10.0

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Rest:
    """Until when a request is not looked at again, on the monotonic clock, and how long it is."""

    until: float
    seconds: float


@dataclass(slots=True)
class Judge:
    """The loop that judges requests; any number may run on one index.

    ``wait_seconds``: how long after it was taken in a request may wait; then what is not proven
    counts as a processing failure.
    """

    index: Index
    spool: SpoolReader
    clock: Clock
    proof: Proof
    wait_seconds: float
    on_judged: OnJudged
    _rests: dict[int, "_Rest"] = field(default_factory=dict)

    def once(self) -> bool:
        """Judge the requests that wait for nothing more; False when there was none.

        Raises:
            DatabaseUnavailable: the next call goes on.
        """
        with self.index.reading() as conn:
            numbers = waiting(conn)
        none = _Rest(0.0, JUDGE_SECONDS)
        self._rests = {number: self._rests.get(number, none) for number in numbers}
        now = self.clock.monotonic()
        due = [number for number in numbers if self._rests[number].until <= now]
        return sum(map(self._try, due)) > 0

    def _try(self, number: int) -> bool:
        try:
            looked_at = self._looked_at(number)
            if looked_at is not None:
                self._settle(*looked_at)
                return True
        except (NotFound, StateMoved):  # another process has judged it
            return False
        seconds = min(self._rests[number].seconds * 2, _LONGEST_REST_S)
        self._rests[number] = _Rest(self.clock.monotonic() + seconds, seconds)
        return False

    def _looked_at(self, number: int) -> tuple[Requested, CommitmentResult] | None:
        """Return a request with its result, None while it has to wait."""
        present = self.spool.present()  # before the rows: what has gone by now is in them
        with self.index.reading() as conn:
            one = requested(conn, number)
            doubt = _doubt(conn, one.awaits & present)
            waits_ms = milliseconds(self.clock.now()) - one.requested_ms
            at_last = waits_ms >= self.wait_seconds * 1000
            if doubt is Doubt.STILL_IN_SPOOL and not at_last:
                return None
            evidence = _evidence(conn, one, doubt)
        result = _result(one.request, evidence, self.proof, at_last=at_last)
        return None if result is None else (one, result)

    def _settle(self, one: Requested, result: CommitmentResult) -> None:
        told = Judged(one.commitment_id, one.calling_ae, result.transaction_uid)
        with self.index.writing() as conn:
            at_ms = milliseconds(self.clock.now())
            settle(conn, one.commitment_id, result, at_ms=at_ms)
            self.on_judged(conn, told)
        _tell(one, result)


class Doubt(StrEnum):
    """Why what is not in the index may have come all the same."""

    NONE = ""
    STILL_IN_SPOOL = "STILL_IN_SPOOL"
    SEGMENT_DAMAGED = "SEGMENT_DAMAGED"
    """The disk has harmed a segment behind what could be taken in of it."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that is known of the items of one request."""

    calling_ae: str
    kept: Mapping[str, Sequence[Kept]]
    sighted: Mapping[str, frozenset[bytes]]
    held: Mapping[str, str]
    doubt: Doubt
    shown: Overlay
    copies: Mapping[PackKey, Mapping[str, CopyState]]

    def sent(self, sop_instance_uid: str) -> frozenset[bytes]:
        """Return the digests that the AE has sent under a UID."""
        kept = self.kept.get(sop_instance_uid, ())
        first = frozenset(one.sha256 for one in kept if one.calling_ae == self.calling_ae)
        return first | self.sighted.get(sop_instance_uid, frozenset())


def _result(
    request: CommitmentRequest, evidence: Evidence, proof: Proof, *, at_last: bool
) -> CommitmentResult | None:
    """Return the answer to a request; None while proof of an item may still come."""
    late = FailureReason.PROCESSING_FAILURE
    judgements = []
    for item in request.items:
        judgement = judge(item, evidence, proof)
        if judgement is None and not at_last:
            return None
        judgements.append(judgement or Judgement(item, late, "NOT_PROVEN_IN_TIME"))
    return CommitmentResult(request.transaction_uid, tuple(judgements))


def judge(item: Referenced, evidence: Evidence, proof: Proof) -> Judgement | None:
    """Return the answer to one item; None: what would prove it may still come."""
    uid = item.sop_instance_uid
    sent = evidence.sent(uid)
    if uid in evidence.held:
        failure = FailureReason.PROCESSING_FAILURE
        return Judgement(item, failure, f"HELD_{evidence.held[uid]}")
    if not sent and evidence.doubt:
        return Judgement(item, FailureReason.PROCESSING_FAILURE, evidence.doubt)
    if not sent:
        return Judgement(item, FailureReason.NO_SUCH_OBJECT_INSTANCE, "NEVER_CAME_FROM_IT")
    kept = [one for one in evidence.kept.get(uid, ()) if one.sha256 in sent]
    if kept and all(one.sop_class_uid != item.sop_class_uid for one in kept):
        return Judgement(item, FailureReason.CLASS_INSTANCE_CONFLICT, "OTHER_CLASS")
    for sha256 in sorted(sent):
        copies = [one for one in kept if one.sha256 == sha256]
        if why := _unfit(uid, sha256, copies, evidence):
            return Judgement(item, FailureReason.PROCESSING_FAILURE, why)
    proven = proof is Proof.NODE or sent == _confirmed(kept, evidence)
    return Judgement(item) if proven else None


def _unfit(uid: str, sha256: bytes, copies: Iterable[Kept], evidence: Evidence) -> str:
    """Return why octets that an AE has sent are not safe here, in a word; "" where they are."""
    state = evidence.shown.of(uid, sha256).state
    if state is not InstanceState.VISIBLE:
        return state.value
    whole = [one for one in copies if _is_whole(one, evidence)]
    return "" if whole else "NOT_KEPT"


def _is_whole(kept: Kept, evidence: Evidence) -> bool:
    """Tell whether octets lie here as they came: digested when taken in, again when sealed."""
    if kept.pack is None:
        return True
    here = evidence.copies[kept.pack].get("node", CopyState.HELD)
    return kept.is_here and here in (CopyState.HELD, CopyState.CONFIRMED)


def _confirmed(kept: Iterable[Kept], evidence: Evidence) -> frozenset[bytes]:
    """Return the digests of which the central store has confirmed a pack."""
    return frozenset(
        one.sha256
        for one in kept
        if one.pack is not None and evidence.copies[one.pack].get("centre") is CopyState.CONFIRMED
    )


def _doubt(conn: Connection, segments: frozenset[str]) -> Doubt:
    names = sorted(segments)
    progress = progress_of(conn, names)
    states = {progress.get(name, BEGINNING).state for name in names}
    if not states.isdisjoint((SegmentState.TAKING, SegmentState.COMPARING)):
        return Doubt.STILL_IN_SPOOL
    return Doubt.SEGMENT_DAMAGED if SegmentState.DAMAGED in states else Doubt.NONE


def _evidence(conn: Connection, one: Requested, doubt: Doubt) -> Evidence:
    uids = {item.sop_instance_uid for item in one.request.items}
    kept = kept_octets(conn, custodian_id=one.custodian_id, sop_instance_uids=uids)
    packs = {each.pack for of_uid in kept.values() for each in of_uid if each.pack is not None}
    return Evidence(
        calling_ae=one.calling_ae,
        kept=kept,
        sighted=sighted_octets(
            conn,
            custodian_id=one.custodian_id,
            calling_ae=one.calling_ae,
            sop_instance_uids=uids,
        ),
        held=held_reasons(conn, calling_ae=one.calling_ae, sop_instance_uids=uids),
        doubt=doubt,
        shown=overlay(conn, one.custodian_id, uids),
        copies=copies_of(conn, packs),
    )


def _tell(one: Requested, result: CommitmentResult) -> None:
    _log.info(
        "commitment.judged",
        transaction_uid=result.transaction_uid,
        calling_ae=one.calling_ae,
        items=len(result.judgements),
        **result.counts(),
    )
    failed = [each for each in result.judgements if each.failure is not None]
    for each in failed[:_TOLD]:
        _log.warning(
            "commitment.item_failed",
            transaction_uid=result.transaction_uid,
            sop_instance_uid=each.item.sop_instance_uid,
            reason=f"{each.failure:04X}H",
            why=each.why,
        )
