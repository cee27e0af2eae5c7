"""Results of storage commitment, told to who asked (PS3.4 Annex J).

A result goes over the association that asked while that is open, else over a new one to the AE in
the table of peers. It is told until the peer acknowledges it; a peer may so hear it twice.
"""

from dataclasses import dataclass

import structlog
from sqlalchemy import Connection

from archive.clock import Clock, milliseconds
from archive.dimse.letterbox import Letterbox
from archive.dimse.peers import Destination, Destinations
from archive.errors import StorageFailed, UnknownDestination
from archive.index.commitments import Judged as JudgedRow
from archive.index.commitments import acknowledge, judged
from archive.index.engine import Index
from archive.index.journal import data_quality_once
from archive.intake.commitment import Judged
from archive.states import CommitmentState
from sync.jobs.ledger import Ledger
from sync.jobs.work import Claimed, Effect, JobClass, Work

REPORT = "report_commitment"
EFFECT = Effect.HARMLESS
"""A peer that hears a result twice has the same result twice."""
UNANSWERED = "COMMITMENT_UNANSWERED"

_log = structlog.get_logger("commitment")


@dataclass(frozen=True, slots=True)
class Reporting:
    """Tells results to the AEs that asked."""

    index: Index
    letterbox: Letterbox
    destinations: Destinations
    clock: Clock
    organisation: str
    """ODS code of this node's trust."""
    ae_title: str
    """Of this node: (0008,0054) in each result."""

    def run(self, job: Claimed) -> str:
        """Tell one result; on return the peer has acknowledged it.

        Raises:
            PeerUnreachable, PeerDeclined: it has not; told again later.
            UnknownDestination: no peer has that AE title, and the association is over.
        """
        number = int(str(job.payload["commitment_id"]))
        with self.index.reading() as conn:
            row = judged(conn, number)
        if row.state is CommitmentState.REPORTED:
            return "told before"
        way = "the association that asked"
        if not self._over_open_association(job, row):
            way = "a new association"
            self._report(row)
        evidence = f"acknowledged over {way}"
        with self.index.writing() as conn:
            acknowledge(conn, number, at_ms=milliseconds(self.clock.now()))
            # In one transaction: whoever asks again finds either a job that will tell, or none.
            job.settle(conn, evidence)
        _log.info(
            "commitment.acknowledged",
            transaction_uid=row.result.transaction_uid,
            calling_ae=row.calling_ae,
            way=way,
        )
        return evidence

    def _over_open_association(self, job: Claimed, row: JudgedRow) -> bool:
        # Only here is DICOM needed, and imported.
        from archive.dimse.commitment import name_of

        name = name_of(row.calling_ae, row.result.transaction_uid, row.content)
        try:
            return self.letterbox.deliver(name, row.result.encoded(), job.check)
        except OSError as error:
            raise StorageFailed("The letterbox's disk refused.", errno=error.errno) from error

    def _report(self, row: JudgedRow) -> None:
        from archive.dimse.reporting import Reporter

        Reporter(self.ae_title).report(self._destination(row), row.result)

    def _destination(self, row: JudgedRow) -> Destination:
        found = self.destinations.destination(row.calling_ae)
        if found is not None:
            return found
        with self.index.writing() as conn:
            data_quality_once(
                conn,
                organisation=self.organisation,
                code=UNANSWERED,
                sentence="A storage commitment result has no address: its AE title is no peer.",
                subject=row.calling_ae,
                at_ms=milliseconds(self.clock.now()),
            )
        raise UnknownDestination("The AE title is in no table.", ae_title=row.calling_ae)


def open_report(ledger: Ledger, conn: Connection, told: Judged) -> None:
    """Open the job that tells a result, in the transaction that makes it known or wanted again."""
    ledger.enqueue(
        conn,
        Work(
            kind=REPORT,
            subject=told.transaction_uid,
            destination=told.calling_ae,
            job_class=JobClass.URGENT,
            idempotency_key=f"{REPORT}:{told.commitment_id}",
            payload={"commitment_id": told.commitment_id},
        ),
        reopen=True,
    )
