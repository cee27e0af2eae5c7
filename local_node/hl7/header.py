"""MSH (HL7 2.5 Section 2.15.9): the one segment that decides whether something is HL7 at all."""

import re
import string
from dataclasses import dataclass

from archive.errors import MalformedMessage
from local_node.hl7.charsets import decode

MEDIA_TYPE = "x-application/hl7-v2+er7"
FEED_LENGTH = 64
"""Characters at most in the name of a feed, as the source table has it."""
KIND_LENGTH = 16
CONTROL_ID_LENGTH = 80
"""Characters at most of MSH-10 in a key; the field has 20 in HL7 2.5 and 199 in 2.7."""

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_LEADING = b"\r\n\t \0"
_DEFAULT_MARKS = "^~\\&"
_PUNCTUATION = frozenset(string.punctuation)
_MOST_MARKS = 5
_UNPRINTABLE = re.compile(r"[^\x21-\x7e]+")


@dataclass(frozen=True, slots=True)
class Marks:
    """The delimiters of one message (MSH-1 and MSH-2)."""

    field: str = "|"
    component: str = "^"
    repetition: str = "~"
    escape: str = "\\"
    subcomponent: str = "&"


@dataclass(frozen=True, slots=True)
class Feed:
    """Who speaks, as MSH-3 and MSH-4 say."""

    application: str
    facility: str

    @property
    def name(self) -> str:
        """Return ``application|facility``: how the source table names the feed."""
        return f"{self.application}|{self.facility}"[:FEED_LENGTH]


@dataclass(frozen=True, slots=True)
class Header:
    """MSH as sent. Fields are decoded, and not unescaped: an answer gives them back."""

    marks: Marks
    fields: tuple[str, ...]
    """By number; 0 is ``MSH``, 1 the field separator, 2 the other marks."""
    codec: str = "ascii"
    """What MSH was decoded by; an answer is encoded by it."""

    def field(self, number: int) -> str:
        """Return a whole field, empty where absent."""
        return self.fields[number] if number < len(self.fields) else ""

    def part(self, number: int, component: int = 1) -> str:
        """Return one component of a field's first repeat, without outer spaces."""
        repeat = self.field(number).split(self.marks.repetition)[0]
        parts = repeat.split(self.marks.component)
        return parts[component - 1].strip() if component <= len(parts) else ""

    @property
    def feed(self) -> Feed:
        """Who speaks."""
        return Feed(application=self.part(3), facility=self.part(4))

    @property
    def receiving_application(self) -> str:
        """MSH-5."""
        return self.part(5)

    @property
    def kind(self) -> str:
        """Return message code and trigger event, ``ADT^A01``."""
        sent = f"{self.part(9)}^{self.part(9, 2)}".rstrip("^").upper()
        return _UNPRINTABLE.sub("_", sent)[:KIND_LENGTH]

    @property
    def control_id(self) -> str:
        """MSH-10 for keys and log lines: printable ASCII, bounded."""
        return _UNPRINTABLE.sub("_", self.field(10).strip())[:CONTROL_ID_LENGTH]

    @property
    def version(self) -> str:
        """MSH-12, ``2.5``."""
        return self.part(12)

    @property
    def charset(self) -> str:
        """MSH-18, the first repeat: the message's own character set."""
        return self.part(18)

    @property
    def is_acknowledgement(self) -> bool:
        """Whether this is itself an answer, which nobody answers (Section 2.9.2)."""
        return self.part(9).upper() in {"ACK", "MCF"}


def read_header(octets: bytes) -> Header:
    """Read MSH.

    Raises:
        MalformedMessage: it does not begin with MSH, or its delimiters cannot delimit.
    """
    line = re.split(rb"[\r\n]", body_of(octets), maxsplit=1)[0]
    if not line.startswith(b"MSH"):
        raise MalformedMessage("The message does not begin with MSH.")
    marks = _marks(line.decode("latin-1"))
    return _fields(line, marks)


def ensure_single(octets: bytes, header: Header) -> None:
    """Refuse several messages in one frame: one answer could not speak for all of them.

    Raises:
        MalformedMessage: a second MSH follows.
    """
    if re.search(rb"[\r\n]MSH" + re.escape(header.marks.field.encode()), octets):
        raise MalformedMessage("Several messages stand in one frame; each needs its own.")


def body_of(octets: bytes) -> bytes:
    """Return the octets from ``MSH`` on: without a byte order mark or blank lines before it."""
    return octets.lstrip(_LEADING).removeprefix(_BYTE_ORDER_MARK).lstrip(_LEADING)


def _marks(line: str) -> Marks:
    separator = line[3:4] or "\r"
    sent, found, _ = line[4:].partition(separator)
    if not found or len(sent) > _MOST_MARKS:
        raise MalformedMessage("MSH-1 and MSH-2 name no delimiters.")
    marks = separator + sent[:4] + _DEFAULT_MARKS[len(sent) :]
    if not _PUNCTUATION.issuperset(marks) or len(set(marks)) != len(marks):
        raise MalformedMessage("The delimiters in MSH-1 and MSH-2 cannot delimit.")
    return Marks(*marks)


def _fields(line: bytes, marks: Marks) -> Header:
    rough = Header(marks, _split(line.decode("latin-1"), marks))
    decoded = decode(line, rough.charset)
    return Header(marks, _split(decoded.text, marks), decoded.codec)


def _split(line: str, marks: Marks) -> tuple[str, ...]:
    name, encoding, *others = line.split(marks.field)
    return (name, marks.field, encoding, *others)
