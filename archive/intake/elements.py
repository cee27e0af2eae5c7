"""The top-level elements of a Data Set, checked to its end without reading its values.

Every length is followed to the last octet, through sequences of undefined length and encapsulated
pixel data, so that a Data Set that was cut anywhere shows. A sequence of defined length is stepped
over by its length. The walk takes what archives meet and every common reader takes:

- a VR that PS3.5 Table 6.2-1 does not have: two capitals count as a VR with a length of 16 bits,
  anything else as an element in Implicit VR, as some writers code the inside of sequences;
- Implicit VR where the syntax says Explicit, and the other way round;
- UN of undefined length, whose items are Implicit VR (PS3.5 Section 6.2.2), or Explicit all the
  same;
- elements out of order, and zeros behind the last one.
"""

from collections.abc import Container, Iterator
from dataclasses import dataclass, replace

from archive.intake.coding import Forward
from archive.intake.reasons import Reason, unreadable
from archive.view.elements import (
    ITEM,
    ITEM_DELIMITER,
    SEQUENCE_DELIMITER,
    UNDEFINED_LENGTH,
    Form,
)
from archive.words.value_representations import LONG_FORM, OCTETS, SHORT_FORM, SHORT_HEAD

VALUE_LIMIT = 64 * 1024
"""Octets of a wanted value that are read; the index keeps far less."""

PIXEL_DATA = 0x7FE00010

_DEEPEST = 64


@dataclass(frozen=True, slots=True)
class Element:
    """One top-level element. Offsets count from the beginning of the Data Set, inflated."""

    tag: int
    vr: bytes
    """Empty in Implicit VR."""
    start: int
    value_at: int
    end: int
    """Exclusive; behind the delimiter where the length is undefined."""
    undefined: bool
    value: bytes
    """Of a wanted element, at most 64 KiB; else empty."""


@dataclass(frozen=True, slots=True)
class _Head:
    tag: int
    vr: bytes
    length: int

    @property
    def undefined(self) -> bool:
        return self.length == UNDEFINED_LENGTH


class Walk:
    """One pass over a Data Set."""

    def __init__(self, source: Forward, form: Form) -> None:
        self._source = source
        self._form = form
        self._at = 0

    def elements(self, wanted: Container[int] = ()) -> Iterator[Element]:
        """Yield the top-level elements up to the end of the Data Set.

        Raises:
            DataSetUnreadable: TRUNCATED or BROKEN_CODING.
        """
        octets = self._first()
        while len(octets) == SHORT_HEAD and octets.strip(b"\0"):
            start = self._at - SHORT_HEAD
            head = self._parse(octets, self._form)
            if head.tag >> 16 == ITEM >> 16:
                raise unreadable(Reason.BROKEN_CODING, "An item is in no sequence.", at=start)
            value_at = self._at
            value = self._value(head, wanted=head.tag in wanted)
            yield Element(
                tag=head.tag,
                vr=head.vr,
                start=start,
                value_at=value_at,
                end=self._at,
                undefined=head.undefined,
                value=value,
            )
            octets = self._take(SHORT_HEAD)
        if octets.strip(b"\0"):
            raise unreadable(Reason.TRUNCATED, "The Data Set ends inside an element's head.")

    def _first(self) -> bytes:
        octets = self._take(SHORT_HEAD)
        if self._form.explicit is not _has_vr(octets):
            self._form = replace(self._form, explicit=_has_vr(octets))
        return octets

    # --- octets -----------------------------------------------------------------------------

    def _take(self, length: int) -> bytes:
        octets = self._source.take(length)
        self._at += len(octets)
        return octets

    def _exactly(self, length: int) -> bytes:
        octets = self._take(length)
        if len(octets) < length:
            raise unreadable(Reason.TRUNCATED, "The Data Set ends inside an element.", at=self._at)
        return octets

    def _skip(self, length: int) -> None:
        skipped = self._source.skip(length)
        self._at += skipped
        if skipped < length:
            raise unreadable(Reason.TRUNCATED, "An element runs past the end.", at=self._at)

    # --- elements ---------------------------------------------------------------------------

    def _parse(self, octets: bytes, form: Form) -> _Head:
        tag = _number(octets[:2], form) << 16 | _number(octets[2:4], form)
        vr = octets[4:6]
        implicit = not form.explicit or tag >> 16 == ITEM >> 16
        if implicit or not (vr.isalpha() and vr.isupper()):
            return _Head(tag, b"", _number(octets[4:8], form))
        if vr not in LONG_FORM:
            return _Head(tag, vr, _number(octets[6:8], form))
        return _Head(tag, vr, _number(self._exactly(4), form))

    def _value(self, head: _Head, *, wanted: bool) -> bytes:
        if head.undefined:
            self._items(head, self._form, depth=0)
            return b""
        if not wanted:
            self._skip(head.length)
            return b""
        value = self._exactly(min(head.length, VALUE_LIMIT))
        self._skip(head.length - len(value))
        return value

    def _items(self, head: _Head, form: Form, *, depth: int) -> None:
        """Step over the items of an element of undefined length, and its delimiter."""
        if depth > _DEEPEST:
            raise unreadable(Reason.BROKEN_CODING, "Sequences are nested too deeply.")
        fragments = head.vr in OCTETS or head.tag == PIXEL_DATA
        inner = Form(explicit=False, big=False) if head.vr == b"UN" else form
        octets = self._exactly(SHORT_HEAD)
        if head.vr == b"UN" and _is_item(octets, form):
            inner = replace(inner, big=form.big)
        while (item := self._parse(octets, inner)).tag != SEQUENCE_DELIMITER:
            if item.tag != ITEM or (fragments and item.undefined):
                raise unreadable(Reason.BROKEN_CODING, "A sequence holds something but items.")
            self._item(item, inner, depth=depth)
            octets = self._exactly(SHORT_HEAD)

    def _item(self, item: _Head, form: Form, *, depth: int) -> None:
        if not item.undefined:
            self._skip(item.length)
            return
        octets = self._exactly(SHORT_HEAD)
        if _has_vr(octets):
            form = replace(form, explicit=True)
        while (head := self._parse(octets, form)).tag != ITEM_DELIMITER:
            if head.undefined:
                self._items(head, form, depth=depth + 1)
            else:
                self._skip(head.length)
            octets = self._exactly(SHORT_HEAD)


def _has_vr(octets: bytes) -> bool:
    return octets[4:6] in SHORT_FORM or octets[4:6] in LONG_FORM


def _is_item(octets: bytes, form: Form) -> bool:
    return (_number(octets[:2], form) << 16 | _number(octets[2:4], form)) == ITEM


def _number(octets: bytes, form: Form) -> int:
    return int.from_bytes(octets, "big" if form.big else "little")


def elements(source: Forward, form: Form, *, wanted: Container[int] = ()) -> Iterator[Element]:
    """Yield the top-level elements of a Data Set, with the values of those wanted.

    Raises:
        DataSetUnreadable: TRUNCATED where an element runs past the end, and BROKEN_CODING where
            the octets are no elements.
    """
    return Walk(source, form).elements(wanted)
