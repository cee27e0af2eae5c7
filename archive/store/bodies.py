"""A segment read once: its records, each with its octets, verified while they pass by."""

import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from archive.errors import TornRecord
from archive.store.segment import (
    CHUNK,
    HEAD_LENGTH,
    Record,
    head_verifies,
    header_at,
    record_trailer,
)

FIRST = 256 * 1024
"""Octets that the first chunk of a body has at least, or all."""


@dataclass(frozen=True, slots=True)
class Body:
    """One record, and its body to be taken once."""

    record: Record
    chunks: Iterator[memoryview]
    """The octets in chunks of at most 1 MiB. Raises TornRecord behind the last of them where they
    are not those that were received; until then nothing may be made of them."""


def bodies(file: BinaryIO, name: str, *, after: int) -> Iterator[Body]:
    """Yield the records of a segment behind the one numbered ``after``, up to its end.

    What is left of a body when the next record is asked for is read and verified then.

    Raises:
        TornRecord: the head or a record does not verify, or the segment ends inside one.
    """
    if not head_verifies(file, name):
        raise TornRecord("The segment's head does not verify.", segment=name, offset=0)
    window = _Window(file)
    at, sequence = HEAD_LENGTH, 1
    while at < window.end:
        record = header_at(window.exactly, name, at)
        if record.sequence != sequence or record.end > window.end:
            raise TornRecord("A record is out of its order or place.", segment=name, offset=at)
        if sequence > after:
            chunks = _verified(window, record, name)
            yield Body(record, chunks)
            for _ in chunks:
                pass
        at, sequence = record.end, sequence + 1


def scan(file: BinaryIO, name: str) -> Iterator[Record]:
    """Yield the records of a segment up to its end, each when all of it has verified.

    Raises:
        TornRecord: as :func:`bodies`.
    """
    for body in bodies(file, name, after=0):
        for _ in body.chunks:
            pass
        yield body.record


def _verified(window: "_Window", record: Record, name: str) -> Iterator[memoryview]:
    checksum, at, end = 0, record.offset, record.offset + record.length
    while at < end:
        chunk = window.chunk(at, end)
        checksum = zlib.crc32(chunk, checksum)
        yield chunk
        at += len(chunk)
    trailer = record_trailer(checksum=checksum, sequence=record.sequence)
    if window.exactly(end, record.end - end) != trailer:
        raise TornRecord(
            "A record's body or trailer does not verify.", segment=name, offset=record.offset
        )


class _Window:
    """Up to 1 MiB of a file in memory: small records cost no read of their own."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._start = 0
        self._octets = b""
        self.end = os.fstat(file.fileno()).st_size
        """Of the file, when it was opened."""

    def exactly(self, at: int, length: int) -> bytes:
        """Return a few octets."""
        if not self._start <= at <= at + length <= self._start + len(self._octets):
            self._fill(at, max(length, CHUNK))
        octets = self._octets[at - self._start : at - self._start + length]
        if len(octets) != length:
            raise TornRecord("The segment ends inside a record.", offset=at)
        return octets

    def chunk(self, at: int, end: int) -> memoryview:
        """Return the next octets of a body that goes on to ``end``; they are not copied."""
        here = self._start + len(self._octets)
        if not self._start <= at < at + min(FIRST, end - at) <= here:
            self._fill(at, min(CHUNK, self.end - at))
        start = at - self._start
        return memoryview(self._octets)[start : start + min(CHUNK, end - at)]

    def _fill(self, at: int, length: int) -> None:
        self._start = at
        self._octets = os.pread(self._file.fileno(), length, at)
        if not self._octets:
            raise TornRecord("The segment has become shorter.", offset=at)
