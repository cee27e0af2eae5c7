"""Packs on their way down: what a node was ordered to fetch, and what is its own."""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, Row

from archive.errors import EncodingChanged, NotFound, NotPermitted, NotYetHeld
from archive.index.engine import Index
from archive.index.packs import packs_with_content
from archive.index.studies import study_row
from archive.store.blobs import BlobStore, pack_name
from archive.words.objects import parse_sha256
from central_store.orders import may_fetch
from central_store.tiers.calling import CallingNode

AnyRow = Row[tuple[object, ...]]


@dataclass(frozen=True, slots=True)
class HeldPack:
    """A pack that a node may have."""

    encoding: str
    length: int


@dataclass(frozen=True, slots=True)
class Downloads:
    """Gives packs out."""

    index: Index
    blobs: BlobStore

    def find(self, node: CallingNode, *, content: str, encoding: str) -> HeldPack:
        """Return the pack that a node asks for.

        Raises:
            NotFound: no pack has that content.
            NotPermitted: it is another trust's, and the node was not ordered to fetch it.
            NotYetHeld: it is announced, its octets are not here yet.
            EncodingChanged: it is held in another encoding.
        """
        with self.index.reading() as conn:
            rows = packs_with_content(conn, parse_sha256(content))
            if not rows:
                raise NotFound("No pack has this content.", content=content)
            open_rows = [row for row in rows if _may_have(conn, node, row, content)]
        if not open_rows:
            raise NotPermitted("The node was not ordered to fetch this pack.", content=content)
        held = [row for row in open_rows if row.encoding_id is not None]
        if not held:
            raise NotYetHeld("The pack is still on its way here.", content=content)
        for row in held:
            if row.encoding_id == parse_sha256(encoding):
                return HeldPack(encoding, row.length)
        raise EncodingChanged(
            "The pack is held in another encoding.", held=held[0].encoding_id.hex()
        )

    def read(self, pack: HeldPack, *, offset: int, length: int) -> Iterator[bytes]:
        """Return octets of a pack in chunks.

        Raises:
            NotFound, StorageFailed: as :meth:`archive.store.blobs.BlobStore.read`.
        """
        name = pack_name(parse_sha256(pack.encoding))
        return self.blobs.read(name, offset=offset, length=length)


def _may_have(conn: Connection, node: CallingNode, pack: AnyRow, content: str) -> bool:
    if node.keeps(conn, pack.study_key):
        return True
    study = study_row(conn, pack.study_key).study_instance_uid
    return may_fetch(conn, node.node_id, study_uid=study, content=content)
