"""A line between two tiers that can lie, break and fall silent: a TCP proxy in threads."""

import contextlib
import random
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from types import TracebackType
from typing import Protocol, Self

from tests.peers.processes import LOOPBACK

_CHUNK = 64 * 1024
_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER that makes of a close a reset."""


class Way(Enum):
    """Which way octets go."""

    UP = "from the caller"
    DOWN = "to the caller"


class Cut(Exception):
    """The connection breaks here; ``sent`` octets of the chunk still went through."""

    def __init__(self, sent: int = 0) -> None:
        super().__init__()
        self.sent = sent


class Fault(Protocol):
    """What befalls the octets of one connection, each way; called by one thread a way."""

    def __call__(self, way: Way, at: int, octets: bytes, /) -> bytes:
        """Return what goes on of ``octets``, which begin at octet ``at`` of this way.

        Raises:
            Cut: the connection breaks.
        """


def honest(_way: Way, _at: int, octets: bytes) -> bytes:
    """Let everything through."""
    return octets


class Line:
    """A port of the loopback interface behind which ``target`` answers, through faults.

    ``fault`` makes the fault of each new connection and may be changed at any time.
    """

    def __init__(self, target: Callable[[], int]) -> None:
        self.fault: Callable[[], Fault] = lambda: honest
        self._target = target
        self._listener = socket.create_server((LOOPBACK, 0))
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._accept, daemon=True)

    @property
    def port(self) -> int:
        port: int = self._listener.getsockname()[1]
        return port

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    def mend(self) -> None:
        """Be honest from now on, and let every open connection break, as its fault is its own."""
        self.fault = lambda: honest
        self.cut_all()

    def cut_all(self) -> None:
        """Break every open connection."""
        with self._lock:
            broken, self._open = self._open, set()
        for one in broken:
            _reset(one)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut_all()
        self._thread.join()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                caller, _ = self._listener.accept()
                threading.Thread(target=self._connect, args=(caller,), daemon=True).start()

    def _connect(self, caller: socket.socket) -> None:
        try:
            answerer = socket.create_connection((LOOPBACK, self._target()), timeout=5)
        except OSError:
            _reset(caller)
            return
        answerer.settimeout(None)
        with self._lock:
            self._open |= {caller, answerer}
        fault = self.fault()
        for way, source, sink in ((Way.UP, caller, answerer), (Way.DOWN, answerer, caller)):
            carrying = threading.Thread(
                target=self._carry, args=(way, source, sink, fault), daemon=True
            )
            carrying.start()

    def _carry(self, way: Way, source: socket.socket, sink: socket.socket, fault: Fault) -> None:
        at = 0
        try:
            while octets := source.recv(_CHUNK):
                sink.sendall(_through(fault, way, at, octets, sink))
                at += len(octets)
            sink.shutdown(socket.SHUT_WR)
        except (OSError, Cut):
            with self._lock:
                self._open -= {source, sink}
            _reset(source)
            _reset(sink)


def _through(fault: Fault, way: Way, at: int, octets: bytes, sink: socket.socket) -> bytes:
    try:
        return fault(way, at, octets)
    except Cut as cut:
        sink.sendall(octets[: cut.sent])
        raise


def _reset(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()


@dataclass
class Flips:
    """Flips one bit ``behind`` octets after ``trigger`` went by, so many times over all."""

    way: Way
    trigger: bytes
    behind: int
    left: int
    done: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self) -> Fault:
        """Return the fault of a new connection."""
        due: list[int] = []

        def flip(way: Way, at: int, octets: bytes) -> bytes:
            if way is not self.way:
                return octets
            found = octets.find(self.trigger)
            if found != -1:
                due[:] = [at + found + self.behind]
            if due and at <= due[0] < at + len(octets) and self._takes():
                return _flipped(octets, due.pop() - at)
            return octets

        return flip

    def _takes(self) -> bool:
        with self._lock:
            takes = self.left > 0
            self.left -= takes
            self.done += takes
            return takes


def _flipped(octets: bytes, at: int) -> bytes:
    return octets[:at] + bytes((octets[at] ^ 0x10,)) + octets[at + 1 :]


@dataclass
class Cuts:
    """Cuts each connection after a random number of octets, most often soon."""

    chance: random.Random
    most: int
    done: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self) -> Fault:
        """Return the fault of a new connection."""
        with self._lock:
            ends = {way: self.chance.randint(1, self.most) for way in Way}

        def cut(way: Way, at: int, octets: bytes) -> bytes:
            if at + len(octets) > ends[way]:
                self.done += 1
                raise Cut(max(0, ends[way] - at))
            return octets

        return cut


_PDU_HEADER = struct.Struct(">BxI")


@dataclass
class CutsAtPdu:
    """Cuts the first connection in the middle of a DICOM PDU of one way, or right behind it."""

    way: Way
    number: int
    """Of the PDU, from 0 on."""
    behind: bool
    done: bool = False

    def __call__(self) -> Fault:
        """Return the fault of a new connection."""
        return honest if self.done else self._fault()

    def _fault(self) -> Fault:
        gone = bytearray()

        def cut(way: Way, at: int, octets: bytes) -> bytes:
            if way is not self.way:
                return octets
            gone.extend(octets)
            end = self._end(gone)
            if end is not None and end <= len(gone):
                self.done = True
                raise Cut(max(0, end - at))
            return octets

        return cut

    def _end(self, gone: bytearray) -> int | None:
        """Return where to cut, once it is known."""
        start = 0
        for _ in range(self.number):
            if len(gone) < start + _PDU_HEADER.size:
                return None
            start += _PDU_HEADER.size + _PDU_HEADER.unpack_from(gone, start)[1]
        if len(gone) < start + _PDU_HEADER.size:
            return None
        length = _PDU_HEADER.size + int(_PDU_HEADER.unpack_from(gone, start)[1])
        return start + (length if self.behind else length // 2)
