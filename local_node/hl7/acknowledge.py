"""Acknowledgements in the original mode (HL7 2.5 Section 2.9.2): MSH turned round, MSA, ERR.

AA: durable, and taken charge of. AE: could not be made durable now; send again. AR: not HL7 by
MSH. Content never earns anything but AA: a negative answer halts a trust's integration engine.
"""

import re
import secrets
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from local_node.hl7.header import Header, Marks

APPLICATION = "IMAGESTORE"
VERSION = "2.5"

_HAS_ERR_3 = re.compile(r"2\.([5-9]|\d\d)|[3-9]")
"""Versions whose ERR has the fields of 2.5; before it ERR-1 holds the code."""


class AckCode(StrEnum):
    """MSA-1 (HL7 table 0008)."""

    ACCEPT = "AA"
    ERROR = "AE"
    REJECT = "AR"


class ErrorCode(StrEnum):
    """ERR-3 (HL7 table 0357)."""

    SEGMENT_SEQUENCE = "100"
    """Segment sequence error: MSH is not where it belongs."""
    INTERNAL = "207"
    """Application internal error."""


_NAMES = {
    ErrorCode.SEGMENT_SEQUENCE: "Segment sequence error",
    ErrorCode.INTERNAL: "Application internal error",
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a message earned. ``text`` is for a person and never tells of content."""

    code: AckCode
    text: str = ""
    error: ErrorCode | None = None


ACCEPTED = Verdict(AckCode.ACCEPT)


def acknowledgement(header: Header | None, verdict: Verdict, *, at: datetime) -> bytes:
    """Return an ACK without frame, in the sender's delimiters and character set.

    ``header`` is None where none could be read: the answer then has the usual delimiters.
    """
    known = header or Header(Marks(), ())
    segments = [_msh(known, at), _msa(known, verdict)]
    if verdict.error is not None:
        segments.append(_err(known, verdict, verdict.error))
    text = "".join(f"{segment}\r" for segment in segments)
    return text.encode(known.codec, errors="replace")


def _msh(header: Header, at: datetime) -> str:
    marks = header.marks
    event = header.part(9, 2)
    fields = [
        "MSH",
        f"{marks.component}{marks.repetition}{marks.escape}{marks.subcomponent}",
        header.field(5) or APPLICATION,
        header.field(6),
        header.field(3),
        header.field(4),
        at.strftime("%Y%m%d%H%M%S+0000"),
        "",
        marks.component.join(["ACK", event, "ACK"] if event else ["ACK"]),
        secrets.token_hex(10),
        header.field(11) or "P",
        header.field(12) or VERSION,
        *[""] * 5,
        header.field(18),
    ]
    return marks.field.join(fields).rstrip(marks.field)


def _msa(header: Header, verdict: Verdict) -> str:
    fields = ["MSA", verdict.code, header.field(10), _escaped(verdict.text, header.marks)]
    return header.marks.field.join(fields).rstrip(header.marks.field)


def _err(header: Header, verdict: Verdict, error: ErrorCode) -> str:
    marks = header.marks
    if not _HAS_ERR_3.match(header.version or VERSION):
        coded = marks.subcomponent.join((error, _NAMES[error], "HL70357"))
        return marks.field.join(("ERR", marks.component * 3 + coded))
    coded = marks.component.join((error, _NAMES[error], "HL70357"))
    told = _escaped(verdict.text, marks)
    return marks.field.join(("ERR", "", "", coded, "E", "", "", "", told))


def _escaped(text: str, marks: Marks) -> str:
    """Return our own text with the sender's delimiters escaped (Section 2.7)."""
    letters = dict(
        zip(
            (marks.field, marks.component, marks.repetition, marks.escape, marks.subcomponent),
            "FSRET",
            strict=True,
        )
    )
    return "".join(
        f"{marks.escape}{letters[char]}{marks.escape}" if char in letters else char for char in text
    )
