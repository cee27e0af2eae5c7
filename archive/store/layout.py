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
| ``checksum``       | SHA-256 of the stored octets before the Data Set, which has its digest   |
|                    | in the manifest; of a document therefore of nothing                      |
| ``codec``          | ``verbatim``: Part 10 octets, or a document, as they are                 |
| ``data_set_offset``| where the Data Set begins inside the decoded member; 0 for a document    |
| ``length``         | stored octets                                                            |
| ``offset``         |                                                                          |
"""

from collections.abc import Sequence
from dataclasses import dataclass

from archive.errors import PackMalformed
from archive.store.canonical import Fields, decode, encode
from archive.store.packed import pack_columns, unpack_columns

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
    """SHA-256 of the stored octets before the Data Set."""


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
        return encode(
            {
                "version": VERSION,
                "content_id": self.content_id.hex(),
                "metadata": _extent_fields(self.metadata),
                "origin": _extent_fields(self.origin),
                "members": [_placement_fields(placement) for placement in self.placements],
            }
        )

    @classmethod
    def parse(cls, octets: bytes) -> "Layout":
        """Return the layout in ``layout.json``.

        Raises:
            PackMalformed: anything that :meth:`canonical` would not have written.
        """
        fields = Fields(decode(octets), "version", "content_id", "metadata", "origin", "members")
        fields.version(VERSION)
        return cls(
            content_id=fields.sha256("content_id"),
            metadata=_extent(fields["metadata"]),
            origin=_extent(fields["origin"]),
            placements=tuple(_placement(value) for value in fields.array("members")),
        )

    def packed(self) -> bytes:
        """Return the compact form for an index row (see :mod:`archive.store.packed`).

        Its digests are the content id, the checksums of metadata and origin, then the members'.
        """
        digests = [self.content_id, self.metadata.checksum, self.origin.checksum]
        digests += [placement.checksum for placement in self.placements]
        columns: dict[str, object] = {
            name: [getattr(placement, name) for placement in self.placements] for name in _COLUMNS
        }
        extents = [[part.offset, part.length] for part in (self.metadata, self.origin)]
        return pack_columns(digests, {**columns, "extents": extents})

    @classmethod
    def unpacked(cls, octets: bytes) -> "Layout":
        """Return the layout of :meth:`packed`.

        Raises:
            PackMalformed: not that form.
        """
        digests, columns = unpack_columns(octets)
        fields = Fields(columns, *_COLUMNS, "extents")
        try:
            content_id, metadata, origin, *checksums = digests
            extents = [
                _unpacked_extent(checksum, pair)
                for checksum, pair in zip((metadata, origin), fields.array("extents"), strict=True)
            ]
            rows = zip(checksums, *(fields.array(name) for name in _COLUMNS), strict=True)
            placements = tuple(_unpacked_placement(checksum, row) for checksum, *row in rows)
        except ValueError as error:
            raise PackMalformed("The columns of a packed layout differ in length.") from error
        return cls(content_id, extents[0], extents[1], placements)


_NUMBERS = ("offset", "length", "data_set_offset")
_COLUMNS = (*_NUMBERS, "codec")


def _extent_fields(extent: Extent) -> dict[str, object]:
    return {
        "offset": extent.offset,
        "length": extent.length,
        "checksum": extent.checksum.hex(),
    }


def _placement_fields(placement: Placement) -> dict[str, object]:
    columns: dict[str, object] = {name: getattr(placement, name) for name in _COLUMNS}
    return {**columns, "checksum": placement.checksum.hex()}


def _extent(value: object) -> Extent:
    fields = Fields(value, "offset", "length", "checksum")
    return Extent(fields.number("offset"), fields.number("length"), fields.sha256("checksum"))


def _placement(value: object) -> Placement:
    fields = Fields(value, *_COLUMNS, "checksum")
    return _placed(fields, fields.sha256("checksum"))


def _placed(fields: Fields, checksum: bytes) -> Placement:
    if fields.text("codec") != VERBATIM:
        raise PackMalformed("The codec is not known here.", codec=fields.text("codec")[:80])
    numbers = {name: fields.number(name) for name in _NUMBERS}
    return Placement(**numbers, codec=VERBATIM, checksum=checksum)


def _unpacked_extent(checksum: bytes, pair: object) -> Extent:
    if not isinstance(pair, list):
        raise PackMalformed("An extent is a pair.")
    fields = Fields(dict(zip(("offset", "length"), pair, strict=True)), "offset", "length")
    return Extent(fields.number("offset"), fields.number("length"), checksum)


def _unpacked_placement(checksum: bytes, row: Sequence[object]) -> Placement:
    return _placed(Fields(dict(zip(_COLUMNS, row, strict=True)), *_COLUMNS), checksum)
