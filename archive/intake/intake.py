"""The loop that takes spool segments into the index, a batch of records in each transaction.

What must be compared octet by octet with something that is held waits until no segment waits for
anything else: a comparison may take longer than a whole series.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import structlog
from sqlalchemy import Connection

from archive.clock import Clock, milliseconds
from archive.errors import Damaged, NotFound, Refused, StateMoved, StorageFailed, TornRecord
from archive.index.engine import Index
from archive.index.journal import data_quality
from archive.index.segments import (
    BEGINNING,
    Progress,
    SegmentState,
    advance,
    forget,
    progress_of,
    unneeded,
)
from archive.intake.batch import Batch, OnRegistered, OnStates, Taken, Undecided
from archive.intake.commitment import Commitments
from archive.intake.held import HeldOctets, organisation_of_node
from archive.intake.hl7 import Hl7Port
from archive.intake.prepare import Preparation, Prepared
from archive.reader import Octets
from archive.store.blobs import BlobStore
from archive.store.segment import Record, RecordKind
from archive.store.spool import Recovery, SpoolReader

BATCH = 64
"""Instances registered in one transaction."""
MESSAGES = 16
"""HL7 messages applied in one transaction; each does more than an instance."""

_ROUNDS = 5
"""Of comparing again because another process was faster."""
_TO_COMPARE = 1000
"""Records of a segment that are left for later at most; what goes beyond is compared at once."""
_WAITING = (SegmentState.TAKING, SegmentState.COMPARING)
"""States of segments that intake goes on with, the more urgent first."""
_PAUSE_S = 0.002
"""Between two commits, so that other writers of a SQLite database get their turn."""

_log = structlog.get_logger()


class _Overtaken(Exception):
    """Another intake has gone on with the segment."""


class _Torn(Exception):
    """The disk has harmed what comes next in a segment."""

    def __init__(self, progress: Progress) -> None:
        super().__init__()
        self.progress = progress


class Intake:
    """Takes in what the spool has; any number may run on one index and one spool."""

    def __init__(  # noqa: PLR0913 - parts are received here, none is built
        self,
        index: Index,
        spool: SpoolReader,
        blobs: BlobStore,
        clock: Clock,
        *,
        node_name: str,
        staging: Path,
        hl7: Hl7Port | None = None,
        commitments: Commitments | None = None,
        on_registered: OnRegistered | None = None,
        on_states: OnStates | None = None,
    ) -> None:
        """Take the parts.

        ``node_name`` names the source table to ask; ``staging`` is a directory on the disk of the
        blobs, or any. ``on_registered`` and ``on_states`` write rows in the same transaction: on
        every batch with instances, and where the state of an instance was written.
        """
        self._index = index
        self._spool = spool
        self._clock = clock
        self._node = node_name
        self._hl7 = hl7
        self._commitments = commitments
        self._on_registered = on_registered
        self._on_states = on_states
        self._octets = Octets(spool, blobs)
        self._preparation = Preparation(
            index,
            self._octets,
            HeldOctets(blobs, staging),
            node=node_name,
            takes_hl7=hl7 is not None,
            commits=commitments is not None,
        )

    def once(self) -> bool:
        """Take in the oldest segment that waits, else compare one record, else tidy up.

        Returns False when there was nothing to do.

        Raises:
            Unavailable: database, disk or blob store did not answer; what was committed stays, and
                the next call goes on behind it. What the disk does not give back keeps no other
                segment waiting.
        """
        failures: list[StorageFailed] = []
        recovered = self._recovered(failures)
        for name, progress in self._waiting():
            try:
                self._go_on(name, progress)
            except (NotFound, _Overtaken):
                _log.info("intake.segment_left_to_another", segment=name)
            except StorageFailed as failure:  # of this one, maybe; the others must not wait
                failures.append(failure)
                continue
            return True
        if failures:
            raise failures[0]
        return bool(delete_unneeded(self._index, self._spool)) or recovered

    def _recovered(self, failures: list[StorageFailed]) -> bool:
        try:
            return bool([self._tell_recovery(recovery) for recovery in self._spool.recover()])
        except StorageFailed as failure:
            failures.append(failure)
            return False

    # --- segments ---------------------------------------------------------------------------

    def _waiting(self) -> list[tuple[str, Progress]]:
        names = self._spool.ready()
        with self._index.reading() as conn:
            progress = progress_of(conn, names)
        each = ((name, progress.get(name, BEGINNING)) for name in names)
        waiting = [(name, known) for name, known in each if known.state in _WAITING]
        return sorted(waiting, key=lambda one: _WAITING.index(one[1].state))

    def _go_on(self, name: str, progress: Progress) -> None:
        self._preparation.begin()
        state = SegmentState.COMPLETE
        try:
            if progress.state is SegmentState.TAKING:
                progress = self._take_segment(name, progress)
            elif progress.to_compare:
                progress = self._compare_next(name, progress)
        except _Torn as torn:
            progress, state = torn.progress, SegmentState.DAMAGED
        if state is SegmentState.COMPLETE and progress.to_compare:
            state = SegmentState.COMPARING
        if state is not progress.state:
            self._move(name, progress, state)

    def _move(self, name: str, progress: Progress, state: SegmentState) -> None:
        with self._index.writing() as conn:
            self._guard(conn, name, before=progress, after=replace(progress, state=state))
            if state is SegmentState.DAMAGED:
                self._alarm(conn, "SEGMENT_DAMAGED", name)
        _log.info(
            "intake.segment",
            segment=name,
            records=progress.done,
            to_compare=len(progress.to_compare),
            state=state.value,
        )
        delete_unneeded(self._index, self._spool)

    def _take_segment(self, name: str, progress: Progress) -> Progress:
        try:
            for batch in self._batches(name, progress.done):
                progress = self._take(name, progress, batch)
                time.sleep(_PAUSE_S)
        except TornRecord as error:
            while progress.to_compare:
                progress = self._compare_next(name, progress)
            raise _Torn(progress) from error
        return progress

    def _compare_next(self, name: str, progress: Progress) -> Progress:
        """Take in the first of the records that were left for a comparison of their own."""
        number = progress.to_compare[0]
        try:
            for body in self._spool.bodies(name, after=number - 1):
                prepared = self._preparation.prepare(name, body)
                return self._take(name, progress, [prepared], compares=True)
        except TornRecord as error:
            raise _Torn(progress) from error
        raise _Torn(progress)

    def _batches(self, name: str, done: int) -> Iterator[list[Prepared]]:
        """Yield batches of records behind ``done``, no SOP Instance UID twice in one."""
        batch: list[Prepared] = []
        uids: set[str] = set()
        try:
            for body in self._spool.bodies(name, after=done):
                prepared = self._preparation.prepare(name, body)
                uid = prepared.sop_instance_uid
                if len(batch) >= _limit(body.record) or uid in uids:
                    yield batch
                    batch, uids = [], set()
                batch.append(prepared)
                uids |= {uid} if uid else set()
        except TornRecord:
            if batch:
                yield batch
            raise
        if batch:
            yield batch

    # --- batches ----------------------------------------------------------------------------

    def _take(
        self,
        name: str,
        progress: Progress,
        prepared: Sequence[Prepared],
        *,
        compares: bool = False,
    ) -> Progress:
        """Take in a batch; where the index refuses it, one by one, and hold what it refuses.

        ``compares``: also what must be compared octet by octet; else that is left for later.
        """
        try:
            return self._commit(name, progress, prepared, compares=compares)
        except (Refused, Damaged, ValueError) as error:
            if len(prepared) > 1:
                for one in prepared:
                    progress = self._take(name, progress, [one], compares=compares)
                return progress
            sentence = f"The index refused it ({type(error).__name__})."
            held = self._preparation.held_instead(prepared[0], sentence)
            return self._commit(name, progress, [held], compares=compares)

    def _commit(
        self, name: str, progress: Progress, prepared: Sequence[Prepared], *, compares: bool
    ) -> Progress:
        postpone = not compares and len(progress.to_compare) < _TO_COMPARE
        batch = Batch(
            self._octets,
            prepared,
            node=self._node,
            hl7=self._hl7,
            commitments=self._commitments,
        )
        for left in reversed(range(_ROUNDS)):
            try:
                batch.compare(self._index, postpone=postpone, at_last=not left)
                after = _after(progress, batch)
                with self._index.writing() as conn:
                    self._guard(conn, name, before=progress, after=after)
                    taken = batch.write(conn, at_ms=milliseconds(self._clock.now()))
                    self._call_back(conn, taken)
            except (Undecided, NotFound):
                continue
            taken.log(segment=name)
            return after
        raise _Overtaken

    def _guard(self, conn: Connection, name: str, *, before: Progress, after: Progress) -> None:
        """Let only one intake take these records in.

        A segment that was finished and deleted meanwhile has no row either: its file tells.
        """
        try:
            advance(conn, name, before=before, after=after)
            if before == BEGINNING:
                list(self._spool.read(name, offset=0, length=0))
        except (StateMoved, NotFound) as error:
            raise _Overtaken from error

    def _call_back(self, conn: Connection, taken: Taken) -> None:
        if self._on_registered is not None and taken.arrived:
            self._on_registered(conn, taken.arrived, taken.answers)
        if self._on_states is not None and taken.states_written:
            self._on_states(conn)

    # --- what an operator hears -------------------------------------------------------------

    def _tell_recovery(self, recovery: Recovery) -> Recovery:
        _log.warning(
            "intake.segment_recovered",
            segment=recovery.name,
            records=recovery.records,
            cut=recovery.cut,
            damaged=recovery.damaged,
        )
        if recovery.damaged:
            with self._index.writing() as conn:
                self._alarm(conn, "SEGMENT_DAMAGED", recovery.name)
        return recovery

    def _alarm(self, conn: Connection, code: str, segment: str) -> None:
        data_quality(
            conn,
            organisation=organisation_of_node(conn, self._node),
            code=code,
            sentence="The disk has harmed octets that were acknowledged; the file is kept.",
            subject=segment,
            at_ms=milliseconds(self._clock.now()),
        )


def delete_unneeded(index: Index, spool: SpoolReader) -> list[str]:
    """Delete the segments whose records are all taken in and of which nothing is loose.

    The file goes before its row: a row without file is found here again.
    """
    with index.reading() as conn:
        segments = unneeded(conn)
    for segment in segments:
        spool.delete(segment)
    if segments:
        with index.writing() as conn:
            forget(conn, segments)
        _log.info("intake.segments_deleted", segments=len(segments))
    return segments


def _after(progress: Progress, batch: Batch) -> Progress:
    numbers = {one.record.sequence for one in batch.prepared}
    to_compare = set(progress.to_compare) - numbers | batch.postponed
    done = max(progress.done, *numbers)
    return replace(progress, done=done, to_compare=tuple(sorted(to_compare)))


def _limit(record: Record) -> int:
    return MESSAGES if record.kind is RecordKind.HL7 else BATCH
