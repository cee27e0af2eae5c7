"""A listener on real sockets over a real spool, and disks that fail on command."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from archive.clock import SystemClock
from archive.store.disk import Disk, Handle, Octets, RealDisk
from archive.store.segment import Record
from archive.store.spool import Spool, SpoolReader
from local_node.hl7.mllp import MllpLimits, MllpListener
from tests.peers.processes import wait_until

HOST = "127.0.0.1"


class CommandedHandle:
    """A file whose sync waits and fails as its disk says."""

    def __init__(self, handle: Handle, disk: "CommandedDisk") -> None:
        self._handle = handle
        self._disk = disk

    def write(self, parts: Sequence[Octets]) -> None:
        self._handle.write(parts)

    def fill(self, offset: int, octets: Octets) -> None:
        self._handle.fill(offset, octets)

    def begin_writing(self, offset: int, length: int) -> None:
        self._handle.begin_writing(offset, length)

    def sync(self) -> None:
        self._disk.syncing.set()
        self._disk.may_sync.wait(30)
        if self._disk.broken:
            raise OSError(5, "Input/output error")
        self._handle.sync()

    def truncate(self, length: int) -> None:
        self._handle.truncate(length)

    def close(self) -> None:
        self._handle.close()


class CommandedDisk(RealDisk):
    """The machine's disk, slow, broken or full on command."""

    def __init__(self) -> None:
        self.may_sync = threading.Event()
        self.may_sync.set()
        self.syncing = threading.Event()
        self.broken = False
        self.full = False

    def create(self, path: Path) -> CommandedHandle:  # type: ignore[override]
        return CommandedHandle(super().create(path), self)

    def free_bytes(self, path: Path) -> int:
        return 0 if self.full else super().free_bytes(path)


@dataclass(frozen=True)
class Listening:
    """A listener that runs."""

    port: int
    directory: Path
    listener: MllpListener

    def records(self) -> list[tuple[Record, bytes]]:
        """What intake can see, in order."""
        spool = SpoolReader(self.directory)
        return [
            (record, b"".join(spool.read(name, offset=record.offset, length=record.length)))
            for name in spool.ready()
            for record in spool.records(name)
        ]

    def bodies(self) -> list[bytes]:
        return [body for _, body in self.records()]

    def waits_for(self, count: int) -> list[bytes]:
        """Return what intake sees once it is so many messages."""
        wait_until(lambda: len(self.bodies()) >= count, what=f"{count} messages", seconds=20)
        return self.bodies()


@contextmanager
def listening(
    directory: Path, *, limits: MllpLimits | None = None, disk: Disk | None = None
) -> Iterator[Listening]:
    clock = SystemClock()
    spool = Spool(directory, disk=disk or RealDisk(), clock=clock, floor_bytes=1)
    listener = MllpListener(
        spool=spool, clock=clock, host=HOST, port=0, limits=limits or MllpLimits()
    )
    try:
        yield Listening(listener.start(), directory, listener)
    finally:
        listener.stop()
