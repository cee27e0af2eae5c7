"""What the trust's feeds tell, written as work for the centre in the same transaction."""

from dataclasses import dataclass

from sqlalchemy import Connection

from archive.index.directory import authority_id
from local_node.hl7.apply import Arrival
from sync.jobs.ledger import Ledger
from sync.tell import open_arrival, open_patient


@dataclass(frozen=True, slots=True)
class NodeOutbox:
    """Opens the jobs that tell the centre."""

    ledger: Ledger
    node_id: int

    def patient_changed(self, conn: Connection, patient_id: int) -> None:
        """Tell of a local patient who is new or has other demographics."""
        open_patient(self.ledger, conn, patient_id)

    def arrived(self, conn: Connection, arrival: Arrival) -> None:
        """Tell that a patient has turned up."""
        open_arrival(
            self.ledger,
            conn,
            node_id=self.node_id,
            authority_id=authority_id(conn, arrival.identity.issuer),
            mrn=arrival.identity.mrn,
            event=arrival.event,
            message_key=arrival.message_key,
            at_ms=arrival.at_ms,
        )


class SilentOutbox:
    """The outbox of a node without a centre: it tells nobody."""

    def patient_changed(self, conn: Connection, patient_id: int) -> None:
        """Tell nobody."""

    def arrived(self, conn: Connection, arrival: Arrival) -> None:
        """Tell nobody."""
