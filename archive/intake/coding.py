"""How the elements of a Data Set are coded, told by its transfer syntax (PS3.5 Annex A)."""

import io
import zlib
from typing import BinaryIO, Protocol

from archive.intake.reasons import Reason, unreadable
from archive.view.elements import Form
from archive.words.syntaxes import (
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_BIG_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
)

DEFLATED = frozenset(
    (DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN, "1.2.840.10008.1.2.4.95", "1.2.840.10008.1.2.4.205")
)
"""Syntaxes whose whole Data Set is a deflate stream (PS3.5 Sections A.5, A.7 and A.9)."""

INFLATED_LIMIT = 8 * 1024**3
"""Octets that are inflated at most: no object may occupy a worker for hours."""

_CHUNK = 256 * 1024


def form_of(transfer_syntax: str) -> Form:
    """Return how the elements of a transfer syntax are coded.

    A private syntax counts as Explicit VR Little Endian, as pydicom and dcmtk have it; the reader
    of elements looks whether the first one has a VR at all.
    """
    return Form(
        explicit=transfer_syntax != IMPLICIT_VR_LITTLE_ENDIAN,
        big=transfer_syntax == EXPLICIT_VR_BIG_ENDIAN,
    )


class Forward(Protocol):
    """Octets that are read or stepped over from the beginning on."""

    def take(self, length: int) -> bytes:
        """Return the next octets: fewer than ``length`` only where the Data Set ends."""

    def skip(self, length: int) -> int:
        """Step over octets and return how many there were."""


class Plain:
    """A stream whose length is known: stepping over reads nothing."""

    def __init__(self, stream: BinaryIO, length: int) -> None:
        self._stream = stream
        self._left = length

    def take(self, length: int) -> bytes:
        """Return the next octets."""
        octets = self._stream.read(min(length, self._left))
        self._left -= len(octets)
        return octets

    def skip(self, length: int) -> int:
        """Step over octets."""
        skipped = min(length, self._left)
        self._stream.seek(skipped, io.SEEK_CUR)
        self._left -= skipped
        return skipped


class Inflated:
    """A deflate stream (RFC 1951) while it is inflated, a chunk at a time."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._inflate = zlib.decompressobj(wbits=-zlib.MAX_WBITS)
        self._waiting = b""
        self._total = 0

    def take(self, length: int) -> bytes:
        """Return the next octets.

        Raises:
            DataSetUnreadable: the deflate stream is broken, ends too early or inflates absurdly.
        """
        while len(self._waiting) < length and (more := self._more()):
            self._waiting += more
        octets, self._waiting = self._waiting[:length], self._waiting[length:]
        return octets

    def skip(self, length: int) -> int:
        """Step over octets; errors as :meth:`take`."""
        left = length
        while left and (octets := self.take(min(left, _CHUNK))):
            left -= len(octets)
        return length - left

    def _more(self) -> bytes:
        """Return what comes next, empty at the end of the deflate stream."""
        octets = b""
        while not octets and not self._inflate.eof:
            octets = self._step()
        self._total += len(octets)
        if self._total > INFLATED_LIMIT:
            raise unreadable(Reason.BROKEN_CODING, "The Data Set inflates to more than 8 GiB.")
        return octets

    def _step(self) -> bytes:
        deflated = self._inflate.unconsumed_tail or self._stream.read(_CHUNK)
        if not deflated:
            raise unreadable(Reason.TRUNCATED, "The deflated Data Set ends too early.")
        try:
            return self._inflate.decompress(deflated, _CHUNK)
        except zlib.error as error:
            raise unreadable(Reason.BROKEN_CODING, "The Data Set does not inflate.") from error


def forward(stream: BinaryIO, *, length: int, transfer_syntax: str) -> Forward:
    """Return the coded elements of a Data Set, inflated where its syntax deflates."""
    return Inflated(stream) if transfer_syntax in DEFLATED else Plain(stream, length)
