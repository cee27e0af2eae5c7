"""One archive's cold side for tests: a real spool, index, blob store, intake and sealer."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import func, select

from archive.index import tables
from archive.index.counts import Counts, count
from archive.index.directory import ensure_authority, ensure_node, save_source
from archive.index.engine import Index
from archive.index.header import Loose
from archive.index.members import make_hash_key
from archive.intake.intake import Intake
from archive.intake.scan import Measured, measure
from archive.intake.seal import Sealer
from archive.reader import Octets
from archive.store.disk import RealDisk
from archive.store.local_blobs import LocalBlobs
from archive.store.part10 import file_meta
from archive.store.segment import Envelope, Record, RecordKind
from archive.store.spool import Spool, SpoolReader
from archive.words.identity import Issuer
from deploy.demo.wire_object import WireObject

RXA = Issuer("RXA", "RXA")
QUIET_SECONDS = 2.0


class MovedClock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.at = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.at.timestamp()

    def advance(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


@dataclass(frozen=True)
class Cold:
    """What the cold side of a node consists of."""

    directory: Path
    index: Index
    clock: MovedClock
    spool: Spool
    reader: SpoolReader
    blobs: LocalBlobs

    @property
    def octets(self) -> Octets:
        return Octets(self.reader, self.blobs)

    def intake(self, **more: object) -> Intake:
        return Intake(
            self.index,
            self.reader,
            self.blobs,
            self.clock,
            node_name="RXA",
            staging=self.directory / "staging",
            **more,  # type: ignore[arg-type]
        )

    def sealer(self, **more: object) -> Sealer:
        return Sealer(
            self.index,
            self.reader,
            self.blobs,
            self.clock,
            staging=self.directory / "staging",
            quiet_seconds=QUIET_SECONDS,
            node_name="RXA",
            **more,  # type: ignore[arg-type]
        )

    # --- arrivals ---------------------------------------------------------------------------

    def store(self, *objects: WireObject, calling_ae: str = "CT1") -> None:
        """Append objects to one segment, as the receiver does, and hand it over."""
        writer = self.spool.writer()
        for one in objects:
            self.append(writer, one, calling_ae=calling_ae)
        writer.hand_over()

    def append(self, writer: object, one: WireObject, *, calling_ae: str = "CT1") -> None:
        said = envelope(one, at=self.clock.now(), calling_ae=calling_ae)
        meta = file_meta(
            sop_class_uid=said.sop_class_uid,
            sop_instance_uid=said.sop_instance_uid,
            transfer_syntax=said.transfer_syntax,
            calling_ae=said.calling_ae,
            called_ae=said.called_ae,
        )
        writer.append(RecordKind.DICOM, said, [meta, octets_of(one)])  # type: ignore[attr-defined]

    def message(self, octets: bytes, *, feed: str = "PAS", control_id: str = "1") -> None:
        """Append one HL7 message to a segment of its own, and hand it over."""
        writer = self.spool.writer()
        writer.append(RecordKind.HL7, hl7_envelope(self.clock.now(), feed, control_id), [octets])
        writer.hand_over()

    # --- running ----------------------------------------------------------------------------

    def take_in(self, intake: Intake | None = None) -> None:
        drain(intake or self.intake())

    def seal(self, sealer: Sealer | None = None) -> None:
        self.clock.advance(QUIET_SECONDS + 1)
        drain(sealer or self.sealer())

    # --- looking ----------------------------------------------------------------------------

    def counts(self) -> Counts:
        with self.index.reading() as conn:
            return count(conn)

    def answers(self) -> dict[str, int]:
        return self.counts().answers

    def rows(self, name: str) -> list[dict[str, object]]:
        table = tables.metadata.tables[name]
        with self.index.reading() as conn:
            return [dict(row) for row in conn.execute(select(table)).mappings()]

    def number(self, name: str) -> int:
        table = tables.metadata.tables[name]
        with self.index.reading() as conn:
            return int(conn.execute(select(func.count()).select_from(table)).scalar_one())


def drain(loop: Intake | Sealer) -> None:
    """Call ``once`` until there is nothing to do."""
    for _ in range(1000):
        if not loop.once():
            return
    raise AssertionError("the loop does not come to an end")


def cold_side(directory: Path, index: Index, clock: MovedClock) -> Cold:
    """Return the cold side of RXA's node on an index that is migrated."""
    with index.writing() as conn:
        make_hash_key(conn, b"k" * 32)
        ensure_authority(conn, RXA)
        ensure_node(conn, "RXA", organisation="RXA", ae_title="RXA")
        for kind in ("dicom", "hl7"):
            save_source(
                conn,
                node="RXA",
                kind=kind,
                name="*",
                organisation="RXA",
                authority=RXA,
                site="MAIN",
            )
    spool = Spool(directory / "spool", disk=RealDisk(), clock=clock, floor_bytes=0)
    return Cold(
        directory,
        index,
        clock,
        spool,
        SpoolReader(directory / "spool"),
        LocalBlobs(directory / "blobs"),
    )


def envelope(one: WireObject, *, at: datetime, calling_ae: str = "CT1") -> Envelope:
    return Envelope(
        association="a1",
        context_id=1,
        calling_ae=calling_ae,
        called_ae="RXA",
        peer="127.0.0.1:1",
        arrived_at=at,
        transfer_syntax=one.transfer_syntax,
        sop_class_uid=one.sop_class_uid,
        sop_instance_uid=one.sop_instance_uid,
    )


def hl7_envelope(at: datetime, feed: str, control_id: str) -> Envelope:
    return Envelope(
        association="m1",
        context_id=0,
        calling_ae=feed,
        called_ae="RXA",
        peer="127.0.0.1:2",
        arrived_at=at,
        transfer_syntax="x-application/hl7-v2+er7",
        sop_class_uid="",
        sop_instance_uid=control_id,
    )


def octets_of(one: WireObject) -> bytes:
    with one.opened() as stream:
        return stream.read()


def loaded(one: WireObject) -> WireObject:
    """Return the object with its Data Set in memory."""
    return replace(one, data_set=octets_of(one))


def in_parts(objects: Sequence[WireObject], size: int) -> Iterator[Iterable[WireObject]]:
    for start in range(0, len(objects), size):
        yield objects[start : start + size]


def measured_at(octets: Octets, record: Record, *, segment: str = "") -> Measured:
    """Return the digest and length of a record's Data Set, read where it lies."""
    whole = Loose(segment, record.offset, record.length, 0)
    return measure(whole, octets.whole(whole))
