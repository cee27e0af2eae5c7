"""The DICOM JSON of coded elements (PS3.18 Section F.2), without decoding the Data Set.

For Explicit and Implicit VR Little Endian. Within the same :class:`Surroundings` the octets of an
element tell its JSON text; a series repeats most elements in every instance, so :class:`JsonTexts`
keeps what it has written. Whatever is odd is declined: then :mod:`archive.view.json_model` makes
the JSON of that instance. Of all that is taken here it would make the same.
"""

import struct
from collections.abc import Sequence
from dataclasses import replace
from struct import Struct

from archive.view.decoding import is_known
from archive.view.elements import UNDEFINED_LENGTH, Found
from archive.view.json_values import (
    BINARY,
    BULK_OCTETS,
    Declined,
    LeftOut,
    binary_json,
    decoded_json,
    private_creator,
    value_json,
)
from archive.view.known_vrs import (
    LUT_DESCRIPTORS,
    Surroundings,
    dictionary_vr,
    is_private_creator,
    vr_of,
)
from archive.words.value_representations import LONG_FORM, SHORT_FORM

_EXPLICIT = Struct("<HH2sH").unpack_from
_IMPLICIT = Struct("<HHI").unpack_from
_LENGTH = Struct("<I").unpack_from
_DELIMITERS = 0xFFFE
_ITEM, _ITEM_DELIMITER, _SEQUENCE_DELIMITER = 0xE000, 0xE00D, 0xE0DD
_CHARACTER_SET, _PIXEL_REPRESENTATION = 0x00080005, 0x00280103
_FIRST_TAG = 0x00040000
"""Groups before it are those of commands and File Meta Information."""
_PIXELS, _PADDING = 0x7FE0, 0xFFFC
_DEEPEST = 16
_FARTHEST = 64 * 1024 * 1024
"""Where elements other than pixels end at last."""
_LONGEST = 1024 * 1024
"""A single value longer than this is bulk data whatever it is."""

_UTF_8 = '"00080005":{"vr":"CS","Value":["ISO_IR 192"]}'

_KEPT_LENGTH = 16 * 1024
"""Octets of the longest element whose JSON is kept."""
_KEPT_OCTETS = 4 * 1024 * 1024
"""Octets of the elements whose JSON is kept."""


class JsonTexts:
    """Writes elements as JSON, and keeps what it has written, within bounds.

    One for a series: it holds what the patient is called. Threads may share it.
    """

    def __init__(self) -> None:
        self._kept: dict[Surroundings, dict[bytes, str | None]] = {}
        self._octets = 0

    def members(self, octets: bytes, found: Sequence[Found], *, explicit: bool) -> dict[str, str]:
        """Return the members of a Data Set's JSON object by tag, each as text with its name.

        ``octets`` begin with the Data Set and may end before it does. Bulk data, pixels, group
        lengths and values that JSON cannot hold are left out.

        Raises:
            Declined: something is odd.
        """
        surroundings = _surroundings(octets, found, explicit=explicit)
        kept = self._kept_in(surroundings)
        members: dict[str, str] = {}
        start, before = 0, _FIRST_TAG
        for element in found:
            tag, _, _, _, end = element
            if tag <= before:
                raise Declined
            if tag & 0xFFFF and tag >> 16 not in (_PIXELS, _PADDING):
                coded = octets[start:end]
                text = kept.get(coded, "")
                if text == "":
                    text = _member(octets, element, surroundings)
                    self._keep(kept, coded, text)
                if text is not None:
                    members[f"{tag:08X}"] = text
            start, before = end, tag
        return members

    def _kept_in(self, surroundings: Surroundings) -> dict[bytes, str | None]:
        if self._octets > _KEPT_OCTETS:
            self._kept, self._octets = {}, 0
        return self._kept.setdefault(surroundings, {})

    def _keep(self, kept: dict[bytes, str | None], coded: bytes, text: str | None) -> None:
        if len(coded) <= _KEPT_LENGTH:
            kept[coded] = text
            self._octets += len(coded)


def _surroundings(octets: bytes, found: Sequence[Found], *, explicit: bool) -> Surroundings:
    """Return what holds for all elements of a Data Set."""
    character_set, signed = b"", None
    creators: list[tuple[int, str | None]] = []
    for tag, vr, length, value_at, end in found:
        if is_private_creator(tag):
            creators.append((tag, private_creator(octets[value_at:end], vr)))
        elif tag == _CHARACTER_SET:
            character_set = octets[value_at:end]
            if vr not in (b"CS", b"") or not is_known(character_set):
                raise Declined
        elif tag == _PIXEL_REPRESENTATION and length:
            signed = _is_signed(octets[value_at:end], vr)
    return Surroundings(explicit, character_set, signed, tuple(creators))


def _is_signed(value: bytes, vr: bytes) -> bool:
    if vr not in (b"US", b"") or value not in (b"\0\0", b"\1\0"):
        raise Declined
    return value == b"\1\0"


def _member(octets: bytes, element: Found, of: Surroundings) -> str | None:
    """Return a top-level element as a member of a JSON object; None where it is left out."""
    tag, end = element[0], element[-1]
    if tag == _CHARACTER_SET:
        return _UTF_8
    if _is_bulk(element, of):
        return None
    if end > min(len(octets), _FARTHEST):
        raise Declined
    try:
        text, reached = _element(octets, element, of)
    except LeftOut:
        return None
    except (LookupError, struct.error) as error:
        raise Declined from error
    if reached != end:
        raise Declined
    return text


def _is_bulk(element: Found, of: Surroundings) -> bool:
    tag, vr, length, _, _ = element
    if length in (0, UNDEFINED_LENGTH) or vr == b"SQ":
        return False
    long = of.explicit and length > _LONGEST
    return long or (length > BULK_OCTETS and vr_of(tag, vr, length, of) in BINARY)


def _element(octets: bytes, element: Found, of: Surroundings) -> tuple[str, int]:
    """Return an element as a member of a JSON object, and where it ends.

    In an element of undefined length the end is not believed.
    """
    tag, coded_vr, length, value_at, end = element
    if length == UNDEFINED_LENGTH:
        _check_sequence(octets, element, of)
        items, end = _items(octets, value_at, None, of)
        return f'"{tag:08X}":{{"vr":"SQ","Value":[{items}]}}', end
    vr = vr_of(tag, coded_vr, length, of)
    if vr == "SQ":
        items, end = _items(octets, value_at, end, of)
        return f'"{tag:08X}":{{"vr":"SQ","Value":[{items}]}}', end
    value = octets[value_at:end]
    if vr in BINARY:
        return f'"{tag:08X}":{{{binary_json(value, vr=vr)}}}', end
    write = decoded_json if vr == "SS" and tag in LUT_DESCRIPTORS else value_json
    inner = write(value, tag=tag, vr=vr, character_set=of.character_set)
    return f'"{tag:08X}":{{{inner}}}', end


def _check_sequence(octets: bytes, element: Found, of: Surroundings) -> None:
    """Decline what is of undefined length and no sequence, or no sure one."""
    tag, vr, _, value_at, _ = element
    if of.explicit:
        known = vr == b"SQ"
    else:
        known_vr = dictionary_vr(tag)
        group, first, _ = _IMPLICIT(octets, value_at)
        known = known_vr == "SQ" or (not known_vr and (group, first) == (_DELIMITERS, _ITEM))
    if not known:
        raise Declined


def _items(octets: bytes, at: int, end: int | None, of: Surroundings) -> tuple[str, int]:
    """Return the items of a sequence as JSON objects, and where the sequence ends."""
    if of.depth > _DEEPEST:
        raise Declined
    items: list[str] = []
    inner = of.inside()
    while at != end:
        group, element, length = _IMPLICIT(octets, at)
        if group != _DELIMITERS or (end is not None and at > end):
            raise Declined
        at += 8
        if element == _SEQUENCE_DELIMITER and end is None:
            break
        if element != _ITEM:
            raise Declined
        text, at = _item(octets, at, None if length == UNDEFINED_LENGTH else at + length, inner)
        items.append(text)
    return ",".join(items), at


def _item(octets: bytes, at: int, end: int | None, of: Surroundings) -> tuple[str, int]:
    """Return an item as a JSON object, and where it ends."""
    members: list[str] = []
    before = -1
    while at != end:
        element = _head(octets, at, of)
        tag = element[0]
        if tag == _DELIMITERS << 16 | _ITEM_DELIMITER and end is None:
            return "{" + ",".join(members) + "}", at + 8
        if tag <= before or tag >> 16 == _DELIMITERS or (end is not None and at > end):
            raise Declined
        of = _after(octets, element, of)
        text, at = _element(octets, element, of)
        members.append(text)
        before = tag
    return "{" + ",".join(members) + "}", at


def _after(octets: bytes, element: Found, of: Surroundings) -> Surroundings:
    """Return what holds from an element of an item on, which is not changed in all it may."""
    tag, vr, length, value_at, end = element
    if length != UNDEFINED_LENGTH and end > len(octets):
        raise Declined
    if tag == _CHARACTER_SET and octets[value_at:end] != of.character_set:
        raise Declined
    if tag == _PIXEL_REPRESENTATION:
        return replace(of, signed=None)
    if is_private_creator(tag) and length != UNDEFINED_LENGTH:
        return of.with_creator(tag, private_creator(octets[value_at:end], vr))
    return of


def _head(octets: bytes, at: int, of: Surroundings) -> Found:
    group, element, vr, length = _EXPLICIT(octets, at)
    tag = group << 16 | element
    value_at = at + 8
    if not of.explicit or group == _DELIMITERS:
        vr = b""
        (length,) = _LENGTH(octets, at + 4)
    elif vr in LONG_FORM:
        value_at = at + 12
        (length,) = _LENGTH(octets, at + 8)
    elif vr not in SHORT_FORM:
        raise Declined
    return tag, vr, length, value_at, value_at + length
