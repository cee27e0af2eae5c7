"""``layout.json``: where everything lies in one encoding of a pack, and its checksums.

Canonical JSON (RFC 8785); offsets count octets from the beginning of the file:

| key              | value                                                                      |
| ---------------- | -------------------------------------------------------------------------- |
| ``content_id``   | 64 hexadecimal digits: SHA-256 of ``manifest.json``                        |
| ``members``      | array in the manifest's order, see below                                   |
| ``metadata``     | ``offset``, ``length`` and ``checksum`` of ``metadata.json.gz``            |
| ``origin``       | the same of ``origin.json``                                                |
| ``version``      | 1                                                                          |

and each member:

| key                | value                                                                    |
| ------------------ | ------------------------------------------------------------------------ |
| ``checksum``       | SHA-256 of the stored octets, whatever their codec                       |
| ``codec``          | ``verbatim``: Part 10 octets, or a document, as they are                 |
| ``data_set_offset``| where the Data Set begins inside the decoded member; 0 for a document    |
| ``length``         | stored octets                                                            |
| ``offset``         |                                                                          |
"""

from dataclasses import dataclass

VERSION = 1
VERBATIM = "verbatim"


@dataclass(frozen=True, slots=True)
class Extent:
    """A part of a pack that is neither manifest nor member."""

    offset: int
    length: int
    checksum: bytes
    """SHA-256 of the stored octets."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Where one member lies."""

    offset: int
    length: int
    """Stored octets."""
    data_set_offset: int
    """Where the Data Set begins inside the decoded member."""
    codec: str
    checksum: bytes
    """SHA-256 of the stored octets."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Where everything lies in one encoding of a pack."""

    content_id: bytes
    metadata: Extent
    """gzip of the series' DICOM JSON."""
    origin: Extent
    placements: tuple[Placement, ...]
    """In the order of the manifest's members."""

    @property
    def metadata_offset(self) -> int:
        """Where ``metadata.json.gz`` begins."""
        return self.metadata.offset

    @property
    def metadata_length(self) -> int:
        """Octets of ``metadata.json.gz``."""
        return self.metadata.length

    def canonical(self) -> bytes:
        """Return ``layout.json``."""
        raise NotImplementedError

    @classmethod
    def parse(cls, octets: bytes) -> "Layout":
        """Return the layout in ``layout.json``; PackMalformed for anything else."""
        raise NotImplementedError

    def packed(self) -> bytes:
        """Return the compact form for an index row (see :mod:`archive.store.packed`)."""
        raise NotImplementedError

    @classmethod
    def unpacked(cls, octets: bytes) -> "Layout":
        """Return the layout of :meth:`packed`; PackMalformed otherwise."""
        raise NotImplementedError
