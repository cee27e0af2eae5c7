"""The elements of an ordinary Data Set, found in octets that lie in memory.

A tight loop for what nearly every object is: Explicit or Implicit VR Little Endian (PS3.5 Section
7.1), VRs of the Standard, every element ending where the next begins and the last one exactly
where the Data Set does. Whatever is odd is declined, never guessed: then the careful walk of
:mod:`archive.intake.elements` says what it is. What is found here is what that walk finds.
"""

import struct
from dataclasses import dataclass
from struct import Struct

from archive.intake.coding import DEFLATED
from archive.view.elements import UNDEFINED_LENGTH, Found
from archive.words.syntaxes import EXPLICIT_VR_BIG_ENDIAN
from archive.words.value_representations import (
    LONG_FORM,
    LONG_HEAD,
    OCTETS,
    SHORT_FORM,
    SHORT_HEAD,
)

_EXPLICIT = Struct("<HH2sH").unpack_from
_IMPLICIT = Struct("<HHI").unpack_from
_LENGTH = Struct("<I").unpack_from
_HEAD_LENGTHS = dict.fromkeys(SHORT_FORM, SHORT_HEAD) | dict.fromkeys(LONG_FORM, LONG_HEAD)
_PIXEL_DATA = 0x7FE00010
_DELIMITERS = 0xFFFE
"""Group of items and delimiters (PS3.5 Section 7.5)."""
_ITEM, _ITEM_DELIMITER, _SEQUENCE_DELIMITER = 0xE000, 0xE00D, 0xE0DD
_DEEPEST = 16


@dataclass(frozen=True, slots=True)
class Elements:
    """The top-level elements of a Data Set, as they lie."""

    explicit: bool
    found: list[Found]


def find_elements(
    octets: bytes | memoryview, *, size: int, transfer_syntax: str
) -> Elements | None:
    """Return the top-level elements of a Data Set of ``size`` octets; None if anything is odd.

    ``octets`` begin with the Data Set and never go beyond it. They may end before it does, inside
    of a value: then the elements are followed as far as heads and delimiters can be seen.
    """
    if transfer_syntax in DEFLATED or transfer_syntax == EXPLICIT_VR_BIG_ENDIAN:
        return None
    explicit = bytes(octets[4:6]) in _HEAD_LENGTHS
    try:
        found = (_explicit if explicit else _implicit)(octets, size)
    except (LookupError, struct.error):
        return None
    return Elements(explicit, found)


class _Odd(LookupError):
    """For the careful walk to say."""


def _explicit(octets: bytes | memoryview, size: int) -> list[Found]:
    found: list[Found] = []
    at = 0
    while at < size:
        group, element, vr, length = _EXPLICIT(octets, at)
        value_at = at + _HEAD_LENGTHS[vr]
        if value_at == at + LONG_HEAD:
            (length,) = _LENGTH(octets, at + 8)
        tag = group << 16 | element
        end = value_at + length
        if length == UNDEFINED_LENGTH:
            end = _end_of_items(octets, value_at, tag=tag, vr=vr, depth=0)
        if end > size or group == _DELIMITERS:
            raise _Odd
        found.append((tag, vr, length, value_at, end))
        at = end
    return found


def _implicit(octets: bytes | memoryview, size: int) -> list[Found]:
    found: list[Found] = []
    at = 0
    while at < size:
        group, element, length = _IMPLICIT(octets, at)
        tag = group << 16 | element
        end = at + 8 + length
        if length == UNDEFINED_LENGTH:
            end = _end_of_items(octets, at + 8, tag=tag, vr=b"", depth=0)
        if end > size or group == _DELIMITERS or not tag:
            raise _Odd
        found.append((tag, b"", length, at + 8, end))
        at = end
    return found


def _end_of_items(octets: bytes | memoryview, at: int, *, tag: int, vr: bytes, depth: int) -> int:
    """Return the end of an element of undefined length whose first item is at ``at``."""
    if depth > _DEEPEST:
        raise _Odd
    fragments = vr in OCTETS or tag == _PIXEL_DATA
    # PS3.5 Section 6.2.2: items of UN are Implicit VR.
    explicit = bool(vr) and vr != b"UN"
    while True:
        group, element, length = _IMPLICIT(octets, at)
        if group == _DELIMITERS and element == _SEQUENCE_DELIMITER:
            return at + 8
        if group != _DELIMITERS or element != _ITEM:
            raise _Odd
        at += 8 + length
        if length == UNDEFINED_LENGTH:
            if fragments:
                raise _Odd
            at = _end_of_item(octets, at - length, explicit=explicit, depth=depth)


def _end_of_item(octets: bytes | memoryview, at: int, *, explicit: bool, depth: int) -> int:
    while True:
        group, element, vr, length = _EXPLICIT(octets, at)
        if group == _DELIMITERS:
            if element != _ITEM_DELIMITER:
                raise _Odd
            return at + 8
        if explicit:
            value_at = at + _HEAD_LENGTHS[vr]
        elif vr in _HEAD_LENGTHS:
            raise _Odd
        else:
            value_at, vr = at + 8, b""
        if not explicit or value_at == at + LONG_HEAD:
            (length,) = _LENGTH(octets, value_at - 4)
        tag = group << 16 | element
        at = value_at + length
        if length == UNDEFINED_LENGTH:
            at = _end_of_items(octets, value_at, tag=tag, vr=vr, depth=depth + 1)
