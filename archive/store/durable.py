"""Files that are whole or absent after a power loss, and directories that remember them."""

import os
import secrets
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from archive.errors import StorageFailed

PARTIAL_SUFFIX = ".partial"
"""Files with this suffix were never finished: nothing reads them, and they may be removed."""

_BUFFER = 1024 * 1024
_WRITTEN_BACK = 8 * 1024 * 1024
"""Octets after which the disk is let begin, so that the sync at the end has little to wait for."""


def sync_directory(path: Path) -> None:
    """Return when the names in the directory are on the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def ensure_directory(path: Path) -> None:
    """Make the directory and its parents, each synced into the one above it."""
    if path.is_dir():
        return
    ensure_directory(path.parent)
    path.mkdir(mode=0o750, exist_ok=True)
    sync_directory(path.parent)


def partial_beside(path: Path) -> Path:
    """Return a new name for what is to get the name ``path`` when it is whole."""
    return path.with_name(f"{path.name}.{secrets.token_hex(8)}{PARTIAL_SUFFIX}")


def write_durably(
    path: Path, chunks: Iterable[bytes], *, check: Callable[[Path], None] | None = None
) -> None:
    """Write the chunks under the name in one step: on return, and only then, it is on the disk.

    They go to a partial file beside it first; an earlier file of the name is replaced. ``check``
    looks at what was written before it gets the name. When ``chunks`` or ``check`` raises, the
    name is as it was before.

    Raises:
        StorageFailed: the disk refused.
    """
    partial = partial_beside(path)
    try:
        _write_synced(partial, chunks, check)
        partial.rename(path)
        sync_directory(path.parent)
    except OSError as error:
        raise StorageFailed("A file could not be written durably.", errno=error.errno) from error
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


def begin_writing(descriptor: int, offset: int, length: int) -> None:
    """Let the disk begin with a range that was written; nothing is promised, and nothing waits.

    Linux starts to write dirty pages back when it is told to forget them.
    """
    os.posix_fadvise(descriptor, offset, length, os.POSIX_FADV_DONTNEED)


def _write_synced(
    path: Path, chunks: Iterable[bytes], check: Callable[[Path], None] | None
) -> None:
    with path.open("xb", buffering=_BUFFER) as file:
        _write(file, chunks)
        if check is not None:
            check(path)
        os.fsync(file.fileno())


def _write(file: BinaryIO, chunks: Iterable[bytes]) -> None:
    begun = at = 0
    for chunk in chunks:
        at += file.write(chunk)
        if at - begun >= _WRITTEN_BACK:
            begin_writing(file.fileno(), begun, at - begun)
            begun = at
    file.flush()
    begin_writing(file.fileno(), begun, at - begun)
