"""Gates and doors of tests on loopback, and what peers say to them."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from archive.clock import SystemClock
from archive.dimse.gate import Gate
from archive.dimse.limits import DoorLimits
from archive.dimse.receive import Receiver
from archive.dimse.scp import Door
from archive.dimse.tables import CallerTable, DestinationTable
from archive.dimse.tcp import Address
from archive.errors import DatabaseUnavailable
from archive.reader import Reader
from archive.store.disk import RealDisk
from archive.store.spool import Spool
from deploy.demo.association import VERIFICATION
from deploy.demo.modality import Modality
from deploy.demo.upper_layer import Connection, associate_request
from tests.peers.processes import LOOPBACK

WAIT_SECONDS = 10.0
REJECTED_FOR_NOW = bytes.fromhex("0300 00000004 00 02 03 02")
"""A-ASSOCIATE-RJ: rejected-transient, presentation related service provider,
local-limit-exceeded (PS3.8 Table 9-21)."""


def request(calling: str = "CT1") -> bytes:
    """Return an A-ASSOCIATE-RQ for Verification."""
    return associate_request(called="RXA", calling=calling, contexts={1: VERIFICATION})


def modality(port: int, calling: str = "CT1") -> Modality:
    return Modality(calling, LOOPBACK, port, called="RXA", timeout=WAIT_SECONDS)


def connected(port: int, *octets: bytes) -> socket.socket:
    """Return a connection on which so much was said."""
    connection = socket.create_connection((LOOPBACK, port), timeout=WAIT_SECONDS)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for one in octets:
        connection.sendall(one)
    return connection


def asked(port: int, calling: str = "CT1") -> Connection:
    """Return a connection on which an association was asked for."""
    return Connection(connected(port, request(calling)), timeout=WAIT_SECONDS)


def has_ended(connection: socket.socket) -> bool:
    """Tell whether the other side closes, in order or not; what it says before is dropped."""
    try:
        while connection.recv(65_536):
            pass
    except TimeoutError:
        return False
    except OSError:
        pass
    return True


@dataclass
class Holder:
    """A taker that holds what it is given."""

    taken: list[tuple[socket.socket, Callable[[], None]]] = field(default_factory=list)

    def take(
        self, connection: socket.socket, _address: Address, *, on_end: Callable[[], None]
    ) -> None:
        self.taken.append((connection, on_end))

    def end(self, number: int) -> None:
        connection, on_end = self.taken[number]
        connection.close()
        on_end()


@dataclass(frozen=True)
class Opened:
    """A gate that runs."""

    gate: Gate
    holder: Holder
    port: int


@contextmanager
def opened_gate(limits: DoorLimits) -> Iterator[Opened]:
    holder = Holder()
    gate = Gate((LOOPBACK, 0), limits=limits, taker=holder)
    port = gate.start()
    try:
        yield Opened(gate, holder, port)
    finally:
        gate.stop()
        for connection, _ in holder.taken:
            connection.close()


@contextmanager
def opened_door(directory: Path, limits: DoorLimits) -> Iterator[int]:
    """Run a door on a spool, without a database, and tell its port."""
    clock = SystemClock()
    spool = Spool(directory / "spool", disk=RealDisk(), clock=clock, floor_bytes=0)
    door = Door(
        ae_title="RXA",
        host=LOOPBACK,
        port=0,
        receiver=Receiver(spool, clock),
        callers=CallerTable({}, anyone=("RXA", None)),
        destinations=DestinationTable({}),
        reader=_no_reader,
        limits=limits,
    )
    port = door.start()
    try:
        yield port
    finally:
        door.stop()


def _no_reader() -> Reader:
    raise DatabaseUnavailable("There is no database here.")
