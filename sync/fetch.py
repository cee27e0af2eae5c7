"""Fetching: what the centre orders a node to have, fetched, verified, registered and pinned."""

from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import Connection, delete, insert

from archive.clock import Clock, milliseconds
from archive.errors import ArchiveError, DiskFloorReached, PackMalformed
from archive.index import tables
from archive.index.copies import PackKey
from archive.index.directory import ensure_organisation, find_organisation
from archive.index.engine import Index
from archive.index.packs import announce_pack, packs_with_content
from archive.index.studies import settle_received, study_row
from archive.store.blobs import BlobStore
from archive.store.disk import RealDisk
from archive.words.objects import parse_sha256
from sync.holding import ReceivedPack, hold_received, receive_pack, staged_path
from sync.jobs.policy import Policy
from sync.jobs.work import Claimed, Effect
from sync.transfer.messages import FetchOrder, FetchPack, OutcomeMessage, read_message
from sync.transfer.peer import Centre
from sync.transfer.taking import (
    take_links,
    take_series,
    take_states,
    take_study,
)

KIND = "fetch"
EFFECT = Effect.IDEMPOTENT
PIN = "prefetch"


@dataclass(frozen=True, slots=True)
class Fetching:
    """Carries out fetch orders."""

    index: Index
    blobs: BlobStore
    centre: Centre
    clock: Clock
    staging: Path
    place: str
    """Name of this node, where the copies come to be."""
    floor_bytes: int = 0
    """Octets that stay free on the staging disk: the trust's own images come first."""
    policy: Policy = field(default_factory=Policy)
    """The ledger's: it tells which failure is the last."""

    def run(self, job: Claimed) -> str:
        """Fetch every pack of an order, in its order, and say how it ended.

        Raises:
            PeerUnreachable: the centre did not answer; what came so far is kept.
            DiskFloorReached: the disk has no room for it; it is fetched when it has.
            DigestMismatch, PackMalformed: a pack's octets are not what was promised; it is
                fetched anew.
            EncodingChanged, Gone, NotFound, NotPermitted: the centre gives it out in this form
                no more.

        Of what is given up the centre was told that the order failed, so that it plans anew.
        """
        order_id = int(str(job.payload["order_id"]))
        order = read_message(FetchOrder, str(job.payload["body"]))
        try:
            octets = sum(self._fetch(job, order, pack) for pack in order.packs)
        except Exception as error:
            if self.policy.decide(error, attempt=job.attempt, spoilt=job.spoilt).gives_up:
                self.centre.finish(order_id, OutcomeMessage(done=False, evidence=_why(error)))
            raise
        self._settle(order)
        evidence = f"{len(order.packs)} packs held, {octets} octets came, each digest verified"
        self.centre.finish(order_id, OutcomeMessage(done=True, evidence=evidence))
        return evidence

    def _fetch(self, job: Claimed, order: FetchOrder, pack: FetchPack) -> int:
        """Fetch one pack unless it is held; return the octets that it has."""
        job.check()
        with self.index.reading() as conn:
            if _is_held(conn, order.custodian, pack):
                return 0
        path = staged_path(self.staging, content=pack.content, encoding=pack.encoding)
        self._check_room(pack)
        self.centre.get_pack(
            content=pack.content,
            encoding=pack.encoding,
            length=pack.length,
            target=path,
            check=job.check,
        )
        job.check()
        received = receive_pack(path, self.blobs, content=pack.content, encoding=pack.encoding)
        _check_origin(order, received)
        with self.index.writing() as conn:
            self._register(conn, order, pack, received)
        return pack.length

    def _check_room(self, pack: FetchPack) -> None:
        free = RealDisk().free_bytes(self.staging)
        if free - pack.length < self.floor_bytes:
            raise DiskFloorReached("There is no room for another trust's pack.", free=free)

    def _register(
        self, conn: Connection, order: FetchOrder, pack: FetchPack, received: ReceivedPack
    ) -> PackKey:
        at_ms = milliseconds(self.clock.now())
        take_states(conn, order.custodian, order.states)
        study_key, custodian_id = take_study(conn, order.custodian, order.study, at_ms=at_ms)
        take_links(conn, order.links, at_ms=at_ms)
        key = announce_pack(
            conn,
            study_key=study_key,
            series_no=take_series(conn, study_key, pack.series, at_ms=at_ms),
            custodian_id=custodian_id,
            manifest=received.verified.manifest,
            origin=received.verified.origin,
            at_ms=at_ms,
        )
        hold_received(conn, key, received, place_kind="node", place_name=self.place, at_ms=at_ms)
        _pin(conn, study_key, wanted_by=order.custodian, until_ms=order.pin_until_ms)
        return key

    def _settle(self, order: FetchOrder) -> None:
        with self.index.writing() as conn:
            custodian_id = ensure_organisation(conn, order.custodian)
            settle_received(conn, custodian_id, order.study.study_instance_uid)


def _why(error: Exception) -> str:
    return error.sentence if isinstance(error, ArchiveError) else type(error).__name__


def _is_held(conn: Connection, custodian: str, pack: FetchPack) -> bool:
    custodian_id = find_organisation(conn, custodian)
    return any(
        row.encoding_id is not None and study_row(conn, row.study_key).custodian_id == custodian_id
        for row in packs_with_content(conn, parse_sha256(pack.content))
    )


def _check_origin(order: FetchOrder, received: ReceivedPack) -> None:
    manifest = received.verified.manifest
    named = (received.verified.origin.custodian, manifest.study_instance_uid)
    if named != (order.custodian, order.study.study_instance_uid):
        raise PackMalformed("The pack is not of the study that was ordered.")


def _pin(conn: Connection, study_key: int, *, wanted_by: str, until_ms: int | None) -> None:
    columns = tables.pin.c
    known = (columns.study_key == study_key, columns.reason == PIN, columns.wanted_by == wanted_by)
    conn.execute(delete(tables.pin).where(*known))
    conn.execute(
        insert(tables.pin).values(
            study_key=study_key, reason=PIN, wanted_by=wanted_by, until=until_ms
        )
    )
