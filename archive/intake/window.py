"""Stored octets as a file: read where they lie, a block at a time, never whole."""

import io
from dataclasses import replace
from typing import TYPE_CHECKING

from archive.index.header import Loose, Packed
from archive.reader import Octets

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

BLOCK = 64 * 1024


class Window(io.RawIOBase):
    """The octets at a location as a raw, seekable stream."""

    def __init__(self, octets: Octets, location: Loose | Packed) -> None:
        super().__init__()
        self._octets = octets
        self._location = location
        self._at = 0

    def readable(self) -> bool:
        """Tell that it can be read."""
        return True

    def seekable(self) -> bool:
        """Tell that it can be sought."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Move; beyond the end is allowed, and reads nothing there."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._location.length}[whence]
        self._at = base + offset
        return self._at

    def tell(self) -> int:
        """Return where the next read begins."""
        return self._at

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        """Fill the buffer from where the stream stands.

        Raises:
            NotFound: the octets are no longer where the location says.
            StorageFailed: the storage refused.
        """
        target = memoryview(buffer).cast("B")
        length = max(0, min(len(target), self._location.length - self._at))
        filled = 0
        for chunk in self._octets.whole(self._part(length)) if length else ():
            target[filled : filled + len(chunk)] = chunk
            filled += len(chunk)
        self._at += filled
        return filled

    def _part(self, length: int) -> Loose | Packed:
        offset = self._location.offset + self._at
        return replace(self._location, offset=offset, length=length, data_set_offset=0)


def opened(octets: Octets, location: Loose | Packed) -> io.BufferedReader:
    """Return the octets at a location as a buffered stream that stands at their beginning."""
    return io.BufferedReader(Window(octets, location), buffer_size=BLOCK)


def opened_data_set(octets: Octets, location: Loose | Packed) -> io.BufferedReader:
    """Return the Data Set at a location as a buffered stream."""
    skip = location.data_set_offset
    data_set = replace(
        location, offset=location.offset + skip, length=location.length - skip, data_set_offset=0
    )
    return opened(octets, data_set)
