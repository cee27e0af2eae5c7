"""Blobs on a local disk: one file each, synced with its directory before ``put`` returns."""

from collections.abc import Iterator
from pathlib import Path


class LocalBlobs:
    """A :class:`archive.store.blobs.BlobStore` under one directory."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def put(self, name: str, source: Path) -> None:
        """Link or copy the file under the name, durably."""
        raise NotImplementedError

    def size(self, name: str) -> int:
        """Return the octets of an object."""
        raise NotImplementedError

    def read(self, name: str, *, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        """Return octets in chunks of at most 1 MiB."""
        raise NotImplementedError

    def delete(self, name: str) -> None:
        """Remove an object, durably."""
        raise NotImplementedError

    def names(self, prefix: str) -> Iterator[str]:
        """Yield the names in a folder and below."""
        raise NotImplementedError
