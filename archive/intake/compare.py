"""Whether two Data Sets under one SOP Instance UID are the same object, and where they differ.

**Content** is what may not change under a UID: the pixels with what describes them, or the
encapsulated document, or else (structured reports, plans, presentation states) every element but
those that say whose it is, when and with what it was made. All else is header.

Pixels are the same when their octets are, or when both syntaxes are lossless, pydicom has decoders
for both here, and every frame decodes alike. Pixels are never held whole: digests are streamed,
frames decoded one by one.
"""

import hashlib
import io
import struct
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, BinaryIO

from archive.errors import DataSetUnreadable
from archive.intake.elements import Element
from archive.intake.plain import Apart, Stored, native_syntax
from archive.intake.sameness import differing_tags
from archive.intake.window import opened
from archive.store.part10 import file_meta
from archive.view.transcode import UNREADABLE
from archive.words.syntaxes import LOSSLESS_COMPRESSED, NATIVE

if TYPE_CHECKING:
    from numpy import generic
    from numpy.typing import NDArray

_PIXEL_DATA = frozenset((0x7FE00008, 0x7FE00009, 0x7FE00010))
_DESCRIBING_PIXELS = frozenset(
    0x00280000 | element
    for element in (0x02, 0x04, 0x06, 0x08, 0x10, 0x11, 0x100, 0x101, 0x102, 0x103)
)
"""Samples per Pixel to Pixel Representation, and Number of Frames."""
_ENCAPSULATED_DOCUMENT = 0x00420011
_HEADER_GROUPS = frozenset((0x0008, 0x0010, 0x0012, 0x0018, 0x0020, 0x0032, 0x0038, 0x0400, 0xFFFA))
_REFERENCES = frozenset((0x00081115, 0x00081140, 0x00081199, 0x0008114A, 0x00082112))
"""Sequences of group 0008 that are what a document is about, not who made it."""
_FIRST_OF_CONTENT = 0x0040A000
"""Before it group 0040 tells of the request and the procedure step; from it on, of content."""
_LOSSLESS = NATIVE | LOSSLESS_COMPRESSED
_ITEM = struct.Struct("<4xI")


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a comparison found."""

    same_content: bool
    differing: tuple[int, ...]
    """Tags of the other top-level elements that differ, ascending."""

    @property
    def same(self) -> bool:
        """Whether nothing differs."""
        return self.same_content and not self.differing


NOT_COMPARABLE = Comparison(same_content=False, differing=())
"""One of the two cannot be taken apart: nothing proves that it is the same object."""


def compare(one: Stored, other: Stored) -> Comparison:
    """Compare two instances where they lie.

    Raises:
        NotFound: one of them has moved meanwhile; ask the index again.
        StorageFailed: the storage refused.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _compare(one, other)
    except (DataSetUnreadable, *UNREADABLE):
        return NOT_COMPARABLE


def _compare(one: Stored, other: Stored) -> Comparison:
    with Apart(one) as first, Apart(other) as second:
        differing = differing_tags(first, second)
        if not (first.pixels or second.pixels):
            same = _same_document(first, differing)
            return Comparison(same, tuple(sorted(differing)))
        described_alike = differing.isdisjoint(_DESCRIBING_PIXELS)
        same = described_alike and _same_octets(first, second)
    if not same and _same_frames(one, other):
        return Comparison(
            same_content=True, differing=tuple(sorted(differing - _DESCRIBING_PIXELS))
        )
    return Comparison(same, tuple(sorted(differing)))


def _same_document(apart: Apart, differing: set[int]) -> bool:
    if apart.has(_ENCAPSULATED_DOCUMENT):
        return _ENCAPSULATED_DOCUMENT not in differing
    return not any(_is_content(tag) for tag in differing)


def _is_content(tag: int) -> bool:
    group = tag >> 16
    if group % 2 or group in _HEADER_GROUPS:
        return tag in _REFERENCES
    return group != _FIRST_OF_CONTENT >> 16 or tag >= _FIRST_OF_CONTENT


# --- pixels as they lie -----------------------------------------------------------------------


def _same_octets(one: Apart, other: Apart) -> bool:
    if not _coded_alike(one, other):
        return False
    return _digests(one) == _digests(other)


def _coded_alike(one: Apart, other: Apart) -> bool:
    if one.transfer_syntax == other.transfer_syntax:
        return True
    return {one.transfer_syntax, other.transfer_syntax} <= NATIVE and one.big is other.big


def _digests(apart: Apart) -> dict[int, bytes]:
    return {
        element.tag: _digest(apart, element)
        for element in apart.pixels
        if element.tag in _PIXEL_DATA
    }


def _digest(apart: Apart, element: Element) -> bytes:
    digest = hashlib.sha256()
    for start, end in _fragments(apart, element):
        for chunk in apart.chunks(start, end):
            digest.update(chunk)
    return digest.digest()


def _fragments(apart: Apart, element: Element) -> Iterator[tuple[int, int]]:
    """Yield the value of native pixel data, or the fragments behind the offset table (A.4)."""
    if not element.undefined:
        yield element.value_at, element.end
        return
    at, end = element.value_at, element.end - _ITEM.size
    is_offset_table = True
    while at < end:
        length = int(_ITEM.unpack(apart.read(at, at + _ITEM.size))[0])
        at += _ITEM.size + length
        if not is_offset_table:
            yield at - length, at
        is_offset_table = False


# --- pixels as they decode --------------------------------------------------------------------


def _same_frames(one: Stored, other: Stored) -> bool:
    if not {one.transfer_syntax, other.transfer_syntax} <= _LOSSLESS:
        return False
    try:
        pairs = zip_longest(_frames(one), _frames(other))
        return all(_same_frame(frame, its_match) for frame, its_match in pairs)
    except UNREADABLE:
        return False


def _same_frame(one: "NDArray[generic] | None", other: "NDArray[generic] | None") -> bool:
    if one is None or other is None:
        return False
    return one.shape == other.shape and bool((one == other).all())


def _frames(stored: Stored) -> "Iterator[NDArray[generic]]":
    from pydicom.pixels.utils import iter_pixels

    with _part10(stored) as stream:
        yield from iter_pixels(stream)


def _part10(stored: Stored) -> BinaryIO:
    syntax = native_syntax(stored.transfer_syntax)
    if syntax == stored.transfer_syntax:
        return opened(stored.octets, stored.location)
    with Apart(stored) as apart:
        return io.BytesIO(meta_of(syntax) + apart.coded() + _pixels(apart))


def _pixels(apart: Apart) -> bytes:
    return b"".join(apart.read(element.start, element.end) for element in apart.pixels)


def meta_of(transfer_syntax: str) -> bytes:
    """Return a File Meta Information for octets that are only to be decoded here."""
    return file_meta(
        sop_class_uid="",
        sop_instance_uid="",
        transfer_syntax=transfer_syntax,
        calling_ae="",
        called_ae="",
    )
