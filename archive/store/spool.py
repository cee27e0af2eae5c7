"""The spool: where everything that arrives lies first, and all that a Success stands on.

Writers append to segments of their own; readers see a segment when it is handed over. See
:mod:`archive.store.segment` for the octets.

States of a segment::

    (none) --append--> NAME.open, locked --hand over--> NAME.ready --delete--> (none)
                            |
                            +-- write or sync failed, or the writer died: lock free
                                  --recover--> NAME.ready, cut behind its last verified record
"""

import os
import secrets
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from archive.clock import Clock, milliseconds
from archive.errors import (
    DiskFloorReached,
    NotFound,
    SegmentClosed,
    StorageFailed,
    TornRecord,
)
from archive.store.disk import Disk, Handle, Octets
from archive.store.segment import (
    CHUNK,
    HEAD_LENGTH,
    Envelope,
    Record,
    RecordKind,
    is_segment_name,
    record_parts,
    scan,
    segment_head,
    segment_name,
)

OPEN = ".open"
READY = ".ready"
ROLLOVER_BYTES = 64 * 1024 * 1024
"""A segment this long is handed over, so that intake need not wait for the association's end."""


class Spool:
    """A directory of segments, for those who write."""

    def __init__(
        self,
        directory: Path,
        *,
        disk: Disk,
        clock: Clock,
        floor_bytes: int,
        rollover_bytes: int = ROLLOVER_BYTES,
    ) -> None:
        raise NotImplementedError

    def writer(self) -> "SegmentWriter":
        """Return a writer for one association or MLLP connection. Nothing is opened yet."""
        raise NotImplementedError

    def hand_over_quiet(self, seconds: float) -> int:
        """Hand over the segments of writers that have appended nothing for so long.

        Returns how many. A timer calls it, so that an association held open delays nobody; a
        writer that is appending at this moment is not waited for.
        """
        raise NotImplementedError


class SegmentWriter:
    """Appends records; used by one thread at a time, while a timer may hand over."""

    def append(self, kind: RecordKind, envelope: Envelope, body: Sequence[Octets]) -> None:
        """Append one record. On return it is on the disk, and stays there through power loss.

        Raises:
            DiskFloorReached: too little would stay free; not one byte was written.
            StorageFailed: the write or the sync failed. Nothing of the record will come back
                as a record that was promised; the next append begins a new segment.
        """
        raise NotImplementedError

    def hand_over(self) -> None:
        """Let readers have the segment; the next append begins a new one. Never fails."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Recovery:
    """What became of a segment whose writer died."""

    name: str
    records: int
    """Verified records, handed over. With none the file was removed."""
    cut: int
    """Octets behind the last verified record, which were dropped."""
    damaged: bool
    """Behind the cut a record verified: the disk has harmed what was acknowledged. Everything
    from the cut on is kept as ``NAME.damaged`` for a person to look at."""


class SpoolReader:
    """A directory of segments, for those who read. Any process may; writers are not disturbed."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def ready(self) -> list[str]:
        """Return the names of the segments handed over, oldest first."""
        raise NotImplementedError

    def recover(self) -> list[Recovery]:
        """Take over the segments whose writer is gone. Call it in every round, not once.

        A writer that failed leaves its segment to this, too. A segment whose writer lives is
        never touched. Records that come back are on the disk when this returns.
        """
        raise NotImplementedError

    def records(self, name: str) -> Iterator[Record]:
        """Yield the verified records of a segment that was handed over.

        Raises:
            NotFound: no such segment.
            TornRecord: the disk has harmed it since.
        """
        raise NotImplementedError

    def read(self, name: str, *, offset: int, length: int) -> Iterator[bytes]:
        """Return octets in chunks of at most 1 MiB.

        Raises:
            NotFound: no such segment; at the call, not at the first chunk.
            TornRecord: the segment ends before the range does.
        """
        raise NotImplementedError

    def delete(self, name: str) -> None:
        """Remove a segment, durably. One that is gone is no error."""
        raise NotImplementedError
