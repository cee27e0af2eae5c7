"""Replication: a sealed pack is announced, put where it lacks, and confirmed by the receipt."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast

from sqlalchemy import Connection, select

from archive.clock import Clock, milliseconds
from archive.errors import DigestMismatch
from archive.index import tables
from archive.index.copies import PackKey, copy_state, lock_copies, note_copy, unconfirmed
from archive.index.directory import find_place
from archive.index.engine import Index
from archive.index.members import unpacked_manifest
from archive.index.packs import pack_row
from archive.index.studies import move_study, study_row
from archive.states import CopyState, StudyState
from archive.store.blobs import BlobStore, pack_name
from sync.jobs.ledger import Ledger
from sync.jobs.work import Claimed, Effect, JobClass, Work
from sync.transfer.messages import ReceiptMessage
from sync.transfer.peer import Centre
from sync.transfer.telling import announcement

KIND = "replicate"
EFFECT = Effect.IDEMPOTENT
CENTRE = "centre"


@dataclass(frozen=True, slots=True)
class Replication:
    """Sends this archive's packs to the central store."""

    index: Index
    blobs: BlobStore
    centre: Centre
    clock: Clock

    def run(self, job: Claimed) -> str:
        """Replicate one pack; doing it again finds it confirmed.

        Raises:
            PeerUnreachable: the centre did not answer.
            DigestMismatch: the receipt does not name every digest of the pack.
        """
        key = _key(job)
        with self.index.reading() as conn:
            if _is_confirmed(conn, key):
                return "already confirmed"
            row = pack_row(conn, key)
            message = announcement(conn, [key])
        content, encoding = row.content_id.hex(), row.encoding_id
        answer = self.centre.announce(message)
        job.check()
        sent = 0
        if content in answer.packs:
            receipt = self.centre.put_pack(
                content=content,
                encoding=encoding.hex(),
                length=row.length,
                read=lambda offset: self._read(job, encoding, offset),
            )
            _check_receipt(receipt, row.manifest)
            sent = row.length
        self._confirm(key)
        return f"confirmed {row.instance_count} digests, {sent} octets sent, content {content[:16]}"

    def _read(self, job: Claimed, encoding: bytes, offset: int) -> Iterator[bytes]:
        for chunk in self.blobs.read(pack_name(encoding), offset=offset):
            job.check()
            yield chunk

    def _confirm(self, key: PackKey) -> None:
        at_ms = milliseconds(self.clock.now())
        with self.index.writing() as conn:
            note_copy(conn, key, kind="centre", name=CENTRE, state=CopyState.CONFIRMED, at_ms=at_ms)
            settle_study(conn, key[0])


def open_replication(
    ledger: Ledger,
    conn: Connection,
    packs: Sequence[PackKey],
    *,
    job_class: JobClass = JobClass.ROUTINE,
) -> None:
    """Open the jobs that replicate packs, in the transaction that sealed them.

    No job tells the end of a study to which only packs were added that may not leave.
    """
    for study_key in sorted({key[0] for key in packs}):
        settle_study(conn, study_key)
    for key in packs:
        row = pack_row(conn, key)
        if row.withheld:
            continue
        ledger.enqueue(
            conn,
            Work(
                kind=KIND,
                subject=study_row(conn, key[0]).study_instance_uid,
                destination=CENTRE,
                job_class=job_class,
                idempotency_key=f"{KIND}:{key[0]}:{key[1]}:{key[2]}:{row.content_id.hex()}",
                payload={"pack": list(key)},
            ),
        )


def settle_study(conn: Connection, study_key: int) -> None:
    """Move a STABLE study to REPLICATED when the centre has confirmed all that may leave.

    A study of which nothing may leave stays STABLE: a person decides about it.
    """
    lock_copies(conn, study_key)
    is_stable = study_row(conn, study_key).state == StudyState.STABLE
    awaits = unconfirmed(conn, study_key, kind="centre")
    if is_stable and not awaits and _anything_leaves(conn, study_key):
        move_study(conn, study_key, before=StudyState.STABLE, after=StudyState.REPLICATED)


def _anything_leaves(conn: Connection, study_key: int) -> bool:
    columns = tables.pack.c
    query = select(columns.pack_no).where(
        columns.study_key == study_key, columns.withheld.is_(False)
    )
    return conn.execute(query.limit(1)).first() is not None


def _key(job: Claimed) -> PackKey:
    study_key, series_no, pack_no = cast("list[int]", job.payload["pack"])
    return study_key, series_no, pack_no


def _is_confirmed(conn: Connection, key: PackKey) -> bool:
    place = find_place(conn, kind="centre", name=CENTRE)
    return place is not None and copy_state(conn, key, place=place) is CopyState.CONFIRMED


def _check_receipt(receipt: ReceiptMessage, manifest: bytes) -> None:
    promised = {member.sha256.hex() for member in unpacked_manifest(manifest).members}
    missing = promised - set(receipt.digests)
    if missing:
        raise DigestMismatch("The receipt lacks digests of the pack.", missing=len(missing))
