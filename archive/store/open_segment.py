"""Segments while they are written: one record after the other, or one that streams in."""

import secrets
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from archive.clock import Clock, milliseconds
from archive.errors import DiskFloorReached, StorageFailed
from archive.store.disk import Disk, Octets
from archive.store.recovery import OPEN, READY
from archive.store.segment import (
    HEAD_LENGTH,
    HEADER_LENGTH,
    RecordKind,
    record_header,
    record_parts,
    record_trailer,
    segment_head,
    segment_name,
)

_CREATE_ATTEMPTS = 5
"""Recovery may take a file between its creation and its lock; it will not take five."""


@dataclass(frozen=True, slots=True)
class Ground:
    """Where and by which rules segments are written."""

    directory: Path
    disk: Disk
    clock: Clock
    floor_bytes: int
    rollover_bytes: int

    def check_floor(self, needed: int) -> None:
        """Let nothing be written that would leave too little.

        Raises:
            DiskFloorReached: it would.
        """
        free = self.disk.free_bytes(self.directory)
        if free - needed < self.floor_bytes:
            raise DiskFloorReached(
                "The spool's disk is at its floor.",
                free=free,
                needed=needed,
                floor=self.floor_bytes,
            )


class OpenSegment:
    """One segment while it is written: usable until its first failure."""

    def __init__(self, ground: Ground, name: str) -> None:
        self._disk = ground.disk
        self._path = ground.directory / (name + OPEN)
        self._handle = ground.disk.create(self._path)
        self._records = 0
        self.name = name
        self.length = 0
        """Octets that are on the disk."""

    def append(self, kind: RecordKind, envelope: bytes, body: Sequence[Octets]) -> None:
        """Write and sync one record; whatever goes wrong ends the segment."""
        with self.or_abandoned():
            parts = record_parts(
                name=self.name, sequence=self._records + 1, kind=kind, envelope=envelope, body=body
            )
            head = [] if self._records else [segment_head(self.name)]
            self.write([*head, *parts])
            self.sync(sum(len(part) for part in (*head, *parts)))

    def write(self, parts: Sequence[Octets]) -> None:
        """Append octets that nothing is promised of yet."""
        self._handle.write(parts)

    def fill(self, offset: int, octets: Octets) -> None:
        """Put octets over some that were written before."""
        self._handle.fill(offset, octets)

    def begin_writing(self, offset: int, length: int) -> None:
        """Let the disk begin with what a later sync will wait for."""
        self._handle.begin_writing(offset, length)

    def sync(self, length: int) -> None:
        """Make what was written since the last sync durable: one record, so many octets."""
        self._handle.sync()
        if not self._records:
            self._disk.sync_directory(self._path.parent)
        self._records += 1
        self.length += length

    def hand_over(self) -> None:
        """Give the file the name that readers look for; where that fails, recovery will."""
        with suppress(OSError):
            self._disk.rename(self._path, self._path.with_suffix(READY))
        self._close()

    def abandon(self) -> None:
        """Drop what was not acknowledged, if the disk still can, and leave the rest to recovery."""
        with suppress(OSError):
            self._handle.truncate(self.length)
        self._close()

    @contextmanager
    def or_abandoned(self) -> Iterator[None]:
        """Abandon the segment where the block fails, in whatever way."""
        try:
            yield
        except BaseException:
            self.abandon()
            raise

    def _close(self) -> None:
        with suppress(OSError):
            self._handle.close()


class RecordStream:
    """One record of unknown length, in a segment of its own.

    Its header is written last and over zeros: until the sync that makes it durable, recovery finds
    no record there. The segment is handed over as soon as it is.
    """

    def __init__(self, ground: Ground, kind: RecordKind, envelope: bytes) -> None:
        """Begin the segment.

        Raises:
            DiskFloorReached: too little would stay free; not one byte was written.
            StorageFailed: the disk refused.
        """
        self._ground = ground
        self._kind = kind
        self._envelope = envelope
        self._checksum = 0
        self._length = 0
        header_length = HEADER_LENGTH + len(envelope)
        with translated():
            ground.check_floor(HEAD_LENGTH + header_length)
            self._segment = begin_segment(ground)
            self._at = HEAD_LENGTH + header_length
            with self._segment.or_abandoned():
                self._segment.write([segment_head(self._segment.name), bytes(header_length)])

    def write(self, parts: Sequence[Octets]) -> None:
        """Append to the body. Errors as at the beginning; after one the stream has ended."""
        length = sum(len(part) for part in parts)
        with translated(), self._segment.or_abandoned():
            self._ground.check_floor(length)
            self._segment.write(parts)
            self._segment.begin_writing(self._at, length)
        for part in parts:
            self._checksum = zlib.crc32(part, self._checksum)
        self._at += length
        self._length += length

    def commit(self) -> None:
        """Make the record durable and hand it over. On return it stays through power loss.

        Raises:
            StorageFailed: the write or the sync failed, and is not tried again.
        """
        with translated(), self._segment.or_abandoned():
            self._segment.write([record_trailer(checksum=self._checksum, sequence=1)])
            self._segment.fill(HEAD_LENGTH, self._header())
            self._segment.sync(self._at)
        self._segment.hand_over()

    def abandon(self) -> None:
        """Leave nothing of it."""
        self._segment.abandon()

    def _header(self) -> bytes:
        return record_header(
            name=self._segment.name,
            sequence=1,
            kind=self._kind,
            envelope=self._envelope,
            body_length=self._length,
        )


def begin_segment(ground: Ground) -> OpenSegment:
    """Create and lock a new segment.

    Raises:
        OSError: the disk refused.
        StorageFailed: every name was taken.
    """
    for _ in range(_CREATE_ATTEMPTS):
        created_ms = milliseconds(ground.clock.now())
        name = segment_name(created_ms=created_ms, chance=secrets.randbits(64))
        with suppress(BlockingIOError):
            return OpenSegment(ground, name)
    raise StorageFailed("No new segment could be locked.")


@contextmanager
def translated() -> Iterator[None]:
    """Say what an operation of the disk failed with in the archive's words."""
    try:
        yield
    except OSError as error:
        raise StorageFailed("The spool's disk refused.", errno=error.errno) from error
