"""A door with nothing behind it but a disk, and the limits that a test wants."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from archive.clock import SystemClock
from archive.dimse.limits import DoorLimits
from archive.dimse.receive import Receiver
from archive.dimse.scp import Door
from archive.errors import DatabaseUnavailable
from archive.reader import Reader
from archive.store.disk import RealDisk
from archive.store.spool import Spool, SpoolReader
from tests.associations.door import Tables
from tests.peers.processes import LOOPBACK, Endpoint, wait_until


@dataclass(frozen=True, slots=True)
class BareDoor:
    """Where it listens, and what it stores in."""

    endpoint: Endpoint
    directory: Path

    def kept(self, count: int) -> list[str]:
        """Return the SOP Instance UIDs kept, when no segment is open any more."""
        segments = SpoolReader(self.directory)
        wait_until(lambda: len(_kept(segments)) >= count, what=f"{count} kept")
        wait_until(self._settled, what="all handed over")
        return _kept(segments)

    def _settled(self) -> bool:
        SpoolReader(self.directory).recover()
        return not list(self.directory.glob("*.open"))


@contextmanager
def bare_door(directory: Path, limits: DoorLimits) -> Iterator[BareDoor]:
    """Run a door until the block ends."""
    clock, tables = SystemClock(), Tables()
    spool = Spool(directory / "spool", disk=RealDisk(), clock=clock, floor_bytes=0)
    door = Door(
        ae_title="RXA",
        host=LOOPBACK,
        port=0,
        receiver=Receiver(spool, clock),
        callers=tables,
        destinations=tables,
        reader=_no_reader,
        limits=limits,
    )
    try:
        yield BareDoor(Endpoint(LOOPBACK, door.start(), "RXA"), directory / "spool")
    finally:
        door.stop()


def _kept(segments: SpoolReader) -> list[str]:
    return [
        record.envelope.sop_instance_uid
        for name in segments.ready()
        for record in segments.records(name)
    ]


def _no_reader() -> Reader:
    raise DatabaseUnavailable("Nothing is asked here.")
