"""A pack that came from another tier becomes a held one: verified, durable, then in the index."""

import gzip
import json
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection

from archive.errors import Damaged, DigestMismatch
from archive.index.copies import PackKey, note_copy
from archive.index.documents import save_document
from archive.index.packs import hold_pack
from archive.index.studies import study_row
from archive.intake.document_metadata import DocumentItem, document_of
from archive.states import CopyState
from archive.store.blobs import BlobStore, pack_name
from archive.store.manifest import PackKind
from archive.store.pack import Verified, verify_pack


@dataclass(frozen=True, slots=True)
class ReceivedPack:
    """A pack whose every octet was verified and that lies durably in the blob store."""

    verified: Verified
    documents: tuple[DocumentItem, ...]
    """Of a documents pack, what its metadata tells of each, in the manifest's order."""


def receive_pack(path: Path, blobs: BlobStore, *, content: str, encoding: str) -> ReceivedPack:
    """Verify a staged pack and put it into the blob store; the staged file is removed.

    Raises:
        DigestMismatch, PackMalformed: the octets are not what they were promised to be; the
            staged file is removed, so that the next attempt starts anew.
        StorageFailed: the storage refused; the staged file stays.
    """
    try:
        verified = _verified(path, content=content, encoding=encoding)
    except Damaged:
        path.unlink(missing_ok=True)
        raise
    documents = _documents(path, verified)
    blobs.put(pack_name(verified.encoding_id), path)
    path.unlink(missing_ok=True)
    return ReceivedPack(verified, documents)


def hold_received(
    conn: Connection,
    key: PackKey,
    received: ReceivedPack,
    *,
    place_kind: str,
    place_name: str,
    at_ms: int,
) -> None:
    """Note in the index that a received pack is held here, with the documents it brought."""
    verified = received.verified
    hold_pack(
        conn,
        key,
        encoding_id=verified.encoding_id,
        length=verified.length,
        layout=verified.layout,
        at_ms=at_ms,
    )
    note_copy(conn, key, kind=place_kind, name=place_name, state=CopyState.CONFIRMED, at_ms=at_ms)
    custodian_id = study_row(conn, key[0]).custodian_id
    for told, member in zip(received.documents, verified.manifest.members, strict=False):
        document = document_of(told, member)
        save_document(conn, key[0], document, custodian_id=custodian_id)


def staged_path(staging: Path, *, content: str, encoding: str) -> Path:
    """Return where a pack is staged; both names are hexadecimal digests, checked by the caller."""
    return staging / f"{content}-{encoding}.part"


def _verified(path: Path, *, content: str, encoding: str) -> Verified:
    verified = verify_pack(path)
    if (verified.content_id.hex(), verified.encoding_id.hex()) != (content, encoding):
        raise DigestMismatch("A pack is not the one that was promised.", content=content)
    return verified


def _documents(path: Path, verified: Verified) -> tuple[DocumentItem, ...]:
    if verified.manifest.kind is not PackKind.DOCUMENTS:
        return ()
    with path.open("rb") as file:
        file.seek(verified.layout.metadata_offset)
        packed = file.read(verified.layout.metadata_length)
    return tuple(json.loads(gzip.decompress(packed)))
