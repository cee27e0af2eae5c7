"""Where each element of a coded Data Set begins and ends (PS3.5 Section 7), read as it streams.

Nothing is decoded: a view replaces the few elements it must and lets all other octets pass as they
lie, so that pixels, private elements and oddities leave exactly as they came.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from archive.errors import DataSetUnreadable
from archive.words.syntaxes import EXPLICIT_VR_BIG_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN
from archive.words.value_representations import LONG_FORM, LONG_HEAD, SHORT_FORM, SHORT_HEAD

UNDEFINED_LENGTH = 0xFFFFFFFF
ITEM = 0xFFFEE000
ITEM_DELIMITER = 0xFFFEE00D
SEQUENCE_DELIMITER = 0xFFFEE0DD

_STANDARD_ROOT = "1.2.840.10008."
_DEEPEST = 64

Found = tuple[int, bytes, int, int, int]
"""An element found in memory: tag, VR (empty in Implicit VR), length as coded, where the value
begins, and where the element ends (exclusive; behind the delimiter where the length is undefined).
Offsets count from the beginning of the Data Set; an element begins where the one before it ends."""


@dataclass(frozen=True, slots=True)
class Form:
    """How the elements of a Data Set are coded (PS3.5 Annex A)."""

    explicit: bool
    big: bool


IMPLICIT = Form(explicit=False, big=False)


def form_of(transfer_syntax: str) -> Form:
    """Return how Data Sets of a Standard transfer syntax are coded.

    Every encapsulated or deflated one is Explicit VR Little Endian (PS3.5 Annex A.4, A.5).

    Raises:
        DataSetUnreadable: a private syntax may be coded in any way.
    """
    if transfer_syntax == IMPLICIT_VR_LITTLE_ENDIAN:
        return IMPLICIT
    if not transfer_syntax.startswith(_STANDARD_ROOT):
        raise DataSetUnreadable(
            "A Data Set in a private transfer syntax cannot be changed.", syntax=transfer_syntax
        )
    return Form(explicit=True, big=transfer_syntax == EXPLICIT_VR_BIG_ENDIAN)


class Feed:
    """Octets pulled from chunks as they are asked for, and let go when no longer needed."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._kept = bytearray()
        self._first = 0
        self._ended = False
        self.keeping = True
        """Whether octets stay until they are let go; else what is stepped over goes by itself."""

    def octets(self, offset: int, length: int) -> bytes:
        """Return up to ``length`` octets from ``offset``: fewer only where the Data Set ends."""
        self._pull(offset + length)
        start = offset - self._first
        return bytes(self._kept[start : start + length])

    def let_go(self, offset: int) -> None:
        """Forget everything before ``offset``, reading over what has not come yet."""
        while not self._ended and self._first + len(self._kept) < offset:
            self._first += len(self._kept)
            self._kept = bytearray()
            self._pull(self._first + 1)
        gone = min(offset - self._first, len(self._kept))
        if gone > 0:
            del self._kept[:gone]
            self._first += gone

    def passed(self, offset: int) -> None:
        """Hear that nothing before ``offset`` will be looked at again."""
        if not self.keeping:
            self.let_go(offset)

    def _pull(self, until: int) -> None:
        while not self._ended and self._first + len(self._kept) < until:
            chunk = next(self._chunks, None)
            if chunk is None:
                self._ended = True
            else:
                self._kept += chunk


@dataclass(frozen=True, slots=True)
class Head:
    """An element's tag, VR and length, read from where it begins."""

    tag: int
    vr: bytes
    value_at: int
    length: int


@dataclass(frozen=True, slots=True)
class Span:
    """One whole top-level element: octets ``start`` to ``end`` (exclusive)."""

    tag: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Place:
    """Where reading of top-level elements goes on."""

    offset: int = 0
    after: int = -1
    """The tag before it; tags ascend (PS3.5 Section 7.1)."""


def spans(
    feed: Feed, form: Form, *, place: Place = Place(), until: int = 1 << 32
) -> Iterator[Span]:
    """Yield the top-level elements from ``place`` on, until tag ``until`` or the Data Set's end.

    Octets of a value of defined length are not read here, only stepped over. Trailing zeros end
    the Data Set.

    Raises:
        DataSetUnreadable: the coding is broken, or elements are not in ascending order.
    """
    offset, before = place.offset, place.after
    while not _is_over(feed, offset):
        head = _head(feed, offset, form)
        if head.tag >= until:
            return
        if head.tag <= before:
            raise DataSetUnreadable("The elements are not in ascending order.", offset=offset)
        end = _end(feed, head, form, depth=0)
        yield Span(head.tag, offset, end)
        feed.passed(end)
        offset, before = end, head.tag


def _is_over(feed: Feed, offset: int) -> bool:
    ahead = feed.octets(offset, SHORT_HEAD)
    return not ahead or not any(ahead)


def _head(feed: Feed, offset: int, form: Form) -> Head:
    octets = feed.octets(offset, LONG_HEAD)
    if len(octets) < SHORT_HEAD:
        raise DataSetUnreadable("An element is cut off.", offset=offset)
    tag = _number(octets[:2], form) << 16 | _number(octets[2:4], form)
    if tag in (ITEM, ITEM_DELIMITER, SEQUENCE_DELIMITER) or not form.explicit:
        return Head(tag, b"", offset + SHORT_HEAD, _number(octets[4:8], form))
    vr = octets[4:6]
    if vr in SHORT_FORM:
        return Head(tag, vr, offset + SHORT_HEAD, _number(octets[6:8], form))
    if vr not in LONG_FORM or len(octets) < LONG_HEAD:
        raise DataSetUnreadable("An element has no Value Representation.", offset=offset)
    return Head(tag, vr, offset + LONG_HEAD, _number(octets[8:12], form))


def _number(octets: bytes, form: Form) -> int:
    return int.from_bytes(octets, "big" if form.big else "little")


def _end(feed: Feed, head: Head, form: Form, *, depth: int) -> int:
    if head.length != UNDEFINED_LENGTH:
        return head.value_at + head.length
    if depth > _DEEPEST:
        raise DataSetUnreadable("Sequences are nested too deeply.", offset=head.value_at)
    # PS3.5 Section 6.2.2: UN of undefined length holds Implicit VR Little Endian.
    inner = IMPLICIT if head.vr == b"UN" else form
    offset = head.value_at
    while True:
        item = _head(feed, offset, inner)
        if item.tag == SEQUENCE_DELIMITER:
            return item.value_at
        if item.tag != ITEM:
            raise DataSetUnreadable("A sequence holds something but items.", offset=offset)
        offset = _end_of_item(feed, item, inner, depth=depth)
        feed.passed(offset)


def _end_of_item(feed: Feed, item: Head, form: Form, *, depth: int) -> int:
    if item.length != UNDEFINED_LENGTH:
        return item.value_at + item.length
    offset = item.value_at
    while True:
        head = _head(feed, offset, form)
        if head.tag == ITEM_DELIMITER:
            return head.value_at
        offset = _end(feed, head, form, depth=depth + 1)
