"""A pack: one immutable POSIX tar for the sealed instances of a series, or documents of a study.

Members of the tar, in this order:

| name                                    | what                                                |
| --------------------------------------- | --------------------------------------------------- |
| ``manifest.json``                       | :mod:`archive.store.manifest`; content id           |
| ``metadata.json.gz``                    | gzip of the DICOM JSON array (PS3.18 Section F.2)   |
| ``origin.json``                         | :mod:`archive.store.origin`                         |
| ``instances/000001.dcm`` and so on      | Part 10 octets in the order of instance numbers;    |
| or ``documents/000001.hl7`` and so on   | documents as received                               |
| ``layout.json``                         | :mod:`archive.store.layout`                         |

Tar headers are as :mod:`archive.store.tar` writes them: the same parts give the same octets. The
SHA-256 of the whole file is the pack's encoding id.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from archive.store.layout import Layout
from archive.store.manifest import Manifest, Member
from archive.store.origin import Origin


@dataclass(frozen=True, slots=True)
class Source:
    """Where one member's octets come from."""

    member: Member
    part10_length: int
    """Octets that ``open`` gives; of a document its size."""
    data_set_offset: int
    """Where the Data Set begins in them; 0 for a document."""
    open: Callable[[], Iterator[bytes]]


@dataclass(frozen=True, slots=True)
class Built:
    """A pack that was written."""

    content_id: bytes
    encoding_id: bytes
    length: int
    layout: Layout


@dataclass(frozen=True, slots=True)
class Verified:
    """A pack of which every octet was read and found right."""

    manifest: Manifest
    origin: Origin
    layout: Layout
    content_id: bytes
    encoding_id: bytes
    length: int


def build_pack(
    target: Path,
    *,
    manifest: Manifest,
    metadata: bytes,
    origin: Origin,
    sources: Sequence[Source],
) -> Built:
    """Write a pack durably under ``target``, streaming; every member is verified on the way.

    ``metadata`` is the DICOM JSON array in UTF-8, not compressed; ``[]`` for documents.
    ``sources`` may come in any order, one for each member.

    Raises:
        DigestMismatch: a source's octets are not those of its member; nothing is left behind.
        PackMalformed: sources, origin and manifest do not fit each other.
        StorageFailed: the disk refused.
    """
    raise NotImplementedError


def verify_pack(path: Path) -> Verified:
    """Read every octet of a pack, streaming, and return what it is.

    Raises:
        PackMalformed: a part is missing, out of place or contradicts another.
        DigestMismatch: octets do not have the digest they are listed with.
        NotFound: no such file.
        StorageFailed: the disk refused.
    """
    raise NotImplementedError
