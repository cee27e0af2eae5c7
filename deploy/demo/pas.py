"""What a trust's PAS and RIS send: HL7 v2 messages for one person, and their pieces.

Segments follow HL7 2.5 chapters 2, 3 and 7. Names are given as DICOM has them (PN, PS3.5 Section
6.2.1) and dates as DA, which is how HL7 has them too.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType

from deploy.demo.mllp import Ack, ConnectionEnded, MllpClient, MllpError, NoAnswer, NotAnAck

__all__ = [
    "Ack",
    "ConnectionEnded",
    "Feed",
    "Identifier",
    "Message",
    "MllpClient",
    "MllpError",
    "NoAnswer",
    "NotAnAck",
    "Person",
    "Report",
    "adt",
    "oru",
]

CODECS: Mapping[str, str] = MappingProxyType(
    {"": "ascii", "ASCII": "ascii", "8859/1": "latin-1", "UNICODE UTF-8": "utf-8"}
)
"""Codec of each character set that MSH-18 may name (HL7 table 0211)."""

STRUCTURES: Mapping[str, str] = MappingProxyType(
    {
        "A01": "ADT_A01",
        "A04": "ADT_A01",
        "A05": "ADT_A05",
        "A08": "ADT_A01",
        "A28": "ADT_A05",
        "A31": "ADT_A05",
    }
)
"""Message structure of each event (HL7 table 0354)."""

PATIENT_CLASSES: Mapping[str, str] = MappingProxyType({"A01": "I", "A04": "O", "A05": "P"})
"""PV1-2 of the events that tell of a visit; N, not applicable, for the others."""

ESCAPES = str.maketrans(
    {
        "\\": "\\E\\",
        "|": "\\F\\",
        "^": "\\S\\",
        "&": "\\T\\",
        "~": "\\R\\",
        "\n": "\\.br\\",
        "\r": "",
    }
)
"""Delimiters within a text (HL7 2.5 Section 2.7)."""


@dataclass(frozen=True, slots=True)
class Identifier:
    """One repeat of PID-3 (CX): a number, who gave it, and its kind (HL7 table 0203)."""

    value: str
    authority: str
    kind: str


@dataclass(frozen=True, slots=True)
class Person:
    """What a PAS knows of a person; "" for what it does not know."""

    mrn: str
    authority: str
    """Namespace of the assigning authority of ``mrn``, PID-3.4.1."""

    name: str = ""
    """Family^given^middle^prefix^suffix, the order of a DICOM PN."""

    birth_date: str = ""
    sex: str = ""
    postcode: str = ""
    nhs_number: str = ""
    nhs_status: str = "NSTS01"
    """PID-32; sent only where there is an NHS number."""

    other_identifiers: tuple[Identifier, ...] = ()

    @property
    def identifiers(self) -> tuple[Identifier, ...]:
        """The repeats of PID-3: MRN, NHS number, the others; none where nothing is known."""
        known = (
            Identifier(self.mrn, self.authority, "MR"),
            Identifier(self.nhs_number, "NHS", "NH"),
            *self.other_identifiers,
        )
        return tuple(identifier for identifier in known if identifier.value)


@dataclass(frozen=True, slots=True)
class Feed:
    """Who speaks to whom, and in which character set: the fixed part of MSH."""

    sending_application: str = "PAS"
    sending_facility: str = "TRUST"
    receiving_application: str = "IMAGESTORE"
    receiving_facility: str = "REGION"
    processing_id: str = "T"
    character_set: str = ""
    """MSH-18; one of ``CODECS``."""


@dataclass(frozen=True, slots=True)
class Report:
    """A radiology report as a RIS tells it."""

    text: str
    accession: str
    study_instance_uid: str = ""
    """Sent as an OBX of its own, (113014, DCM, "DICOM Study"), where not empty."""

    status: str = "F"
    """OBR-25 and OBX-11 (HL7 tables 0123 and 0085)."""

    procedure: str = "Radiology report"
    modality: str = "RAD"
    """OBR-24."""

    reported_at: str = ""
    """OBR-22 as TS; the moment of sending where empty."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message; ``dataclasses.replace(message, codec=…)`` makes MSH-18 tell a lie."""

    control_id: str
    text: str
    """Segments, each ended by a carriage return."""

    codec: str

    @property
    def octets(self) -> bytes:
        """The message as it is sent, without MLLP framing."""
        return self.text.encode(self.codec)


def adt(
    event: str, person: Person, *, feed: Feed | None = None, ward: str = "", control_id: str = ""
) -> Message:
    """Return ADT^A28, A31, A01, A04, A05 or A08 (HL7 2.5 Section 3.3); without PID-3 if nothing is.

    Raises:
        KeyError: another event, or a character set that ``CODECS`` does not have.
        UnicodeEncodeError: on ``Message.octets``, where the character set lacks a character.
    """
    now = _now()
    visit_class = PATIENT_CLASSES.get(event, "N")
    segments = (
        _segment("EVN", {1: event, 2: now}),
        _pid(person),
        _segment("PV1", {1: "1", 2: visit_class, 3: _escaped(ward), 44: now if ward else ""}),
    )
    return _message(f"ADT^{event}^{STRUCTURES[event]}", segments, feed or Feed(), now, control_id)


def oru(
    person: Person, report: Report, *, feed: Feed | None = None, control_id: str = ""
) -> Message:
    """Return ORU^R01 with one report (HL7 2.5 Section 7.3.1): OBR, the study's UID, the text.

    The accession number stands in OBR-3, OBR-18 and ORC-3; the text keeps its line ends.

    Raises:
        KeyError: a character set that ``CODECS`` does not have.
        UnicodeEncodeError: on ``Message.octets``, where the character set lacks a character.
    """
    now = _now()
    segments = [_pid(person), _segment("PV1", {1: "1", 2: "O"})]
    segments.append(_segment("ORC", {1: "RE", 3: _escaped(report.accession)}))
    segments.append(_obr(report, now))
    if report.study_instance_uid:
        uid = _escaped(report.study_instance_uid)
        segments.append(_obx("1", "HD", "113014^DICOM Study^DCM", uid, report.status))
    text = _escaped(report.text)
    segments.append(_obx("2", "FT", "18748-4^Diagnostic imaging study^LN", text, report.status))
    return _message("ORU^R01^ORU_R01", segments, feed or Feed(), now, control_id)


def _message(
    kind: str, segments: tuple[str, ...] | list[str], feed: Feed, now: str, control_id: str
) -> Message:
    known_id = control_id or secrets.token_hex(8)
    header = _segment(
        "MSH",
        {
            1: "^~\\&",
            2: feed.sending_application,
            3: feed.sending_facility,
            4: feed.receiving_application,
            5: feed.receiving_facility,
            6: now,
            8: kind,
            9: known_id,
            10: feed.processing_id,
            11: "2.5",
            17: feed.character_set,
        },
    )
    text = "".join(f"{segment}\r" for segment in (header, *segments))
    return Message(control_id=known_id, text=text, codec=CODECS[feed.character_set])


def _segment(name: str, fields: Mapping[int, str]) -> str:
    """Return a segment; keys count its bars, so those of MSH are one less than its fields."""
    last = max((number for number, value in fields.items() if value), default=0)
    return "|".join([name, *(fields.get(number, "") for number in range(1, last + 1))])


def _pid(person: Person) -> str:
    fields = {
        1: "1",
        3: "~".join(_cx(identifier) for identifier in person.identifiers),
        5: _xpn(person.name),
        7: _escaped(person.birth_date),
        8: _escaped(person.sex),
        11: f"^^^^{_escaped(person.postcode)}^GBR^H" if person.postcode else "",
        32: _escaped(person.nhs_status) if person.nhs_number else "",
    }
    return _segment("PID", fields)


def _obr(report: Report, now: str) -> str:
    fields = {
        1: "1",
        3: _escaped(report.accession),
        4: f"REPORT^{_escaped(report.procedure)}^L",
        7: report.reported_at or now,
        18: _escaped(report.accession),
        22: report.reported_at or now,
        24: _escaped(report.modality),
        25: report.status,
    }
    return _segment("OBR", fields)


def _obx(number: str, value_type: str, concept: str, value: str, status: str) -> str:
    return _segment("OBX", {1: number, 2: value_type, 3: concept, 5: value, 11: status})


def _cx(identifier: Identifier) -> str:
    value, authority = _escaped(identifier.value), _escaped(identifier.authority)
    return f"{value}^^^{authority}^{_escaped(identifier.kind)}"


def _xpn(name: str) -> str:
    """Return an XPN; it has the suffix before the prefix, a PN the other way round."""
    components = [_escaped(component) for component in name.split("^")]
    family, given, middle, prefix, suffix = (components + [""] * 5)[:5]
    return f"{family}^{given}^{middle}^{suffix}^{prefix}".rstrip("^")


def _escaped(text: str) -> str:
    return text.translate(ESCAPES)


def _now() -> str:
    return datetime.now(UTC).strftime("%Y%m%d%H%M%S%z")
