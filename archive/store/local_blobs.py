"""Blobs on a local disk: one file each, synced with its directory before ``put`` returns."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from archive.errors import NotFound, StorageFailed
from archive.store.blobs import CHUNK, check_name
from archive.store.durable import (
    PARTIAL_SUFFIX,
    ensure_directory,
    partial_beside,
    sync_directory,
    write_durably,
)


class LocalBlobs:
    """A :class:`archive.store.blobs.BlobStore` under one directory."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def put(self, name: str, source: Path) -> None:
        """Take the file under the name, durably: as another name of it where that can be."""
        target = self._path(name)
        with _translated(name):
            ensure_directory(target.parent)
            if not _holds(target, source.stat().st_size):
                _take(target, source)
            sync_directory(target.parent)

    def size(self, name: str) -> int:
        """Return the octets of an object."""
        with _translated(name):
            return self._path(name).stat().st_size

    def read(self, name: str, *, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        """Return octets in chunks of at most 1 MiB."""
        with _translated(name):
            file = self._path(name).open("rb", buffering=0)
            size = os.fstat(file.fileno()).st_size
        end = size if length is None else offset + length
        if not 0 <= offset <= end <= size:
            file.close()
            raise NotFound("The range is not inside the object.", name=name, size=size)
        return _chunks(file, name, offset, end)

    def delete(self, name: str) -> None:
        """Remove an object, durably."""
        path = self._path(name)
        with _translated(name):
            if path.exists():
                path.unlink(missing_ok=True)
                sync_directory(path.parent)

    def names(self, prefix: str) -> Iterator[str]:
        """Yield the names in a folder and below."""
        folder = self._path(prefix) if prefix else self._root
        for directory, _, files in os.walk(folder):
            for file in files:
                if not file.endswith(PARTIAL_SUFFIX):
                    yield (Path(directory) / file).relative_to(self._root).as_posix()

    def _path(self, name: str) -> Path:
        return self._root / check_name(name)


def _holds(target: Path, size: int) -> bool:
    return target.exists() and target.stat().st_size == size


def _take(target: Path, source: Path) -> None:
    """Put the source in the target's place in one step, so that it is never absent meanwhile."""
    partial = partial_beside(target)
    with source.open("rb") as file:
        os.fsync(file.fileno())
        try:
            partial.hardlink_to(source)
        except OSError:
            write_durably(target, iter(lambda: file.read(CHUNK), b""))
            return
    try:
        partial.rename(target)
    finally:
        # Two names of one file are both left by rename(2).
        partial.unlink(missing_ok=True)


def _chunks(file: BinaryIO, name: str, at: int, end: int) -> Iterator[bytes]:
    with file, _translated(name):
        while at < end:
            chunk = os.pread(file.fileno(), min(CHUNK, end - at), at)
            if not chunk:
                raise StorageFailed("The object has become shorter.", name=name)
            at += len(chunk)
            yield chunk


@contextmanager
def _translated(name: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise NotFound("No such object.", name=name) from error
    except OSError as error:
        raise StorageFailed("The blob disk refused.", name=name, errno=error.errno) from error
