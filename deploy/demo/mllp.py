"""A sender of HL7 v2 over MLLP (HL7 2.5 Appendix C.4), which can also send badly on purpose."""

import contextlib
import re
import socket
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

START_BLOCK = b"\x0b"
END_BLOCK = b"\x1c\r"

TIMEOUT_SECONDS = 10.0
LONGEST_ANSWER = 1_048_576


class MllpError(Exception):
    """The common base; never raised itself."""


class NoAnswer(MllpError):
    """Nothing, or not all of an answer, came within the timeout."""


class ConnectionEnded(MllpError):
    """No connection could be made, or the receiver ended it before its answer was complete."""


class NotAnAck(MllpError):
    """What came is no acknowledgement: no framing, or no MSA segment."""


class Sendable(Protocol):
    """A message that knows its octets."""

    @property
    def octets(self) -> bytes:
        """The message without framing."""
        ...


@dataclass(frozen=True, slots=True)
class Ack:
    """An acknowledgement."""

    code: str
    """MSA-1 (HL7 table 0008): AA, AE or AR."""

    control_id: str
    """MSA-2: the message that is acknowledged."""

    text: str
    """MSA-3, as sent."""

    octets: bytes
    """The whole message without framing."""


class MllpClient:
    """One connection to a receiver, made when first needed; no call waits beyond ``timeout``."""

    def __init__(self, host: str, port: int, *, timeout: float = TIMEOUT_SECONDS) -> None:
        self._address = (host, port)
        self._timeout = timeout
        self._socket: socket.socket | None = None
        self._unread = bytearray()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def send(self, message: Sendable | bytes) -> Ack:
        """Send one message and wait for its acknowledgement.

        Raises:
            ConnectionEnded, NoAnswer, NotAnAck
        """
        self.send_octets(framed(message))
        return self.receive()

    def send_in_two(
        self, message: Sendable | bytes, *, at: int, pause_seconds: float = 0.05
    ) -> Ack:
        """Send the first ``at`` octets of the framed message, pause, send the rest; then as send.

        Nagle's algorithm is off, so the pause makes two TCP segments of it.
        """
        octets = framed(message)
        self.send_octets(octets[:at])
        time.sleep(pause_seconds)
        self.send_octets(octets[at:])
        return self.receive()

    def send_octets(self, octets: bytes) -> None:
        """Send octets as they are, framed or not, and wait for nothing.

        Raises:
            ConnectionEnded
        """
        connected = self._connected()
        connected.settimeout(self._timeout)
        try:
            connected.sendall(octets)
        except OSError as problem:
            raise ConnectionEnded(f"The receiver takes no octets: {problem}.") from problem

    def receive(self) -> Ack:
        """Wait for one acknowledgement.

        Raises:
            ConnectionEnded, NoAnswer, NotAnAck
        """
        deadline = time.monotonic() + self._timeout
        while END_BLOCK not in self._unread:
            if len(self._unread) > LONGEST_ANSWER:
                raise NotAnAck("The answer has no end.")
            self._unread += self._some(deadline)
        answer, _, self._unread = self._unread.partition(END_BLOCK)
        return read_ack(bytes(answer))

    def close(self) -> None:
        """End the connection; the next call makes another."""
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.close()
        self._socket = None
        self._unread.clear()

    def _connected(self) -> socket.socket:
        if self._socket is None:
            try:
                self._socket = socket.create_connection(self._address, timeout=self._timeout)
            except OSError as problem:
                raise ConnectionEnded(f"No connection to the receiver: {problem}.") from problem
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self._socket

    def _some(self, deadline: float) -> bytes:
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            raise NoAnswer("The acknowledgement is overdue.")
        connected = self._connected()
        connected.settimeout(remaining)
        try:
            chunk = connected.recv(65_536)
        except TimeoutError as problem:
            raise NoAnswer("The acknowledgement is overdue.") from problem
        except OSError as problem:
            raise ConnectionEnded(f"The connection ended: {problem}.") from problem
        if not chunk:
            raise ConnectionEnded("The receiver closed the connection without an answer.")
        return chunk


def framed(message: Sendable | bytes) -> bytes:
    """Return the message within MLLP's start and end blocks."""
    octets = message if isinstance(message, bytes) else message.octets
    return START_BLOCK + octets + END_BLOCK


def read_ack(answer: bytes) -> Ack:
    """Read what stood before an end block.

    Raises:
        NotAnAck: no start block, or no MSA with a code.
    """
    if not answer.startswith(START_BLOCK):
        raise NotAnAck("The answer has no start block.")
    octets = answer[len(START_BLOCK) :]
    for segment in re.split(r"[\r\n]+", octets.decode("utf-8", errors="replace")):
        fields = segment.split("|")
        if fields[0] == "MSA" and len(fields) > 1:
            code, control_id, text = [*fields[1:], "", ""][:3]
            return Ack(code=code, control_id=control_id, text=text, octets=octets)
    raise NotAnAck("The answer has no MSA segment.")
