"""Which elements of two Data Sets differ, however each is coded.

Padding, the length form of sequences and the order of bytes are coding; group lengths and Data Set
Trailing Padding are left out. A text in another character set counts as different, since
(0008,0005) does.
"""

from typing import TYPE_CHECKING

from archive.intake.plain import Apart
from archive.view.transcode import UNREADABLE

if TYPE_CHECKING:
    from pydicom import DataElement, Dataset
    from pydicom.dataelem import RawDataElement

_WORD_LENGTHS = {"OW": 2, "OF": 4, "OL": 4, "OD": 8, "OV": 8}


def differing_tags(one: Apart, other: Apart) -> set[int]:
    """Return the tags of the top-level elements that differ, pixels left out.

    Raises whatever pydicom raises for what it cannot read.
    """
    return _differing(one.data_set(), other.data_set(), swapped=one.big is not other.big)


def _differing(one: "Dataset", other: "Dataset", *, swapped: bool) -> set[int]:
    tags = {int(tag) for tag in (*one.keys(), *other.keys()) if tag.element != 0}
    return {tag for tag in tags if not _same(one, other, tag, swapped=swapped)}


def _same(one: "Dataset", other: "Dataset", tag: int, *, swapped: bool) -> bool:
    if tag not in one or tag not in other:
        return False
    if not swapped and _same_raw(one.get_item(tag), other.get_item(tag)):
        return True
    try:
        return _same_element(one[tag], other[tag], swapped=swapped)
    except UNREADABLE:
        return False


def _same_raw(one: "RawDataElement | DataElement", other: "RawDataElement | DataElement") -> bool:
    """Tell whether two values that pydicom has not decoded yet are the same octets."""
    octets = (one.value, other.value)
    return octets[0] == octets[1] and all(isinstance(value, bytes) for value in octets)


def _same_element(one: "DataElement", other: "DataElement", *, swapped: bool) -> bool:
    if one.VR == "SQ" and other.VR == "SQ":
        items = (one.value or (), other.value or ())
        return len(items[0]) == len(items[1]) and not any(
            _differing(item, its_match, swapped=swapped)
            for item, its_match in zip(*items, strict=True)
        )
    values = (one.value, other.value)
    if isinstance(values[0], bytes) and isinstance(values[1], bytes):
        word = _WORD_LENGTHS.get(one.VR, 1) if swapped else 1
        return _same_octets(_swapped(values[0], word), values[1])
    # Two values that are not a number are the same value, though they do not compare so.
    return bool(values[0] == values[1]) or repr(values[0]) == repr(values[1])


def _same_octets(one: bytes, other: bytes) -> bool:
    return one == other or (
        abs(len(one) - len(other)) == 1 and one.rstrip(b"\0") == other.rstrip(b"\0")
    )


def _swapped(value: bytes, length: int) -> bytes:
    octets = bytearray(len(value))
    for place in range(length):
        octets[place::length] = value[length - 1 - place :: length]
    return bytes(octets)
