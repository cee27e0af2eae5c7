"""The loop that seals quiet series into packs."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

import structlog
from sqlalchemy import Connection, func, select

from archive.clock import Clock, milliseconds
from archive.errors import ArchiveError, Damaged, NotFound, StateMoved, StorageFailed
from archive.index import tables
from archive.index.copies import PackKey, note_copy
from archive.index.engine import Index
from archive.index.journal import data_quality
from archive.index.packs import SealedPack, UnsealedSeries, quiet_series, seal
from archive.index.studies import move_study, study_row
from archive.intake.intake import delete_unneeded
from archive.intake.packing import Consignment, built, consignment
from archive.reader import Octets
from archive.states import CopyState, StudyState
from archive.store.blobs import BlobStore, pack_name
from archive.store.durable import ensure_directory
from archive.store.spool import SpoolReader

OnSealed = Callable[[Connection, Sequence[PackKey]], None]
"""Called in the transaction that seals, with the keys of the new packs."""

_AT_ONCE = 20
_log = structlog.get_logger()


class Sealer:
    """Seals series without an arrival for a while; any number may run on one index."""

    def __init__(  # noqa: PLR0913 - parts are received here, none is built
        self,
        index: Index,
        spool: SpoolReader,
        blobs: BlobStore,
        clock: Clock,
        *,
        staging: Path,
        quiet_seconds: float,
        node_name: str,
        place_kind: str = "node",
        on_sealed: OnSealed | None = None,
    ) -> None:
        """Take the parts.

        ``staging`` should be on the disk of the blobs, so that a pack need not be copied.
        ``place_kind`` is ``node`` or ``centre``: of what place these packs are a copy.
        """
        self._index = index
        self._spool = spool
        self._blobs = blobs
        self._clock = clock
        self._staging = staging
        self._quiet_ms = round(quiet_seconds * 1000)
        self._node = node_name
        self._place_kind = place_kind
        self._on_sealed = on_sealed
        self._octets = Octets(spool, blobs)
        self._damaged: set[tuple[int, int]] = set()

    def once(self) -> bool:
        """Seal the series that are quiet now, and delete segments that nothing needs any more.

        Returns whether anything was sealed. A series whose octets are damaged raises an alarm and
        is left alone until this process starts anew; the others go on.

        Raises:
            Unavailable: database, disk or blob store did not answer, and nothing was sealed.
        """
        ensure_directory(self._staging)
        now_ms = milliseconds(self._clock.now())
        with self._index.reading() as conn:
            limit = _AT_ONCE + len(self._damaged)
            before_ms = now_ms - self._quiet_ms
            quiet = quiet_series(conn, before_ms=before_ms, now_ms=now_ms, limit=limit)
        failures: list[StorageFailed] = []
        sealed = [self._try(*key, failures) for key in quiet if key not in self._damaged]
        if any(sealed):
            delete_unneeded(self._index, self._spool)
        elif failures:
            raise failures[0]
        return any(sealed)

    def _try(self, study_key: int, series_no: int, failures: list[StorageFailed]) -> bool:
        """Seal one series; what the storage refuses may be of this one, and the others go on."""
        try:
            return self._seal(study_key, series_no)
        except StorageFailed as failure:
            failures.append(failure)
            return False

    def _seal(self, study_key: int, series_no: int) -> bool:
        """Seal one series; False where it changed meanwhile, or is damaged."""
        with self._index.reading() as conn:
            of = consignment(conn, study_key, series_no)
        try:
            with ExitStack() as staged:
                packs = self._stored(of, staged)
                self._commit(of, packs)
        except (StateMoved, NotFound, Damaged) as error:
            self._not_sealed(of, error)
            return False
        for pack in packs:
            self._tell(of, pack)
        return True

    def _stored(self, of: Consignment, staged: ExitStack) -> list[SealedPack]:
        """Build the packs and put them into the blob store; staged files go with the stack."""
        packs = []
        for parcel in of.parcels:
            pack, path = built(parcel, of, self._octets, node=self._node, staging=self._staging)
            staged.callback(path.unlink, missing_ok=True)
            self._blobs.put(pack_name(pack.encoding_id), path)
            packs.append(pack)
        return packs

    def _commit(self, of: Consignment, packs: Sequence[SealedPack]) -> None:
        with self._index.writing() as conn:
            at_ms = milliseconds(self._clock.now())
            keys = seal(conn, of.unsealed, packs, at_ms=at_ms)
            for key in keys:
                # Every digest was verified in the file that now lies in our blob store.
                note_copy(
                    conn,
                    key,
                    kind=self._place_kind,
                    name=self._node,
                    state=CopyState.CONFIRMED,
                    at_ms=at_ms,
                )
            _settle_study(conn, of.unsealed.study_key)
            if self._on_sealed is not None:
                self._on_sealed(conn, keys)

    def _not_sealed(self, of: Consignment, error: ArchiveError) -> None:
        """Leave a series that has changed to a later round; one that has not is damaged."""
        unsealed = of.unsealed
        with self._index.reading() as conn:
            changed = not _stands_unsealed(conn, unsealed)
        if changed or isinstance(error, StateMoved):
            _log.info("seal.series_changed", series_instance_uid=unsealed.series_instance_uid)
        else:
            self._alarm(of, error)

    def _alarm(self, of: Consignment, error: ArchiveError) -> None:
        self._damaged.add((of.unsealed.study_key, of.unsealed.series_no))
        with self._index.writing() as conn:
            data_quality(
                conn,
                organisation=of.custodian,
                code="SERIES_DAMAGED",
                sentence=f"A series cannot be sealed. {error.sentence}",
                subject=of.unsealed.series_instance_uid,
                at_ms=milliseconds(self._clock.now()),
            )
        _log.error(
            "seal.series_damaged",
            series_instance_uid=of.unsealed.series_instance_uid,
            error=type(error).__name__,
        )

    def _tell(self, of: Consignment, pack: SealedPack) -> None:
        _log.info(
            "seal.pack",
            custodian=of.custodian,
            study_instance_uid=of.unsealed.study_instance_uid,
            series_instance_uid=of.unsealed.series_instance_uid,
            content=pack.manifest.content_id.hex(),
            encoding=pack.encoding_id.hex(),
            members=len(pack.manifest.members),
            octets=pack.length,
            withheld=pack.withheld,
        )


def _stands_unsealed(conn: Connection, unsealed: UnsealedSeries) -> bool:
    """Tell whether a series still stands as it was read."""
    columns = tables.series.c
    query = select(columns.revision).where(
        columns.study_key == unsealed.study_key,
        columns.series_no == unsealed.series_no,
        columns.revision == unsealed.revision,
        columns.sealed_revision < columns.revision,
    )
    return conn.execute(query).first() is not None


def _settle_study(conn: Connection, study_key: int) -> None:
    """Make a study STABLE when the last of its series is sealed."""
    columns = tables.series.c
    unsealed = select(func.count()).where(
        columns.study_key == study_key, columns.sealed_revision < columns.revision
    )
    receiving = study_row(conn, study_key).state == StudyState.RECEIVING.value
    if receiving and not conn.execute(unsealed).scalar():
        move_study(conn, study_key, before=StudyState.RECEIVING, after=StudyState.STABLE)
