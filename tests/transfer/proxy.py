"""A TCP proxy between node and centre that cuts or spoils the body of one transfer."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

UPWARD = b"PUT "
"""What the head of a request with a pack begins with."""
DOWNWARD = b"application/x-tar"
"""What the head of an answer with a pack holds."""


class Cut(Exception):
    """The link is down."""


@dataclass
class Meddler:
    """Spoils the first transfer that it sees, then lets all pass; counts the octets of bodies."""

    marker: bytes
    cut_at: int | None = None
    """The link ends before this octet of the body."""
    flip_at: int | None = None
    """One bit of this octet of the body is turned."""
    passed: int = 0
    """Octets of bodies that went through."""

    def follow(self) -> Callable[[bytes], bytes]:
        """Return what the octets of one connection in one direction go through."""
        head = bytearray()
        at = -1

        def meddle(octets: bytes) -> bytes:
            nonlocal at
            if at >= 0:
                return self._body(octets, at, move)
            head.extend(octets)
            begin = head.find(self.marker)
            end = head.find(b"\r\n\r\n", begin)
            if begin < 0 or end < 0:
                return octets
            at = 0
            body = bytes(head[end + 4 :])
            return octets[: len(octets) - len(body)] + self._body(body, 0, move)

        def move(count: int) -> None:
            nonlocal at
            at += count

        return meddle

    def _body(self, octets: bytes, at: int, move: Callable[[int], None]) -> bytes:
        if self.cut_at is not None and at + len(octets) > self.cut_at:
            self.cut_at = None
            raise Cut
        if self.flip_at is not None and at <= self.flip_at < at + len(octets):
            spoilt = bytearray(octets)
            spoilt[self.flip_at - at] ^= 1
            octets, self.flip_at = bytes(spoilt), None
        self.passed += len(octets)
        move(len(octets))
        return octets


@dataclass
class Proxy:
    """Passes connections on to a port, through one meddler each way."""

    target: int
    up: Meddler = field(default_factory=lambda: Meddler(UPWARD))
    down: Meddler = field(default_factory=lambda: Meddler(DOWNWARD))

    @contextlib.contextmanager
    def open(self) -> Iterator[str]:
        """Give the base URL under which the target is reached through the proxy."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            threading.Thread(target=self._accept, args=(listener,), daemon=True).start()
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = listener.accept()
                far = socket.create_connection(("127.0.0.1", self.target))
                for source, sink, meddler in ((near, far, self.up), (far, near, self.down)):
                    passing = (source, sink, meddler.follow())
                    threading.Thread(target=_pass, args=passing, daemon=True).start()


def _pass(source: socket.socket, sink: socket.socket, meddle: Callable[[bytes], bytes]) -> None:
    """Pass octets on until either end is gone; then end both."""
    with contextlib.suppress(OSError, Cut):
        while octets := source.recv(4096):
            sink.sendall(meddle(octets))
    for end in (source, sink):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
        end.close()
