"""The seam under segment writing, so that a test can take the power away."""

import fcntl
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from archive.store.durable import begin_writing, ensure_directory, sync_directory

Octets = bytes | bytearray | memoryview

_PARTS_AT_ONCE = 512
"""Below the 1,024 buffers that Linux takes in one ``writev``."""


class Handle(Protocol):
    """A file that one writer appends to. Every method may raise :class:`OSError`."""

    def write(self, parts: Sequence[Octets]) -> None:
        """Append every octet of every part."""

    def fill(self, offset: int, octets: Octets) -> None:
        """Put octets over some that were appended before."""

    def begin_writing(self, offset: int, length: int) -> None:
        """Let the disk begin with a range that was appended; nothing is promised, nothing waits."""

    def sync(self) -> None:
        """Return when the octets, and the length that finds them, are on the disk."""

    def truncate(self, length: int) -> None:
        """Drop what lies behind ``length``."""

    def close(self) -> None:
        """Let the file and its lock go."""


class Disk(Protocol):
    """What a spool asks of the machine. Every method may raise :class:`OSError`."""

    def make_directory(self, path: Path) -> None:
        """Make the directory and its parents, durably; one that is there is left as it is."""

    def create(self, path: Path) -> Handle:
        """Make a file that was not there, and lock it against recovery until it is closed.

        Raises:
            BlockingIOError: recovery was faster and has taken the file; take another name.
        """

    def sync_directory(self, path: Path) -> None:
        """Return when the names in the directory are on the disk."""

    def rename(self, source: Path, target: Path) -> None:
        """Give the file its other name in one step."""

    def free_bytes(self, path: Path) -> int:
        """Return how many bytes an ordinary process may still write there."""


class RealHandle:
    """A file descriptor with an exclusive ``flock``."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def write(self, parts: Sequence[Octets]) -> None:
        """Append every octet of every part."""
        views = [memoryview(part).cast("B") for part in parts if len(part)]
        while views:
            written = os.writev(self._descriptor, views[:_PARTS_AT_ONCE])
            views = _rest(views, written)

    def fill(self, offset: int, octets: Octets) -> None:
        """Put octets over some that were appended before."""
        view = memoryview(octets).cast("B")
        while view:
            written = os.pwrite(self._descriptor, view, offset)
            view, offset = view[written:], offset + written

    def begin_writing(self, offset: int, length: int) -> None:
        """Start writing back."""
        begin_writing(self._descriptor, offset, length)

    def sync(self) -> None:
        """Sync data and length; times may follow later."""
        os.fdatasync(self._descriptor)

    def truncate(self, length: int) -> None:
        """Drop what lies behind ``length``."""
        os.ftruncate(self._descriptor, length)

    def close(self) -> None:
        """Close the descriptor, which lets its lock go."""
        os.close(self._descriptor)


def _rest(views: list[memoryview], written: int) -> list[memoryview]:
    for index, view in enumerate(views):
        if written < len(view):
            return [view[written:], *views[index + 1 :]]
        written -= len(view)
    return []


class RealDisk:
    """The machine's disk."""

    def make_directory(self, path: Path) -> None:
        """Make the directory and its parents, each synced into the one above it."""
        ensure_directory(path)

    def create(self, path: Path) -> RealHandle:
        """Make and lock a file that was not there."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        descriptor = os.open(path, flags, 0o640)
        try:
            lock_named(descriptor, path)
        except BaseException:
            os.close(descriptor)
            raise
        return RealHandle(descriptor)

    def sync_directory(self, path: Path) -> None:
        """Sync the names in the directory."""
        sync_directory(path)

    def rename(self, source: Path, target: Path) -> None:
        """Rename within one file system."""
        source.rename(target)

    def free_bytes(self, path: Path) -> int:
        """Return the bytes free to processes without privilege."""
        room = os.statvfs(path)
        return room.f_bavail * room.f_frsize


def lock_named(descriptor: int, path: Path) -> None:
    """Take the exclusive lock of the file that ``path`` names, without waiting.

    Raises:
        BlockingIOError: another open file has the lock, or took it, renamed or removed the file
            and let go between our opening and our locking.
    """
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    if not path.exists() or not os.path.samestat(os.fstat(descriptor), path.stat()):
        raise BlockingIOError(f"{path.name} was taken by recovery")
