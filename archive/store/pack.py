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

Tar headers are as :mod:`archive.store.tar` writes them, names and order of members as
:mod:`archive.store.pack_members` tells. The same parts give the same octets; only deflate may
differ between builds of zlib, and with it the encoding, never the content. The SHA-256 of the
whole file is the pack's encoding id.

The gzip member (RFC 1952) begins ``1f 8b 08 00 00000000 00 ff``: no name, no time, no system.
"""

import hashlib
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from archive.errors import NotFound, PackMalformed, StorageFailed
from archive.store import tar
from archive.store.durable import write_durably
from archive.store.layout import Extent, Layout, Placement
from archive.store.manifest import OCTETS_LIMIT, Manifest, Member
from archive.store.origin import Origin
from archive.store.pack_members import (
    LAYOUT,
    MANIFEST,
    METADATA,
    ORIGIN,
    MemberDigest,
    headed,
    tar_order,
    verbatim,
)

_CHUNK = 1024 * 1024
_GZIP_HEAD = bytes.fromhex("1f8b08000000000000ff")
_GZIP_LIMIT = 1024**3
"""Octets of metadata that are inflated at most."""


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
) -> Verified:
    """Write a pack durably under ``target``, streaming.

    What was written is read back and verified before it gets its name: a pack that is there has
    the octets that its manifest lists.

    ``metadata`` is the DICOM JSON array in UTF-8, not compressed; ``[]`` for documents.
    ``sources`` may come in any order, one for each member.

    Raises:
        DigestMismatch: a source's octets are not those of its member; nothing is left behind.
        PackMalformed: sources, origin and manifest do not fit each other; likewise.
        StorageFailed: the disk refused.
    """
    assembly = _Assembly(manifest, metadata, origin, sources)
    verified: list[Verified] = []
    write_durably(target, assembly.octets(), check=lambda path: verified.append(verify_pack(path)))
    return verified[0]


class _Assembly:
    """The octets of a pack in their order, and where everything lies in them."""

    def __init__(
        self, manifest: Manifest, metadata: bytes, origin: Origin, sources: Sequence[Source]
    ) -> None:
        _check_arrivals(manifest, origin)
        self._manifest = manifest
        self._metadata = gzipped(metadata)
        self._origin = origin.canonical()
        self._sources = _by_member(manifest, sources)
        self._extents: dict[str, Extent] = {}
        self._placements: dict[int, Placement] = {}
        self._at = 0

    def octets(self) -> Iterator[bytes]:
        for chunk in self._parts():
            self._at += len(chunk)
            yield chunk

    def _parts(self) -> Iterator[bytes]:
        yield from self._file(MANIFEST, self._manifest.canonical())
        yield from self._file(METADATA, self._metadata)
        yield from self._file(ORIGIN, self._origin)
        for name, index in tar_order(self._manifest):
            yield from self._member(name, index)
        layout = _layout(self._manifest, self._extents, self._placements)
        yield from self._file(LAYOUT, layout.canonical())
        yield tar.END

    def _file(self, name: str, octets: bytes) -> Iterator[bytes]:
        yield tar.header(tar.Entry(name, len(octets)))
        self._extents[name] = _extent(self._at, octets)
        yield octets + tar.padding(len(octets))

    def _member(self, name: str, index: int) -> Iterator[bytes]:
        source = self._sources[self._manifest.members[index]]
        yield tar.header(tar.Entry(name, source.part10_length))
        offset, head = self._at, b""
        for chunk in headed(source.open()):
            head = head or chunk[: source.data_set_offset]
            yield chunk
        if self._at - offset != source.part10_length:
            raise PackMalformed("A source is longer or shorter than it says.")
        self._placements[index] = verbatim(head, offset=offset, length=source.part10_length)
        yield tar.padding(source.part10_length)


def _by_member(manifest: Manifest, sources: Sequence[Source]) -> dict[Member, Source]:
    by_member = {source.member: source for source in sources}
    if len(sources) != len(manifest.members) or by_member.keys() != set(manifest.members):
        raise PackMalformed("There is not one source for each member.")
    for source in sources:
        if source.part10_length - source.data_set_offset != source.member.size:
            raise PackMalformed("A source's length and its member's size differ.")
    return by_member


def _check_arrivals(manifest: Manifest, origin: Origin) -> None:
    if len(origin.arrivals) != len(manifest.members):
        raise PackMalformed("The origin does not have one arrival for each member.")


def _extent(offset: int, octets: bytes) -> Extent:
    return Extent(offset, len(octets), hashlib.sha256(octets).digest())


def _layout(
    manifest: Manifest, extents: dict[str, Extent], placements: dict[int, Placement]
) -> Layout:
    return Layout(
        content_id=manifest.content_id,
        metadata=extents[METADATA],
        origin=extents[ORIGIN],
        placements=tuple(placements[index] for index in range(len(manifest.members))),
    )


def gzipped(octets: bytes) -> bytes:
    """Return octets as a gzip member without name and time (RFC 1952)."""
    stream = zlib.compressobj(level=6, wbits=-zlib.MAX_WBITS)
    deflated = stream.compress(octets) + stream.flush()
    return _GZIP_HEAD + deflated + struct.pack("<II", zlib.crc32(octets), len(octets) % 2**32)


def verify_pack(path: Path) -> Verified:
    """Read every octet of a pack, streaming, and return what it is.

    Raises:
        PackMalformed: a part is missing, out of place or contradicts another.
        DigestMismatch: octets do not have the digest they are listed with.
        NotFound: no such file.
        StorageFailed: the disk refused.
    """
    try:
        with path.open("rb", buffering=_CHUNK) as file:
            return _Reading(file).verified()
    except FileNotFoundError as error:
        raise NotFound("No such pack.", pack=path.name) from error
    except OSError as error:
        raise StorageFailed("A pack could not be read.", errno=error.errno) from error


class _Reading:
    """One pass over a pack's file. What it learns must end up equal to ``layout.json``."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._encoding = hashlib.sha256()
        self._extents: dict[str, Extent] = {}
        self._at = 0

    def verified(self) -> Verified:
        manifest = Manifest.parse(self._small(MANIFEST))
        _check_gzip(self._small(METADATA))
        origin = Origin.parse(self._small(ORIGIN))
        _check_arrivals(manifest, origin)
        placements = {
            index: self._member(manifest, name, index) for name, index in tar_order(manifest)
        }
        layout = _layout(manifest, self._extents, placements)
        self._check_end(layout)
        return Verified(
            manifest=manifest,
            origin=origin,
            layout=layout,
            content_id=layout.content_id,
            encoding_id=self._encoding.digest(),
            length=self._at,
        )

    def _small(self, name: str) -> bytes:
        size = self._header(name)
        if size > OCTETS_LIMIT:
            raise PackMalformed("A part of a pack is too long.", name=name, size=size)
        at, octets = self._at, self._read(size)
        self._extents[name] = _extent(at, octets)
        self._padding(size)
        return octets

    def _member(self, manifest: Manifest, name: str, index: int) -> Placement:
        size = self._header(name)
        digest = MemberDigest(manifest.kind, manifest.members[index], offset=self._at)
        digest.follow(self._chunks(size))
        self._padding(size)
        return digest.placement()

    def _check_end(self, layout: Layout) -> None:
        if self._small(LAYOUT) != layout.canonical():
            raise PackMalformed("The layout is not that of this pack.")
        if self._read(len(tar.END)) != tar.END or self._file.read(1):
            raise PackMalformed("The pack does not end as it should.")

    def _header(self, name: str) -> int:
        entry = tar.read_header(self._read)
        if entry.name != name:
            raise PackMalformed("A pack's parts are not in their order.", name=name)
        return entry.size

    def _padding(self, size: int) -> None:
        padding = tar.padding(size)
        if self._read(len(padding)) != padding:
            raise PackMalformed("The padding of a pack's part is not zero.")

    def _chunks(self, size: int) -> Iterator[bytes]:
        for at in range(0, size, _CHUNK):
            yield self._read(min(_CHUNK, size - at))

    def _read(self, length: int) -> bytes:
        octets = self._file.read(length)
        if len(octets) != length:
            raise PackMalformed("The pack is shorter than its parts.", offset=self._at)
        self._encoding.update(octets)
        self._at += length
        return octets


def _check_gzip(octets: bytes) -> None:
    stream = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    inflated = 0
    try:
        while not stream.eof and inflated <= _GZIP_LIMIT:
            chunk = stream.decompress(stream.unconsumed_tail or octets, _CHUNK)
            inflated += len(chunk)
            if not chunk and not stream.unconsumed_tail:
                break
    except zlib.error as error:
        raise PackMalformed("The metadata of a pack does not inflate.") from error
    if not octets.startswith(_GZIP_HEAD) or not stream.eof or stream.unused_data:
        raise PackMalformed("The metadata of a pack is not one gzip member.")
