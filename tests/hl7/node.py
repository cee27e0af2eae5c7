"""A node's index as intake uses it, with a PAS that speaks to it."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

from sqlalchemy import Connection, select

from archive.index import tables
from archive.index.directory import resolve_source
from archive.index.engine import Index
from archive.index.patients import LocalPatient, find_patient
from archive.store.segment import Envelope
from archive.words.identity import Issuer, PatientIdentity
from deploy.demo.pas import Feed, Message, Person, adt
from local_node.hl7.apply import Applied, Arrival, Hl7Intake
from local_node.hl7.header import MEDIA_TYPE, read_header

AT = datetime(2024, 5, 1, 12, tzinfo=UTC)
RXA, RXAW = Issuer("RXA", "RXA"), Issuer("RXA", "RXAW")
RXB = Issuer("RXB", "RXB")
NUMBER, OTHER_NUMBER = "9990000018", "9990000026"
DOE = Person(
    mrn="77654033",
    authority="RXA",
    name="Doe^Archibald^James",
    birth_date="19560402",
    sex="M",
    postcode="LS1 4AP",
    nhs_number=NUMBER,
)
FEED = Feed(sending_facility="RXA", character_set="UNICODE UTF-8")


@dataclass
class Told:
    """An outbox that remembers."""

    patients: list[int] = field(default_factory=list)
    arrivals: list[Arrival] = field(default_factory=list)

    def patient_changed(self, conn: Connection, patient_id: int) -> None:
        self.patients.append(patient_id)

    def arrived(self, conn: Connection, arrival: Arrival) -> None:
        self.arrivals.append(arrival)


@dataclass
class Node:
    """A node's index and what it told the centre."""

    index: Index
    told: Told
    intake: Hl7Intake

    def takes(self, message: Message | bytes, *, feed: str = "") -> Applied:
        octets = message if isinstance(message, bytes) else message.octets
        envelope = self.envelope(octets, feed)
        with self.index.writing() as conn:
            source = resolve_source(conn, node="RXA", kind="hl7", name=envelope.calling_ae)
            return self.intake.apply(conn, octets, envelope, source)

    def envelope(self, octets: bytes, feed: str = "") -> Envelope:
        header = read_header(octets)
        return Envelope(
            association="mllp-1",
            context_id=0,
            calling_ae=feed or header.feed.name,
            called_ae="IMAGESTORE",
            peer="127.0.0.1:1",
            arrived_at=AT,
            transfer_syntax=MEDIA_TYPE,
            sop_class_uid="",
            sop_instance_uid=header.control_id,
        )

    def patient(self, mrn: str, issuer: Issuer = RXA) -> LocalPatient | None:
        with self.index.reading() as conn:
            return find_patient(conn, PatientIdentity(mrn, issuer))

    def known(self, mrn: str, issuer: Issuer = RXA) -> LocalPatient:
        patient = self.patient(mrn, issuer)
        assert patient is not None
        return patient

    def rows(self) -> list[tuple[str, str, str]]:
        columns = tables.data_quality.c
        with self.index.reading() as conn:
            found = conn.execute(select(columns.code, columns.sentence, columns.subject))
            return [(row.code, row.sentence, row.subject) for row in found]

    def codes(self) -> list[str]:
        return [code for code, _, _ in self.rows()]


def a28(person: Person = DOE, **kw: str) -> Message:
    return adt("A28", person, feed=FEED, **kw)
