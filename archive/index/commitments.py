"""Storage commitment requests: what was asked, what was found, whether it has arrived.

    (none) --asked--> REQUESTED --judged--> JUDGED --acknowledged--> REPORTED
      |                                     ^   ^                       |
      +-- Transaction UID in use: 0131H ----+   +----- asked again -----+

The same request again (same AE, Transaction UID and items) is one row, and its result is told
again. Other items under a Transaction UID that the AE has used already are a duplicate.
"""

import json
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from archive.errors import NotFound, StateMoved
from archive.index import tables
from archive.index.engine import serialise
from archive.states import COMMITMENT_MOVES, CommitmentState
from archive.words.commitment import (
    CommitmentRequest,
    CommitmentResult,
    FailureReason,
    Judgement,
    Referenced,
)

_COLUMNS = tables.commitment.c


@dataclass(frozen=True, slots=True)
class Asked:
    """The row of a request that came."""

    commitment_id: int
    state: CommitmentState


@dataclass(frozen=True, slots=True)
class Requested:
    """A request that is to be judged."""

    commitment_id: int
    calling_ae: str
    custodian_id: int
    request: CommitmentRequest
    awaits: frozenset[str]
    """Names of the spool segments that were there when the request was taken in."""
    requested_ms: int


@dataclass(frozen=True, slots=True)
class Judged:
    """A request whose result is known."""

    commitment_id: int
    calling_ae: str
    content: bytes
    result: CommitmentResult
    state: CommitmentState


def ask(
    conn: Connection,
    request: CommitmentRequest,
    *,
    calling_ae: str,
    custodian_id: int,
    awaits: Iterable[str],
    at_ms: int,
) -> Asked:
    """Take charge of a request, in the transaction that takes its record in."""
    serialise(conn, "commitment", calling_ae, request.transaction_uid)
    same_uid = select(tables.commitment).where(
        _COLUMNS.calling_ae == calling_ae, _COLUMNS.transaction_uid == request.transaction_uid
    )
    known = conn.execute(same_uid).all()
    for row in known:
        if row.content == request.content:
            return _asked_again(conn, row)
    says = {
        "calling_ae": calling_ae,
        "transaction_uid": request.transaction_uid,
        "content": request.content,
        "custodian_id": custodian_id,
        "awaits": json.dumps(sorted(awaits)),
        "requested_at": at_ms,
    }
    if known:
        said = {"state": CommitmentState.JUDGED.value, "judged_at": at_ms}
        return _insert(conn, says | said | {"body": _packed(_duplicate(request).encoded())})
    said = {"state": CommitmentState.REQUESTED.value}
    return _insert(conn, says | said | {"body": _packed(_request_octets(request))})


def waiting(conn: Connection) -> list[int]:
    """Return the numbers of the requests that are not judged yet, the oldest first."""
    query = select(_COLUMNS.id).where(_COLUMNS.state == CommitmentState.REQUESTED.value)
    return [row.id for row in conn.execute(query.order_by(_COLUMNS.id))]


def requested(conn: Connection, commitment_id: int) -> Requested:
    """Return a request that is not judged yet.

    Raises:
        NotFound: no such request, or it is judged.
    """
    row = conn.execute(select(tables.commitment).where(_COLUMNS.id == commitment_id)).first()
    if row is None or row.state != CommitmentState.REQUESTED.value:
        raise NotFound("No such storage commitment request waits.", number=commitment_id)
    return Requested(
        commitment_id=row.id,
        calling_ae=row.calling_ae,
        custodian_id=row.custodian_id,
        request=_request(row.transaction_uid, zlib.decompress(row.body)),
        awaits=frozenset(json.loads(row.awaits)),
        requested_ms=row.requested_at,
    )


def settle(conn: Connection, commitment_id: int, result: CommitmentResult, *, at_ms: int) -> None:
    """Write the result of a request.

    Raises:
        StateMoved: another process has judged it.
    """
    says = {"body": _packed(result.encoded()), "awaits": "[]", "judged_at": at_ms}
    before, after = CommitmentState.REQUESTED, CommitmentState.JUDGED
    _move(conn, commitment_id, before=before, after=after, says=says)


def judged(conn: Connection, commitment_id: int) -> Judged:
    """Return a request whose result is known.

    Raises:
        NotFound: no such request, or it is not judged yet.
    """
    row = conn.execute(select(tables.commitment).where(_COLUMNS.id == commitment_id)).first()
    if row is None or row.state == CommitmentState.REQUESTED.value:
        raise NotFound("No such storage commitment request is judged.", number=commitment_id)
    return Judged(
        commitment_id=row.id,
        calling_ae=row.calling_ae,
        content=row.content,
        result=CommitmentResult.decoded(zlib.decompress(row.body)),
        state=CommitmentState(row.state),
    )


def acknowledge(conn: Connection, commitment_id: int, *, at_ms: int) -> None:
    """Note that the result has arrived; one that has arrived already stays so."""
    before, after = CommitmentState.JUDGED, CommitmentState.REPORTED
    state = conn.execute(select(_COLUMNS.state).where(_COLUMNS.id == commitment_id)).scalar()
    if state != after.value:
        _move(conn, commitment_id, before=before, after=after, says={"reported_at": at_ms})


def _asked_again(conn: Connection, row: Row[Any]) -> Asked:
    state = CommitmentState(row.state)
    if state is CommitmentState.REPORTED:
        _move(conn, row.id, before=state, after=CommitmentState.JUDGED, says={})
        return Asked(row.id, CommitmentState.JUDGED)
    return Asked(row.id, state)


def _insert(conn: Connection, values: dict[str, Any]) -> Asked:
    query = insert(tables.commitment).values(values).returning(_COLUMNS.id)
    return Asked(conn.execute(query).scalar_one(), CommitmentState(values["state"]))


def _move(
    conn: Connection,
    commitment_id: int,
    *,
    before: CommitmentState,
    after: CommitmentState,
    says: dict[str, object],
) -> None:
    where = (_COLUMNS.id == commitment_id, _COLUMNS.state == before.value)
    moved = 0
    if after in COMMITMENT_MOVES[before]:
        change = update(tables.commitment).where(*where).values(state=after.value, **says)
        moved = conn.execute(change).rowcount
    if moved == 0:
        raise StateMoved(
            "The storage commitment request is not in that state.",
            number=commitment_id,
            before=before.value,
            after=after.value,
        )


def _duplicate(request: CommitmentRequest) -> CommitmentResult:
    failure = FailureReason.DUPLICATE_TRANSACTION_UID
    judgements = (Judgement(item, failure, "TRANSACTION_UID_IN_USE") for item in request.items)
    return CommitmentResult(request.transaction_uid, tuple(judgements))


def _request_octets(request: CommitmentRequest) -> bytes:
    pairs = [(item.sop_class_uid, item.sop_instance_uid) for item in request.items]
    return json.dumps(pairs, separators=(",", ":")).encode()


def _request(transaction_uid: str, octets: bytes) -> CommitmentRequest:
    return CommitmentRequest(
        transaction_uid, tuple(Referenced(*pair) for pair in json.loads(octets))
    )


def _packed(octets: bytes) -> bytes:
    return zlib.compress(octets, 6)
