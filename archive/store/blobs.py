"""Where immutable objects lie under names made of their digests: one protocol, two stores.

Names have lower-case letters, digits, ``.``, ``_``, ``-`` and, between folders, ``/``. No text of
a peer is ever part of one, and both stores refuse anything else.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from archive.errors import NotFound

CHUNK = 1024 * 1024
"""Octets of a chunk at most."""

_NAME_LIMIT = 200
_NAME = re.compile(r"[a-z0-9_-][a-z0-9._-]*(/[a-z0-9_-][a-z0-9._-]*)*")


class BlobStore(Protocol):
    """Immutable objects by name."""

    def put(self, name: str, source: Path) -> None:
        """Take the file's octets under the name: durable and whole on return.

        The same name again changes nothing when the size is the same, since names are made of
        digests; a shorter or longer object of that name is damaged, and replaced. The source
        stays the caller's to remove, but must never be written to again.

        Raises:
            StorageFailed: the store refused.
        """

    def size(self, name: str) -> int:
        """Return the octets of an object.

        Raises:
            NotFound: no such object.
            StorageFailed: the store refused.
        """

    def read(self, name: str, *, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        """Return octets in chunks of at most 1 MiB, to the end unless ``length`` is given.

        Raises:
            NotFound: no such object, or the range is not wholly inside it; at the call.
            StorageFailed: the store refused; also while chunks are read.
        """

    def delete(self, name: str) -> None:
        """Remove an object, durably. One that is absent is no error.

        Raises:
            StorageFailed: the store refused.
        """

    def names(self, prefix: str) -> Iterator[str]:
        """Yield the names in a folder and below, in no promised order; all for ``""``."""


def check_name(name: str) -> str:
    """Return a name that an object may have.

    Raises:
        NotFound: no object can have such a name: it is not ours, and never becomes a path.
    """
    if len(name) > _NAME_LIMIT or not _NAME.fullmatch(name) or ".." in name:
        raise NotFound("No object can have this name.", name=name[:80])
    return name


def pack_name(encoding_id: bytes) -> str:
    """Return the name of a pack by its encoding id."""
    return f"packs/{encoding_id.hex()[:2]}/{encoding_id.hex()}.tar"


def held_name(sha256: bytes) -> str:
    """Return the name of an object that is kept but not indexed."""
    return f"held/{sha256.hex()[:2]}/{sha256.hex()}"
