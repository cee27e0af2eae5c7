"""Packs on their way up: staged, resumed at any octet, verified whole, then held.

The staged file is locked while one request writes to it. Its length is all that is remembered of
an upload; what a power loss has spoilt of it shows when the whole is verified.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog
from sqlalchemy import Connection, Row

from archive.clock import Clock, milliseconds
from archive.errors import (
    DiskFloorReached,
    MalformedMessage,
    NotFound,
    NotYetHeld,
    PackMalformed,
    StateMoved,
    StorageFailed,
)
from archive.index.copies import PackKey, lock_copies
from archive.index.engine import Index
from archive.index.members import unpacked_manifest
from archive.index.packs import lacking_digests, packs_of, packs_with_content
from archive.index.studies import settle_received, study_row
from archive.store.blobs import BlobStore
from archive.store.disk import RealDisk, lock_named
from archive.store.durable import ensure_directory
from archive.store.manifest import Manifest
from archive.words.objects import parse_sha256
from central_store.prefetch.plan import plan_for_packs
from central_store.tiers.calling import CallingNode
from sync.holding import ReceivedPack, hold_received, receive_pack, staged_path
from sync.jobs.ledger import Ledger
from sync.jobs.nudger import Nudger
from sync.jobs.work import JobClass
from sync.transfer.messages import ReceiptMessage

_log = structlog.get_logger("tiers")

AnyRow = Row[tuple[object, ...]]


@dataclass(frozen=True, slots=True)
class PackName:
    """What an upload is keyed by."""

    content: str
    """64 lower-case hexadecimal digits."""
    encoding: str
    """64 lower-case hexadecimal digits."""
    length: int
    """Octets of the whole pack."""


class Upload:
    """A staged file that one request writes to. Its methods are called by one thread at a time."""

    def __init__(self, path: Path, name: PackName) -> None:
        """Open the file and lock it.

        Raises:
            NotYetHeld: another request writes to it.
            StorageFailed: the staging disk refused.
        """
        self.path = path
        self._name = name
        with _translated(path):
            self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            self.held = self._begin()
        except BaseException:
            self.close()
            raise

    def _begin(self) -> int:
        with _translated(self.path):
            try:
                lock_named(self._descriptor, self.path)
            except BlockingIOError as error:
                raise NotYetHeld("Another upload of this pack is under way.") from error
            size = os.fstat(self._descriptor).st_size
            if size > self._name.length:  # its length was told wrongly before, or is now
                os.ftruncate(self._descriptor, 0)
                size = 0
        return size

    @property
    def lacking(self) -> int:
        """Octets that are still to come."""
        return self._name.length - self.held

    def write(self, octets: bytes) -> None:
        """Append octets.

        Raises:
            MalformedMessage: they are more than the pack has.
            StorageFailed: the staging disk refused.
        """
        if len(octets) > self.lacking:
            raise MalformedMessage("The body is longer than the pack.", length=self._name.length)
        view = memoryview(octets)
        with _translated(self.path):
            while view:
                written = os.pwrite(self._descriptor, view, self.held)
                self.held += written
                view = view[written:]

    def close(self) -> None:
        """Let the file and its lock go; what was written stays."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


@dataclass(frozen=True, slots=True)
class Uploads:
    """Receives the packs that nodes have announced."""

    index: Index
    blobs: BlobStore
    staging: Path
    ledger: Ledger
    clock: Clock
    nudger: Nudger
    floor_bytes: int
    place: str
    """Name of this store, where the copies come to be."""

    def offset(self, node: CallingNode, name: PackName) -> int:
        """Return how many octets of a pack need not be sent; all of them when it is held.

        Raises:
            NotFound: the node's trust has announced no pack of that content.
        """
        if self._receipt(node, name) is not None:
            return name.length
        path = self._path(node, name)
        held = path.stat().st_size if path.exists() else 0
        return held if held <= name.length else 0

    def begin(self, node: CallingNode, name: PackName, *, offset: int) -> Upload | ReceiptMessage:
        """Return the upload, to be closed by the caller; or the receipt when the pack is held.

        Raises:
            NotFound: the node's trust has announced no pack of that content.
            StateMoved: the upload stands at another octet than ``offset`` (fact ``held``).
            NotYetHeld: another request uploads the same pack.
            DiskFloorReached: there is no room for what is to come.
            StorageFailed: the staging disk refused.
        """
        receipt = self._receipt(node, name)
        if receipt is not None:
            return receipt
        path = self._path(node, name)
        with _translated(path):
            ensure_directory(path.parent)
        upload = Upload(path, name)
        try:
            self._check(upload, offset)
        except BaseException:
            upload.close()
            raise
        return upload

    def finish(self, node: CallingNode, name: PackName, upload: Upload) -> ReceiptMessage:
        """Verify a whole upload, hold the pack, and name its digests.

        Raises:
            MalformedMessage: octets are missing; those that came are kept.
            DigestMismatch, PackMalformed: it is not the pack that was promised; nothing of it is
                kept.
            StorageFailed, DatabaseUnavailable: it could not be made durable.
        """
        if upload.lacking:
            raise MalformedMessage("The body is shorter than the pack.", lacking=upload.lacking)
        received = receive_pack(
            upload.path, self.blobs, content=name.content, encoding=name.encoding
        )
        if received.verified.origin.custodian != node.organisation:
            raise PackMalformed("The pack's origin is another custodian.", content=name.content)
        with self.index.writing() as conn:
            self._hold(conn, node, received)
        self.nudger.nudge(JobClass.URGENT, None)
        _log.info(
            "pack.received",
            node=node.name,
            study=received.verified.manifest.study_instance_uid,
            content=name.content[:16],
            instances=len(received.verified.manifest.members),
            octets=name.length,
        )
        return _receipt(name.content, name.encoding, received.verified.manifest)

    def _check(self, upload: Upload, offset: int) -> None:
        if offset != upload.held:
            raise StateMoved("The upload stands at another octet.", held=upload.held)
        free = RealDisk().free_bytes(upload.path.parent)
        if free - upload.lacking < self.floor_bytes:
            raise DiskFloorReached("There is no room for the pack.", lacking=upload.lacking)

    def _hold(self, conn: Connection, node: CallingNode, received: ReceivedPack) -> None:
        at_ms = milliseconds(self.clock.now())
        content = received.verified.content_id.hex()
        keys = [_key(row) for row in _announced(conn, node, content) if row.encoding_id is None]
        for key in keys:
            hold_received(
                conn, key, received, place_kind="centre", place_name=self.place, at_ms=at_ms
            )
            _settle(conn, key[0])
        plan_for_packs(self.ledger, conn, keys)

    def _receipt(self, node: CallingNode, name: PackName) -> ReceiptMessage | None:
        """Return the receipt of a pack that is held already, in whatever encoding."""
        with self.index.reading() as conn:
            rows = _announced(conn, node, name.content)
        if not rows:
            raise NotFound("No pack of this content was announced.", content=name.content)
        encodings = [row.encoding_id for row in rows]
        if None in encodings:
            return None
        return _receipt(name.content, encodings[0].hex(), unpacked_manifest(rows[0].manifest))

    def _path(self, node: CallingNode, name: PackName) -> Path:
        """Return where a node's pack is staged: no node goes on with what another has begun."""
        directory = self.staging / f"node-{node.node_id}"
        return staged_path(directory, content=name.content, encoding=name.encoding)


def _announced(conn: Connection, node: CallingNode, content: str) -> list[AnyRow]:
    """Return the packs of a content in the custody of a node's trust."""
    rows = packs_with_content(conn, parse_sha256(content))
    return [row for row in rows if node.keeps(conn, row.study_key)]


def _receipt(content: str, encoding: str, manifest: Manifest) -> ReceiptMessage:
    digests = sorted({member.sha256.hex() for member in manifest.members})
    return ReceiptMessage(content=content, encoding=encoding, digests=tuple(digests))


def _settle(conn: Connection, study_key: int) -> None:
    """Note that a study is complete here when nothing that was announced of it lacks."""
    lock_copies(conn, study_key)
    study = study_row(conn, study_key)
    awaited = [row for row in packs_of(conn, study_key) if row.encoding_id is None]
    if not _lack_anything(conn, study.custodian_id, awaited):
        settle_received(conn, study.custodian_id, study.study_instance_uid)


def _lack_anything(conn: Connection, custodian_id: int, packs: Sequence[AnyRow]) -> bool:
    return any(
        lacking_digests(conn, custodian_id, unpacked_manifest(row.manifest)) for row in packs
    )


def _key(row: AnyRow) -> PackKey:
    return row.study_key, row.series_no, row.pack_no


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageFailed(
            "The staging disk refused.", file=path.name, errno=error.errno
        ) from error
