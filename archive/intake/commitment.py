"""Storage commitment requests at intake: each becomes a row, in the transaction of its record."""

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection, select

from archive.index import tables
from archive.index.commitments import ask
from archive.intake.scan import Measured
from archive.states import CommitmentState
from archive.words.commitment import CommitmentRequest


@dataclass(frozen=True, slots=True)
class Judged:
    """A result that is to be told."""

    commitment_id: int
    calling_ae: str
    transaction_uid: str


OnJudged = Callable[[Connection, Judged], None]
"""Called in the transaction that makes a result known, or wanted once more."""


@dataclass(frozen=True, slots=True)
class Asking:
    """A storage commitment request on its way into the index."""

    request: CommitmentRequest
    calling_ae: str
    awaits: frozenset[str]
    """Names of the segments that may hold what it asks for."""
    measured: Measured


@dataclass(frozen=True, slots=True)
class Commitments:
    """What a tier that commits does with requests; another one keeps them in ``held``."""

    on_judged: OnJudged

    def take(self, conn: Connection, asking: Asking, *, node: str, at_ms: int) -> None:
        """Take charge of a request; one that is answered already is answered again."""
        columns = tables.node.c
        custodian = select(columns.organisation_id).where(columns.name == node)
        asked = ask(
            conn,
            asking.request,
            calling_ae=asking.calling_ae,
            custodian_id=conn.execute(custodian).scalar_one(),
            awaits=asking.awaits,
            at_ms=at_ms,
        )
        if asked.state is CommitmentState.JUDGED:
            transaction_uid = asking.request.transaction_uid
            self.on_judged(conn, Judged(asked.commitment_id, asking.calling_ae, transaction_uid))
