"""The structure of a message, read lazily: segments, fields, repeats, components, escapes.

Only what is asked for is split, so a message of many megabytes with a document inside costs its
size once. Values never get into an error or a log line from here.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from local_node.hl7.charsets import Decoded, decode
from local_node.hl7.header import Header, Marks, body_of, ensure_single, read_header

NULL = '""'
"""HL7's explicit null: the sender says that there is no value (Section 2.5.3.2)."""

_CONTROLS = re.compile(r"[\x00-\x1f\x7f]+")
_LETTER = r"[FSTREHN]"
_HEX = r"X(?:[0-9A-Fa-f]{2})+"
_CHARSET = r"[CM](?:[0-9A-Fa-f]{2}){2,3}"
_COMMAND = r"\.(?:br|sp|ce|ti|in|sk|fi|nf)[+-]?\d{0,6}"
_MOST_REPEATED = 100


@dataclass(frozen=True, slots=True, repr=False)
class Composite:
    """One repeat of a field."""

    text: str
    marks: Marks
    codec: str

    def part(self, component: int, subcomponent: int = 1) -> str:
        """Return a value as text: unescaped, without outer spaces and control characters."""
        raw = _nth(self.text, self.marks.component, component)
        value = unescape(_nth(raw, self.marks.subcomponent, subcomponent), self.marks, self.codec)
        return _CONTROLS.sub(" ", value).strip()

    def prose(self) -> str:
        """Return the whole repeat as text with its line ends, for TX and FT."""
        return unescape(self.text, self.marks, self.codec)


@dataclass(frozen=True, slots=True, repr=False)
class Segment:
    """One segment other than MSH."""

    text: str
    marks: Marks
    codec: str

    @property
    def name(self) -> str:
        """The three letters it begins with."""
        return self.text[:3].upper()

    def repeats(self, number: int) -> list[Composite]:
        """Return the repeats of a field that are not empty."""
        field = _nth(self.text, self.marks.field, number + 1)
        return [
            Composite(repeat, self.marks, self.codec)
            for repeat in field.split(self.marks.repetition)
            if repeat.strip()
        ]

    def part(self, number: int, component: int = 1, subcomponent: int = 1) -> str:
        """Return a value of a field's first repeat that is not empty."""
        repeats = self.repeats(number)
        return repeats[0].part(component, subcomponent) if repeats else ""


@dataclass(frozen=True, slots=True, repr=False)
class Structure:
    """A message, split into segments and no further."""

    header: Header
    decoded: Decoded
    segments: tuple[Segment, ...]

    def all(self, name: str) -> Iterator[Segment]:
        """Give the segments of one name, in order."""
        return (segment for segment in self.segments if segment.name == name)

    def first(self, name: str) -> Segment | None:
        """Return the first segment of a name."""
        return next(self.all(name), None)


def read_structure(octets: bytes) -> Structure:
    """Split a message into segments.

    Raises:
        MalformedMessage: what :func:`read_header` and :func:`ensure_single` refuse, nothing else.
    """
    header = read_header(octets)
    ensure_single(body_of(octets), header)
    decoded = decode(body_of(octets), header.charset)
    segments = tuple(
        Segment(line, header.marks, decoded.codec) for line in _lines(decoded.text) if line
    )
    return Structure(header, decoded, segments[1:])


def told(value: str) -> str | None:
    """Return a value, None when nothing was sent, empty when HL7's null was."""
    if not value:
        return None
    return "" if value == NULL else value


def unescape(text: str, marks: Marks, codec: str) -> str:
    r"""Resolve escape sequences (Section 2.7); what is none stays as it stands.

    Changes of the character set inside a text (``\C..\``, ``\M..\``) are left out.
    """
    if marks.escape not in text:
        return text
    return _sequences(marks.escape).sub(lambda found: _resolved(found[1], marks, codec), text)


@lru_cache(maxsize=8)
def _sequences(escape: str) -> re.Pattern[str]:
    mark = re.escape(escape)
    return re.compile(f"{mark}({_LETTER}|{_HEX}|{_CHARSET}|{_COMMAND}){mark}")


def _resolved(sequence: str, marks: Marks, codec: str) -> str:
    if sequence.startswith("X"):
        return bytes.fromhex(sequence[1:]).decode(codec, errors="replace")
    if sequence.startswith("."):
        return _formatted(sequence[1:3], sequence[3:].lstrip("+-"))
    letters = {
        "F": marks.field,
        "S": marks.component,
        "T": marks.subcomponent,
        "R": marks.repetition,
        "E": marks.escape,
    }
    return letters.get(sequence, "")


def _formatted(command: str, number: str) -> str:
    """Return what a formatting command of FT leaves in plain text (Section 2.7.6)."""
    times = min(int(number or 1), _MOST_REPEATED)
    if command in {"br", "sp", "ce"}:
        return "\n" * times
    return "" if command in {"fi", "nf"} else " " * times


def _lines(text: str) -> list[str]:
    """Split at CR; where a sender has only line feeds, at those."""
    if "\r" in text:
        return text.replace("\r\n", "\r").split("\r")
    return text.split("\n")


def _nth(text: str, separator: str, number: int) -> str:
    """Return the ``number``-th part, from 1, empty where absent."""
    parts = text.split(separator, number)
    return parts[number - 1] if number <= len(parts) else ""
