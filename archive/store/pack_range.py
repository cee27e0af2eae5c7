"""Parts of a pack by range: what a door needs of a pack that lies in a blob store."""

import gzip
from collections.abc import Iterator

from archive.store.blobs import BlobStore
from archive.store.layout import Layout, Placement


def read_member(blobs: BlobStore, name: str, placement: Placement) -> Iterator[bytes]:
    """Return the Part 10 octets of an instance, or a document, in chunks of at most 1 MiB.

    Raises:
        NotFound: no such pack, or it is too short for the placement; at the call.
        StorageFailed: the store refused.
    """
    return blobs.read(name, offset=placement.offset, length=placement.length)


def read_data_set(blobs: BlobStore, name: str, placement: Placement) -> Iterator[bytes]:
    """Return the Data Set octets of an instance in chunks of at most 1 MiB; errors as above."""
    begin = placement.data_set_offset
    return blobs.read(name, offset=placement.offset + begin, length=placement.length - begin)


def read_metadata(blobs: BlobStore, name: str, layout: Layout) -> bytes:
    """Return the series' DICOM JSON array in UTF-8; errors as above."""
    extent = layout.metadata
    return gzip.decompress(b"".join(blobs.read(name, offset=extent.offset, length=extent.length)))
