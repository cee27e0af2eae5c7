"""The spool: where everything that arrives lies first, and all that a Success stands on.

Writers append to segments of their own; readers see a segment when it is handed over. See
:mod:`archive.store.segment` for the octets.

States of a segment::

    (none) --append--> NAME.open, locked --hand over--> NAME.ready --delete--> (none)
                            |
                            +-- write or sync failed, or the writer died: the lock is free
                                  --recover--> NAME.ready, cut behind its last verified record
"""

import os
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from archive.clock import Clock
from archive.errors import NotFound, StorageFailed, TornRecord
from archive.store.bodies import Body, bodies, scan
from archive.store.disk import Disk, Octets
from archive.store.durable import sync_directory
from archive.store.open_segment import Ground, OpenSegment, RecordStream, begin_segment, translated
from archive.store.recovery import OPEN, READY, Recovery, recover_segment
from archive.store.segment import CHUNK, Envelope, Record, RecordKind, is_segment_name

__all__ = ["RecordStream", "Recovery", "SegmentWriter", "Spool", "SpoolReader"]

ROLLOVER_BYTES = 64 * 1024 * 1024
"""A segment this long is handed over, so that intake need not wait for the association's end."""


class Spool:
    """A directory of segments, for those who write.

    Raises:
        StorageFailed: the directory cannot be made.
    """

    def __init__(
        self,
        directory: Path,
        *,
        disk: Disk,
        clock: Clock,
        floor_bytes: int,
        rollover_bytes: int = ROLLOVER_BYTES,
    ) -> None:
        self._ground = Ground(directory, disk, clock, floor_bytes, rollover_bytes)
        self._writing = _Writing()
        with translated():
            disk.make_directory(directory)

    def writer(self) -> "SegmentWriter":
        """Return a writer for one association or MLLP connection. Nothing is opened yet."""
        return SegmentWriter(self._ground, self._writing)

    def stream(self, kind: RecordKind, envelope: Envelope) -> RecordStream:
        """Begin a record of unknown length in a segment of its own.

        Raises:
            DiskFloorReached: too little would stay free; not one byte was written.
            StorageFailed: the disk refused.
        """
        return RecordStream(self._ground, kind, envelope.encoded())

    def hand_over_quiet(self, seconds: float) -> int:
        """Hand over the segments of writers that have appended nothing for so long.

        Returns how many. A timer calls it, so that an association held open delays nobody; a
        writer that is appending at this moment is not waited for. With 0 it is for the end of
        the process.
        """
        before = self._ground.clock.monotonic() - seconds
        return sum(writer.hand_over_if_idle(before) for writer in self._writing.all())


class SegmentWriter:
    """Appends records; used by one thread at a time, while a timer may hand over."""

    def __init__(self, ground: Ground, writing: "_Writing") -> None:
        self._ground = ground
        self._writing = writing
        self._lock = threading.Lock()
        self._segment: OpenSegment | None = None
        self._appended_at = 0.0

    def append(self, kind: RecordKind, envelope: Envelope, body: Sequence[Octets]) -> None:
        """Append one record. On return it is on the disk, and stays there through power loss.

        Raises:
            DiskFloorReached: too little would stay free; not one byte was written.
            StorageFailed: the write or the sync failed, and is not tried again. The segment is
                closed for good; the next append begins a new one.
        """
        octets = envelope.encoded()
        with translated(), self._lock:
            self._ground.check_floor(len(octets) + sum(len(part) for part in body))
            self._append(kind, octets, body)
            self._appended_at = self._ground.clock.monotonic()

    def hand_over(self) -> None:
        """Let readers have the segment; the next append begins a new one. Never fails."""
        with self._lock:
            self._hand_over()

    def hand_over_if_idle(self, before: float) -> bool:
        """Hand over when the last append was not after ``before``, in the clock's monotonic time.

        Returns whether there was something to hand over. Does not wait for an append.
        """
        if not self._lock.acquire(blocking=False):
            return False
        try:
            idle = self._segment is not None and self._appended_at <= before
            if idle:
                self._hand_over()
            return idle
        finally:
            self._lock.release()

    def _append(self, kind: RecordKind, envelope: bytes, body: Sequence[Octets]) -> None:
        segment = self._segment or self._begin()
        try:
            segment.append(kind, envelope, body)
        except BaseException:
            self._forget()
            raise
        if segment.length >= self._ground.rollover_bytes:
            self._hand_over()

    def _begin(self) -> "OpenSegment":
        self._segment = begin_segment(self._ground)
        self._writing.add(self)
        return self._segment

    def _hand_over(self) -> None:
        if self._segment is not None:
            self._segment.hand_over()
            self._forget()

    def _forget(self) -> None:
        self._segment = None
        self._writing.discard(self)


class _Writing:
    """The writers with a segment open. They are kept here even when their owner forgot them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._writers: set[SegmentWriter] = set()

    def add(self, writer: SegmentWriter) -> None:
        with self._lock:
            self._writers.add(writer)

    def discard(self, writer: SegmentWriter) -> None:
        with self._lock:
            self._writers.discard(writer)

    def all(self) -> list[SegmentWriter]:
        with self._lock:
            return list(self._writers)


class SpoolReader:
    """A directory of segments, for those who read. Any process may; writers are not disturbed."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def ready(self) -> list[str]:
        """Return the names of the segments handed over, oldest first."""
        return self._named(READY)

    def present(self) -> frozenset[str]:
        """Return the names of all segments, also of those that are still written."""
        # One that is handed over between the two looks is seen by the second.
        being_written = self._named(OPEN)
        return frozenset([*being_written, *self._named(READY)])

    def recover(self) -> list[Recovery]:
        """Take over the segments whose writer is gone. Call it in every round, not once.

        A writer that failed leaves its segment to this, too. A segment whose writer lives is
        never touched. Records that come back are on the disk when this returns.

        Raises:
            StorageFailed: the disk refused for some segment; the others have been taken over.
        """
        recoveries, failures = [], []
        for name in self._named(OPEN):
            try:
                with translated():
                    recoveries.append(recover_segment(self._directory, name))
            except StorageFailed as failure:
                failures.append(failure)
        if failures:
            raise failures[0]
        return [recovery for recovery in recoveries if recovery is not None]

    def records(self, name: str) -> Iterator[Record]:
        """Return the verified records of a segment that was handed over.

        Raises:
            NotFound: no such segment; at the call.
            TornRecord: the disk has harmed it since; when that record's turn comes.
        """
        return _closing_scan(self._opened(name), name)

    def bodies(self, name: str, *, after: int = 0) -> Iterator[Body]:
        """Return the records behind the one numbered ``after``, with their octets, read once.

        Each body is to be taken before the next record is asked for. Errors as :meth:`records`,
        but that a record's body verifies shows only when the last of it is taken.
        """
        return _closing_bodies(self._opened(name), name, after)

    def read(self, name: str, *, offset: int, length: int) -> Iterator[bytes]:
        """Return octets in chunks of at most 1 MiB.

        Raises:
            NotFound: no such segment; at the call, not at the first chunk.
            TornRecord: the segment ends before the range does; at the call.
        """
        file = self._opened(name)
        if not 0 <= offset <= offset + length <= os.fstat(file.fileno()).st_size:
            file.close()
            raise TornRecord("The segment ends before the range.", segment=name, offset=offset)
        return _chunks(file, offset, offset + length)

    def delete(self, name: str) -> None:
        """Remove a segment, durably. One that is gone is no error."""
        with translated():
            self._path(name).unlink(missing_ok=True)
            sync_directory(self._directory)

    def _named(self, suffix: str) -> list[str]:
        names = (path.stem for path in self._directory.glob("*" + suffix))
        return sorted(name for name in names if is_segment_name(name))

    def _path(self, name: str) -> Path:
        if not is_segment_name(name):
            raise NotFound("No segment can have this name.", segment=name[:80])
        return self._directory / (name + READY)

    def _opened(self, name: str) -> BinaryIO:
        path = self._path(name)
        with translated():
            try:
                return path.open("rb", buffering=0)
            except FileNotFoundError as error:
                raise NotFound("No such segment was handed over.", segment=name) from error


def _closing_scan(file: BinaryIO, name: str) -> Iterator[Record]:
    with file, translated():
        yield from scan(file, name)


def _closing_bodies(file: BinaryIO, name: str, after: int) -> Iterator[Body]:
    with file, translated():
        yield from bodies(file, name, after=after)


def _chunks(file: BinaryIO, at: int, end: int) -> Iterator[bytes]:
    with file, translated():
        while at < end:
            chunk = os.pread(file.fileno(), min(CHUNK, end - at), at)
            if not chunk:
                raise TornRecord("The segment has become shorter.", offset=at)
            at += len(chunk)
            yield chunk
