"""The octets of what is held, wherever they lie: in a spool segment or in a pack."""

import gzip
from collections.abc import Iterator
from dataclasses import dataclass

from archive.errors import NotYetHeld, PackMalformed
from archive.index.header import Location, Loose, Packed
from archive.store.blobs import BlobStore, pack_name
from archive.store.layout import Layout
from archive.store.spool import SpoolReader

_VERBATIM = "verbatim"


@dataclass(frozen=True, slots=True)
class Octets:
    """Reads stored octets in chunks of at most 1 MiB."""

    spool: SpoolReader
    blobs: BlobStore

    def whole(self, location: Location) -> Iterator[bytes]:
        """Return the Part 10 octets of an instance, or a document as received.

        Raises:
            NotYetHeld: the octets are announced by another tier and not here.
            NotFound: they are not where the index says; a pack has just replaced a segment.
            StorageFailed: the storage refused.
        """
        return self._read(location, skip=0)

    def data_set(self, location: Location) -> Iterator[bytes]:
        """Return the Data Set octets, as received; errors as :meth:`whole`."""
        skip = 0 if not isinstance(location, Loose | Packed) else location.data_set_offset
        return self._read(location, skip=skip)

    def metadata(self, encoding_id: bytes, layout: Layout) -> bytes:
        """Return a pack's DICOM JSON array, decompressed; errors as :meth:`whole`."""
        chunks = self.blobs.read(
            pack_name(encoding_id), offset=layout.metadata_offset, length=layout.metadata_length
        )
        return gzip.decompress(b"".join(chunks))

    def _read(self, location: Location, *, skip: int) -> Iterator[bytes]:
        if isinstance(location, Loose):
            return self.spool.read(
                location.segment, offset=location.offset + skip, length=location.length - skip
            )
        if not isinstance(location, Packed):
            raise NotYetHeld("The octets are announced and on their way.")
        if location.codec != _VERBATIM:
            raise PackMalformed("The pack is coded in a way unknown here.", codec=location.codec)
        return self.blobs.read(
            pack_name(location.encoding_id),
            offset=location.offset + skip,
            length=location.length - skip,
        )
