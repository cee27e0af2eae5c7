"""A Data Set without its pixels: what comparisons and the DICOM JSON of a pack are made from."""

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Self

from archive.index.header import Loose, Packed
from archive.intake.coding import DEFLATED, Inflated, Plain, form_of
from archive.intake.elements import Element, elements
from archive.intake.reasons import Reason, unreadable
from archive.intake.window import opened_data_set
from archive.reader import Octets
from archive.view.elements import Form
from archive.words.syntaxes import EXPLICIT_VR_LITTLE_ENDIAN

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

IN_MEMORY = 64 * 1024 * 1024
"""Octets of elements other than pixels that are held at once, or of an inflated Data Set."""

PIXELS = 0x7FE0
"""Group of pixel data in all its forms (PS3.3 Section C.7.6.3)."""
_PADDING = 0xFFFC


@dataclass(frozen=True, slots=True)
class Stored:
    """One instance where it lies."""

    octets: Octets
    location: Loose | Packed
    transfer_syntax: str


class Apart:
    """An instance taken apart, its octets read where they lie. Use it as a context manager."""

    def __init__(self, stored: Stored) -> None:
        """Walk over the Data Set.

        Raises:
            DataSetUnreadable: it is broken, or its elements without pixels are over 64 MiB.
            NotFound: the octets have moved; ask the index again.
        """
        self.transfer_syntax = stored.transfer_syntax
        self._stream, length = _seekable(stored)
        form = form_of(stored.transfer_syntax)
        self._elements = list(elements(Plain(self._stream, length), form))
        self._form = Form(explicit=self._is_explicit(form), big=form.big)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()

    @property
    def big(self) -> bool:
        """Whether words are big endian."""
        return self._form.big

    @property
    def pixels(self) -> list[Element]:
        """The elements of pixel data, as they lie."""
        return [element for element in self._elements if element.tag >> 16 == PIXELS]

    def has(self, tag: int) -> bool:
        """Tell whether an element is there."""
        return any(element.tag == tag for element in self._elements)

    def coded(self, leave_out: Callable[[Element], bool] = lambda _: False) -> bytes:
        """Return the coded elements without pixels, padding, and what is to be left out."""
        kept = [element for element in self._elements if not _is_left(element)]
        kept = [element for element in kept if not leave_out(element)]
        if sum(element.end - element.start for element in kept) > IN_MEMORY:
            raise unreadable(Reason.BROKEN_CODING, "The header is too long to be looked at.")
        return b"".join(self.read(element.start, element.end) for element in kept)

    def data_set(self) -> "Dataset":
        """Return the decoded elements without pixels."""
        from pydicom.filereader import read_dataset

        return read_dataset(io.BytesIO(self.coded()), not self._form.explicit, not self.big)

    def read(self, start: int, end: int) -> bytes:
        """Return octets of the Data Set, inflated."""
        self._stream.seek(start)
        return self._stream.read(end - start)

    def chunks(self, start: int, end: int) -> Iterator[bytes]:
        """Yield octets of the Data Set in chunks of at most 1 MiB."""
        for at in range(start, end, 1024 * 1024):
            yield self.read(at, min(at + 1024 * 1024, end))

    def _is_explicit(self, form: Form) -> bool:
        return bool(self._elements[0].vr) if self._elements else form.explicit


def native_syntax(transfer_syntax: str) -> str:
    """Return the syntax of a Data Set's coded elements: a deflated one is inflated."""
    return EXPLICIT_VR_LITTLE_ENDIAN if transfer_syntax in DEFLATED else transfer_syntax


def _seekable(stored: Stored) -> tuple[BinaryIO, int]:
    stream = opened_data_set(stored.octets, stored.location)
    length = stored.location.length - stored.location.data_set_offset
    if stored.transfer_syntax not in DEFLATED:
        return stream, length
    with stream:
        inflated = Inflated(stream).take(IN_MEMORY + 1)
    if len(inflated) > IN_MEMORY:
        raise unreadable(Reason.BROKEN_CODING, "The inflated Data Set is too long to look at.")
    return io.BytesIO(inflated), len(inflated)


def _is_left(element: Element) -> bool:
    group_length = element.tag & 0xFFFF == 0
    return group_length or element.tag >> 16 in (PIXELS, _PADDING)
