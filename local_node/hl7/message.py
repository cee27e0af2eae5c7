"""What a message says, in frozen values: who speaks, of whom, of which visit, with which report."""

from dataclasses import dataclass

from local_node.hl7.header import Feed, Header
from local_node.hl7.patient import Identifier, PatientFields, read_patient
from local_node.hl7.report import Report, read_report
from local_node.hl7.segments import Segment, Structure, read_structure

__all__ = ["Feed", "Identifier", "Message", "PatientFields", "Report", "Visit", "read_message"]

RESULTS = frozenset({"ORU^R01", "ORU"})
"""An unsolicited observation: a report."""

REGISTRATIONS = frozenset({"A01", "A04", "A05", "A08", "A28", "A31"})
"""ADT events that tell a patient's demographics."""
WHOLE_RECORDS = frozenset({"A08", "A28", "A31"})
"""Of these, the ones that tell all that the PAS knows: what they leave out of PID-3 is gone."""
ARRIVALS = frozenset({"A01", "A04"})
"""ADT events by which a patient turns up."""
IDENTITY_CHANGES = frozenset("A18 A23 A24 A29 A34 A35 A36 A37 A39 A40 A41 A42 A43 A45 A47".split())
"""ADT events that merge, move, link or end records: a person's decision, never guessed at."""


@dataclass(frozen=True, slots=True)
class Visit:
    """What PV1, PV2 and EVN say of a visit; times as sent (TS), empty where absent."""

    patient_class: str
    """PV1-2: I, O, E, P, N."""
    location: str
    """PV1-3.1, the ward."""
    facility: str
    """PV1-3.4."""
    pending_location: str
    """PV1-42.1: where a transfer goes."""
    admit_source: str
    """PV1-14: where from, by the national codes or the feed's own."""
    discharged_to: str
    """PV1-37.1."""
    admitted_at: str
    """PV1-44."""
    expected_at: str
    """PV2-8, else EVN-3."""


@dataclass(frozen=True, slots=True, repr=False)
class Message:
    """One message, read."""

    header: Header
    codec: str
    """Python's name of the character set that it was decoded by."""
    charset_doubt: str
    """Why the text may be wrong; empty when declaration and octets agree."""
    event: str
    """Trigger event of an ADT, ``A28``; empty otherwise."""
    patient: PatientFields | None
    """The first PID."""
    several_patients: bool
    visit: Visit | None
    report: Report | None


def read_message(octets: bytes) -> Message:
    """Read a message.

    Raises:
        MalformedMessage: it is not HL7 by its MSH; nothing else is refused.
    """
    structure = read_structure(octets)
    pids = list(structure.all("PID"))
    return Message(
        header=structure.header,
        codec=structure.decoded.codec,
        charset_doubt=structure.decoded.doubt,
        event=_event(structure),
        patient=read_patient(pids[0]) if pids else None,
        several_patients=len(pids) > 1,
        visit=_visit(structure),
        report=read_report(structure) if structure.header.kind in RESULTS else None,
    )


def _event(structure: Structure) -> str:
    """Return MSH-9.2, else EVN-1, which old senders fill instead."""
    code, _, event = structure.header.kind.partition("^")
    if code != "ADT":
        return ""
    evn = structure.first("EVN")
    return event or ("" if evn is None else evn.part(1).upper())


def _visit(structure: Structure) -> Visit | None:
    pv1 = structure.first("PV1")
    if pv1 is None:
        return None
    return Visit(
        patient_class=pv1.part(2).upper(),
        location=pv1.part(3),
        facility=pv1.part(3, 4),
        pending_location=pv1.part(42),
        admit_source=pv1.part(14),
        discharged_to=pv1.part(37),
        admitted_at=pv1.part(44),
        expected_at=_part(structure.first("PV2"), 8) or _part(structure.first("EVN"), 3),
    )


def _part(segment: Segment | None, number: int) -> str:
    return "" if segment is None else segment.part(number)
