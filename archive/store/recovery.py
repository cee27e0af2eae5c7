"""Segments whose writer is gone: what verifies is handed over, what does not is cut.

A writer syncs each record before the next begins, so at most one record of a segment was never
acknowledged: its last. If a record verifies behind one that does not, the disk has harmed what was
acknowledged; then everything from the cut on is kept beside the segment for a person to look at.
"""

import mmap
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from archive.errors import TornRecord
from archive.store.bodies import scan
from archive.store.disk import lock_named
from archive.store.durable import sync_directory, write_durably
from archive.store.segment import (
    CHUNK,
    HEAD_LENGTH,
    MAGIC,
    MAGIC_FAMILY,
    RECORD_MAGIC,
    head_verifies,
    read_header,
)

OPEN = ".open"
READY = ".ready"
DAMAGED = ".damaged"


@dataclass(frozen=True, slots=True)
class Recovery:
    """What became of a segment whose writer was gone."""

    name: str
    records: int
    """Verified records, handed over. With none the file was removed."""
    cut: int
    """Octets behind what verifies, which were dropped."""
    damaged: bool
    """What was cut had been acknowledged; it is kept as ``NAME.damaged``."""


def recover_segment(directory: Path, name: str) -> Recovery | None:
    """Hand over what verifies of an open segment, durably.

    Returns None, and touches nothing, when its writer lives, when another process was faster, or
    when a later version of this software wrote it. Killed at any point, it can be called again.

    Raises:
        OSError: the disk refused; the segment is as it was.
        StorageFailed: the same, while the damaged part was kept.
    """
    path = directory / (name + OPEN)
    try:
        with path.open("r+b", buffering=0) as file:
            lock_named(file.fileno(), path)
            return _recover(file, directory, name)
    except (FileNotFoundError, BlockingIOError):
        return None


def _recover(file: BinaryIO, directory: Path, name: str) -> Recovery | None:
    _forget_cached(file)
    if _is_foreign(file):
        return None
    records, end = _verified(file, name)
    size = os.fstat(file.fileno()).st_size
    damaged = end < size and _verifies_behind(file, name, end)
    if damaged:
        write_durably(directory / (name + DAMAGED), _tail(file, end))
    _settle(file, directory, name, end if records else 0)
    return Recovery(name=name, records=records, cut=max(0, size - end), damaged=damaged)


def _forget_cached(file: BinaryIO) -> None:
    """Make the disk, not the page cache, say what is there.

    After a failed sync Linux keeps the pages, marked clean: they would verify now and be gone
    after a power loss.
    """
    os.fsync(file.fileno())
    os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _is_foreign(file: BinaryIO) -> bool:
    magic = os.pread(file.fileno(), len(MAGIC), 0)
    return magic.startswith(MAGIC_FAMILY) and magic != MAGIC and len(magic) == len(MAGIC)


def _verified(file: BinaryIO, name: str) -> tuple[int, int]:
    """Return how many records verify from the beginning on, and where what verifies ends."""
    records, end = 0, HEAD_LENGTH if head_verifies(file, name) else 0
    with suppress(TornRecord):
        for record in scan(file, name):
            records, end = records + 1, record.end
    return records, end


def _verifies_behind(file: BinaryIO, name: str, end: int) -> bool:
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as octets:
        at = octets.find(RECORD_MAGIC, end + 1)
        while at != -1:
            if _is_header(file, name, at):
                return True
            at = octets.find(RECORD_MAGIC, at + 1)
    return False


def _is_header(file: BinaryIO, name: str, at: int) -> bool:
    try:
        read_header(file, name, at)
    except TornRecord:
        return False
    return True


def _tail(file: BinaryIO, at: int) -> Iterator[bytes]:
    while chunk := os.pread(file.fileno(), CHUNK, at):
        at += len(chunk)
        yield chunk


def _settle(file: BinaryIO, directory: Path, name: str, end: int) -> None:
    path = directory / (name + OPEN)
    if end:
        os.ftruncate(file.fileno(), end)
        os.fsync(file.fileno())
        path.rename(path.with_suffix(READY))
    else:
        path.unlink()
    sync_directory(directory)
