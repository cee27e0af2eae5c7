"""A peer on a raw socket that says exactly what it is told to, legal or not, and hears all."""

import contextlib
import select
import socket
import struct
import time
from collections.abc import Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from deploy.demo.command_set import CommandElement, read_elements
from tests.peers.processes import Endpoint
from tests.wire.octets import PDU_HEADER_LENGTH, PduType, Pdv, association_request

WAIT_SECONDS = 10.0
QUIET_SECONDS = 0.1
"""How long nothing has to come before it is taken for silence."""

LAST_WORDS = frozenset({PduType.ASSOCIATE_RJ, PduType.RELEASE_RP, PduType.ABORT})


@dataclass(frozen=True, slots=True)
class Heard:
    """One PDU that came."""

    kind: int
    body: bytes

    def named(self) -> str:
        """Name it with all that its kind can say: ``A-ABORT 2/1`` for source 2, reason 1."""
        if self.kind == PduType.ABORT:
            return f"A-ABORT {self.body[2]}/{self.body[3]}"
        if self.kind == PduType.ASSOCIATE_RJ:
            return "A-ASSOCIATE-RJ {}/{}/{}".format(*self.body[1:4])
        return _NAMES.get(self.kind, f"{self.kind:#04x}")


_NAMES: dict[int, str] = {
    PduType.ASSOCIATE_AC: "A-ASSOCIATE-AC",
    PduType.P_DATA_TF: "P-DATA-TF",
    PduType.RELEASE_RQ: "A-RELEASE-RQ",
    PduType.RELEASE_RP: "A-RELEASE-RP",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """One response message."""

    context_id: int
    command: bytes
    data_set: bytes

    def number(self, element: CommandElement) -> int | None:
        """Return a number of its Command Set."""
        value = read_elements(self.command).get(element)
        return None if value is None else int.from_bytes(value, "little")

    @property
    def status(self) -> int | None:
        """(0000,0900)."""
        return self.number(CommandElement.STATUS)

    @property
    def message_id(self) -> int | None:
        """(0000,0120)."""
        return self.number(CommandElement.MESSAGE_ID_BEING_RESPONDED_TO)


@dataclass(frozen=True, slots=True)
class Granted:
    """What the acceptor agreed to."""

    maximum_length: int
    accepted: frozenset[int]


class Peer:
    """One TCP connection to a door; at the end of a block it is closed without a word."""

    def __init__(self, door: Endpoint) -> None:
        self._socket = socket.create_connection((door.host, door.port), timeout=WAIT_SECONDS)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._unread = bytearray()
        self._values: list[Pdv] = []
        self.longest = 0
        """Octets of the longest P-DATA-TF that came."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._socket.close()

    def say(self, *octets: bytes) -> None:
        """Send each in a write of its own; an acceptor that has gone is heard, not raised."""
        self._socket.settimeout(WAIT_SECONDS)
        with contextlib.suppress(ConnectionError):
            for one in octets:
                self._socket.sendall(one)

    def dribble(self, octets: bytes) -> None:
        """Send each octet in a write of its own."""
        self.say(*(octets[at : at + 1] for at in range(len(octets))))

    def end_sending(self) -> None:
        """Close this side's half of the connection."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """End the connection as a crash would."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()

    def associate(self, request: bytes | None = None) -> Granted:
        """Ask for an association and return what was granted; anything else is an error."""
        self.say(association_request() if request is None else request)
        heard = self.hear()
        assert heard is not None, "the connection ended where A-ASSOCIATE-AC was due"
        assert heard.kind == PduType.ASSOCIATE_AC, heard.named()
        return _granted(heard.body)

    def hear(self, *, seconds: float = WAIT_SECONDS) -> Heard | None:
        """Return the next PDU, None where the connection ended instead.

        Raises:
            TimeoutError: neither came in time.
            AssertionError: the connection ended within a PDU.
        """
        deadline = time.monotonic() + seconds
        while (whole := self._whole()) is None:
            if not self._take(deadline):
                assert not self._unread, f"ended within a PDU: {bytes(self._unread)!r}"
                return None
        return whole

    def quiet(self, *, seconds: float = QUIET_SECONDS) -> bool:
        """Tell whether nothing comes within ``seconds``; what comes is not taken."""
        return not self._unread and not select.select([self._socket], [], [], seconds)[0]

    def farewell(self) -> list[Heard]:
        """Return all that comes until the connection ends.

        At a last word this side ends its half, as a requester does (PS3.8 AR-3, AE-4, AA-3); the
        acceptor then has to close.
        """
        told: list[Heard] = []
        try:
            while (heard := self.hear()) is not None:
                told.append(heard)
                if heard.kind in LAST_WORDS:
                    self.end_sending()
        except TimeoutError as error:
            raise AssertionError(f"Does not end; until now: {names(told)}") from error
        return told

    def answer(self) -> Answer:
        """Return the next response message, whole."""
        command, data_set = bytearray(), bytearray()
        follows = True
        while True:
            value = self._next_value()
            (command if value.command else data_set).extend(value.fragment)
            if value.command and value.last:
                kind = read_elements(bytes(command))[CommandElement.COMMAND_DATA_SET_TYPE]
                follows = int.from_bytes(kind, "little") != 0x0101
            if value.last and (value.command is not follows):
                return Answer(value.context_id, bytes(command), bytes(data_set))

    def answers(self, count: int) -> list[Answer]:
        """Return so many responses in the order in which they came."""
        return [self.answer() for _ in range(count)]

    def released(self) -> bool:
        """Release the association; tell whether it was agreed to, and the connection closed."""
        self.say(_RELEASE)
        return [heard.named() for heard in self.farewell()] == ["A-RELEASE-RP"]

    def _next_value(self) -> Pdv:
        while not self._values:
            heard = self.hear()
            assert heard is not None, "the connection ended where a response was due"
            assert heard.kind == PduType.P_DATA_TF, heard.named()
            self.longest = max(self.longest, len(heard.body))
            self._values += values_of(heard.body)
        return self._values.pop(0)

    def _whole(self) -> Heard | None:
        if len(self._unread) < PDU_HEADER_LENGTH:
            return None
        kind, length = struct.unpack_from(">BxI", self._unread)
        end = PDU_HEADER_LENGTH + length
        if len(self._unread) < end:
            return None
        body = bytes(self._unread[PDU_HEADER_LENGTH:end])
        del self._unread[:end]
        return Heard(kind, body)

    def _take(self, deadline: float) -> bool:
        self._socket.settimeout(max(deadline - time.monotonic(), 0.001))
        try:
            octets = self._socket.recv(65_536)
        except ConnectionError:
            return False
        self._unread += octets
        return bool(octets)


_RELEASE = struct.pack(">BxI4x", PduType.RELEASE_RQ, 4)


def values_of(body: bytes) -> list[Pdv]:
    """Return the presentation data values of a P-DATA-TF, which must fill it exactly."""
    values, at = [], 0
    while at < len(body):
        length, context_id, control = struct.unpack_from(">IBB", body, at)
        end = at + 4 + length
        assert length >= 2, "a presentation data value without its two octets"
        assert end <= len(body), "a presentation data value reaches beyond its PDU"
        values.append(Pdv(context_id, body[at + 6 : end], bool(control & 1), bool(control & 2)))
        at = end
    return values


def names(heard: Iterable[Heard]) -> tuple[str, ...]:
    """Return what was heard, by name."""
    return tuple(one.named() for one in heard)


def _granted(body: bytes) -> Granted:
    accepted, maximum_length, at = set(), 0, 68
    while at < len(body):
        kind, length = struct.unpack_from(">BxH", body, at)
        value = body[at + 4 : at + 4 + length]
        if kind == 0x21 and value[2] == 0:
            accepted.add(value[0])
        if kind == 0x50:
            maximum_length = _maximum_length(value)
        at += 4 + length
    return Granted(maximum_length, frozenset(accepted))


def _maximum_length(user_information: bytes) -> int:
    assert user_information[0] == 0x51, "the maximum length is the first sub-item (PS3.8 D.1)"
    return int.from_bytes(user_information[4:8], "big")
