"""The DICOM upper layer as the peers of the demo see it (PS3.8 Section 9.3): PDUs, one socket.

Written apart from the archive's own doors on purpose: what is measured with it is evidence.
"""

import contextlib
import socket
import struct
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple, Self

APPLICATION_CONTEXT = "1.2.840.10008.3.1.1.1"
"""The DICOM application context name (PS3.7 Annex A.2.1)."""

IMPLEMENTATION_CLASS_UID = "2.25.276842951839114271655803427410384620011"
IMPLEMENTATION_VERSION_NAME = "RIS_MODALITY_01"

OWN_MAXIMUM_LENGTH = 65_536
"""Octets of P-DATA that this side takes at once."""

LONGEST_PDU = 1_048_576
"""A longer PDU is no answer to anything asked here, and would fill memory."""

FRAGMENT_WHERE_UNLIMITED = 262_144
"""Octets of a fragment for a peer whose maximum length is 0, which means no limit (PS3.8 D.1)."""

VALUE_HEADER_LENGTH = 2
"""Context identifier and message control header (PS3.8 Section 9.3.5.1)."""

PDV_OVERHEAD = 4 + VALUE_HEADER_LENGTH
"""Item length, context identifier and message control header (PS3.8 Section 9.3.5.1)."""

CONTEXT_LIMIT = 128
"""Presentation contexts of one association: odd identifiers from 1 to 255 (PS3.8 9.3.2.2)."""

AE_TITLE_LENGTH = 16

FIXED_PART_OF_ACCEPTANCE = 68
"""Octets of an A-ASSOCIATE-AC before its items (PS3.8 Section 9.3.3)."""

ACCEPTANCE = b"\0"
"""Result of a presentation context that was accepted (PS3.8 Section 9.3.3.2)."""


class PduType(IntEnum):
    """The first octet of a PDU (PS3.8 Section 9.3.1)."""

    ASSOCIATE_RQ = 0x01
    ASSOCIATE_AC = 0x02
    ASSOCIATE_RJ = 0x03
    P_DATA_TF = 0x04
    RELEASE_RQ = 0x05
    RELEASE_RP = 0x06
    ABORT = 0x07


PDU_TYPES = frozenset(PduType)


class ItemType(IntEnum):
    """The first octet of an item within an A-ASSOCIATE PDU (PS3.8 Section 9.3.2, Annex D)."""

    APPLICATION_CONTEXT = 0x10
    PRESENTATION_CONTEXT_RQ = 0x20
    PRESENTATION_CONTEXT_AC = 0x21
    ABSTRACT_SYNTAX = 0x30
    TRANSFER_SYNTAX = 0x40
    USER_INFORMATION = 0x50
    MAXIMUM_LENGTH = 0x51
    IMPLEMENTATION_CLASS_UID = 0x52
    ROLE_SELECTION = 0x54
    IMPLEMENTATION_VERSION_NAME = 0x55


class PeerError(Exception):
    """The common base of what can go wrong with the peer; never raised itself."""


class PeerUnreachable(PeerError):
    """No TCP connection could be made."""


class AssociationRejected(PeerError):
    """The peer answered A-ASSOCIATE-RJ (PS3.8 Section 9.3.4)."""

    def __init__(self, *, result: int, source: int, reason: int) -> None:
        super().__init__(f"The association was rejected: {result},{source},{reason}.")
        self.result = result
        self.source = source
        self.reason = reason


class AssociationAborted(PeerError):
    """The peer sent A-ABORT (PS3.8 Section 9.3.8)."""

    def __init__(self, *, source: int, reason: int) -> None:
        super().__init__(f"The peer aborted the association: source {source}, reason {reason}.")
        self.source = source
        self.reason = reason


class AssociationLost(PeerError):
    """The connection ended, or the peer released it, before an answer that was owed."""


class AnswerOverdue(PeerError):
    """The peer kept silent, or took no octets, for longer than the timeout."""


class ProtocolBroken(PeerError):
    """The peer sent what PS3.8 or PS3.7 does not allow here."""


class PresentationContext(NamedTuple):
    """What one presentation context of ours stands for: one SOP class in one syntax."""

    sop_class_uid: str
    transfer_syntax: str


@dataclass(frozen=True, slots=True)
class Pdu:
    """One PDU as it came: its type and what follows the length field."""

    kind: PduType
    body: bytes


@dataclass(frozen=True, slots=True)
class Pdv:
    """One presentation data value: a fragment of a command or of a Data Set."""

    context_id: int
    command: bool
    last: bool
    fragment: bytes


@dataclass(frozen=True, slots=True)
class Acceptance:
    """What an A-ASSOCIATE-AC grants."""

    context_ids: frozenset[int]
    """Identifiers of the accepted presentation contexts."""

    maximum_length: int
    """Octets of P-DATA that the peer takes at once; 0 where it sets no limit."""

    @property
    def fragment_length(self) -> int:
        """Octets of a Data Set or command that fit into one P-DATA PDU, an even number."""
        if self.maximum_length == 0:
            return FRAGMENT_WHERE_UNLIMITED
        return min(self.maximum_length - PDV_OVERHEAD, FRAGMENT_WHERE_UNLIMITED) & ~1


def associate_request(
    *,
    called: str,
    calling: str,
    contexts: Mapping[int, PresentationContext],
    taken: Iterable[str] = (),
) -> bytes:
    """Return an A-ASSOCIATE-RQ PDU, each context with its one transfer syntax (PS3.8 9.3.2).

    ``taken`` are the SOP classes for which this side would be the SCP, as a C-GET needs it
    (PS3.7 Annex D.3.3.4).
    """
    fixed = struct.pack(">HH16s16s32x", 1, 0, _ae_title(called), _ae_title(calling))
    items = item(ItemType.APPLICATION_CONTEXT, APPLICATION_CONTEXT.encode())
    for context_id, context in contexts.items():
        items += _proposal(context_id, context)
    roles = b"".join(map(_scp_role, taken))
    return pdu(PduType.ASSOCIATE_RQ, fixed + items + user_information(roles))


def pdu(kind: PduType, body: bytes) -> bytes:
    """Return the PDU of this type around ``body``."""
    return struct.pack(">BxI", kind, len(body)) + body


def p_data(context_id: int, fragment: bytes, *, command: bool, last: bool) -> bytes:
    """Return a P-DATA-TF PDU with one presentation data value (PS3.8 Section 9.3.5, Annex E)."""
    control = (0x01 if command else 0) | (0x02 if last else 0)
    value = struct.pack(">IBB", len(fragment) + 2, context_id, control)
    return pdu(PduType.P_DATA_TF, value + fragment)


def release_request() -> bytes:
    """Return an A-RELEASE-RQ PDU (PS3.8 Section 9.3.6)."""
    return pdu(PduType.RELEASE_RQ, bytes(4))


def abort_request() -> bytes:
    """Return an A-ABORT PDU of the service user (PS3.8 Section 9.3.8)."""
    return pdu(PduType.ABORT, bytes(4))


def read_acceptance(body: bytes) -> Acceptance:
    """Read an A-ASSOCIATE-AC (PS3.8 Section 9.3.3).

    Raises:
        ProtocolBroken: its items do not fit, or the maximum length leaves no room for a fragment.
    """
    accepted: set[int] = set()
    maximum_length = 0
    for kind, value in read_items(body[FIXED_PART_OF_ACCEPTANCE:]):
        if kind == ItemType.PRESENTATION_CONTEXT_AC and value[2:3] == ACCEPTANCE:
            accepted.add(value[0])
        elif kind == ItemType.USER_INFORMATION:
            maximum_length = _maximum_length(value)
    if 0 < maximum_length < PDV_OVERHEAD + 2:
        raise ProtocolBroken(f"A maximum length of {maximum_length} has no room for a fragment.")
    return Acceptance(context_ids=frozenset(accepted), maximum_length=maximum_length)


def read_pdvs(body: bytes) -> Iterator[Pdv]:
    """Give the presentation data values of a P-DATA-TF in order (PS3.8 Section 9.3.5.1).

    Raises:
        ProtocolBroken: a value reaches beyond the PDU.
    """
    position = 0
    while position < len(body):
        if len(body) - position < PDV_OVERHEAD:
            raise ProtocolBroken("A presentation data value is cut short.")
        length, context_id, control = struct.unpack_from(">IBB", body, position)
        end = position + 4 + length
        if length < VALUE_HEADER_LENGTH or end > len(body):
            raise ProtocolBroken("A presentation data value reaches beyond its PDU.")
        fragment = body[position + PDV_OVERHEAD : end]
        yield Pdv(context_id, bool(control & 0x01), bool(control & 0x02), fragment)
        position = end


class Connection:
    """One TCP connection that carries PDUs; no call waits longer than ``timeout`` seconds."""

    def __init__(self, connected: socket.socket, *, timeout: float) -> None:
        self._socket = connected
        self._timeout = timeout
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    @classmethod
    def to(cls, host: str, port: int, *, timeout: float) -> Self:
        """Connect.

        Raises:
            PeerUnreachable: nobody listens there, or not within ``timeout`` seconds.
        """
        try:
            connected = socket.create_connection((host, port), timeout=timeout)
        except OSError as problem:
            raise PeerUnreachable(f"No connection to {host}:{port}: {problem}.") from problem
        return cls(connected, timeout=timeout)

    def send(self, octets: bytes) -> None:
        """Hand all octets to the network.

        Raises:
            AnswerOverdue: the peer takes none.
            AssociationAborted: it refused them with an A-ABORT.
            AssociationLost: it went away.
        """
        self._socket.settimeout(self._timeout)
        try:
            self._socket.sendall(octets)
        except TimeoutError as problem:
            raise AnswerOverdue("The peer takes no more octets.") from problem
        except OSError as problem:
            self._raise_parting_abort()
            raise AssociationLost(f"The connection ended while sending: {problem}.") from problem

    def receive(self) -> Pdu:
        """Wait for the next PDU.

        Raises:
            AssociationAborted: it is an A-ABORT.
            AssociationLost: the connection ends before it is complete.
            AnswerOverdue: it is not complete within the timeout.
            ProtocolBroken: its type is unknown or it is longer than ``LONGEST_PDU``.
        """
        deadline = time.monotonic() + self._timeout
        kind, length = struct.unpack(">BxI", self._exactly(6, deadline))
        if kind not in PDU_TYPES or length > LONGEST_PDU:
            raise ProtocolBroken(f"A PDU of type {kind:#04x} and {length} octets came.")
        body = self._exactly(length, deadline)
        if kind == PduType.ABORT:
            _, _, source, reason = body.ljust(4, b"\0")[:4]
            raise AssociationAborted(source=source, reason=reason)
        return Pdu(kind=PduType(kind), body=body)

    def close(self) -> None:
        """End the connection in order."""
        self._socket.close()

    def reset(self) -> None:
        """End the connection as a crash would: the peer sees a reset, nothing more is sent."""
        linger_for_no_time = struct.pack("ii", 1, 0)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_for_no_time)
        self._socket.close()

    def _exactly(self, length: int, deadline: float) -> bytes:
        received = bytearray()
        while len(received) < length:
            chunk = self._some(length - len(received), deadline)
            if not chunk:
                raise AssociationLost("The peer closed the connection.")
            received += chunk
        return bytes(received)

    def _some(self, limit: int, deadline: float) -> bytes:
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            raise AnswerOverdue("The peer's answer is overdue.")
        self._socket.settimeout(remaining)
        try:
            return self._socket.recv(limit)
        except TimeoutError as problem:
            raise AnswerOverdue("The peer's answer is overdue.") from problem
        except OSError as problem:
            raise AssociationLost(f"The connection ended: {problem}.") from problem

    def _raise_parting_abort(self) -> None:
        """Raise the A-ABORT that may lie unread where sending failed, and only that."""
        with contextlib.suppress(AssociationLost, AnswerOverdue, ProtocolBroken):
            self.receive()


def _ae_title(text: str) -> bytes:
    encoded = text.encode("ascii")
    if not 0 < len(encoded) <= AE_TITLE_LENGTH:
        raise ValueError("An AE title has 1 to 16 characters (PS3.5 Section 6.2).")
    return encoded.ljust(AE_TITLE_LENGTH)


def item(kind: ItemType, value: bytes) -> bytes:
    """Return an item or sub-item of an A-ASSOCIATE PDU."""
    return struct.pack(">BxH", kind, len(value)) + value


def _proposal(context_id: int, context: PresentationContext) -> bytes:
    value = struct.pack(">B3x", context_id)
    value += item(ItemType.ABSTRACT_SYNTAX, context.sop_class_uid.encode("latin-1"))
    value += item(ItemType.TRANSFER_SYNTAX, context.transfer_syntax.encode("latin-1"))
    return item(ItemType.PRESENTATION_CONTEXT_RQ, value)


def user_information(roles: bytes = b"") -> bytes:
    """Return the user information item (PS3.8 Annex D), role selections among it."""
    value = item(ItemType.MAXIMUM_LENGTH, struct.pack(">I", OWN_MAXIMUM_LENGTH))
    value += item(ItemType.IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_CLASS_UID.encode())
    value += roles
    value += item(ItemType.IMPLEMENTATION_VERSION_NAME, IMPLEMENTATION_VERSION_NAME.encode())
    return item(ItemType.USER_INFORMATION, value)


def _scp_role(sop_class_uid: str) -> bytes:
    uid = sop_class_uid.encode("latin-1")
    return item(ItemType.ROLE_SELECTION, struct.pack(">H", len(uid)) + uid + b"\x00\x01")


def read_items(octets: bytes) -> Iterator[tuple[int, bytes]]:
    """Give type and value of the items in a part of an A-ASSOCIATE PDU.

    Raises:
        ProtocolBroken: one reaches beyond the part.
    """
    position = 0
    while position + 4 <= len(octets):
        kind, length = struct.unpack_from(">BxH", octets, position)
        end = position + 4 + length
        if end > len(octets):
            raise ProtocolBroken("An item reaches beyond its PDU.")
        yield kind, octets[position + 4 : end]
        position = end


def _maximum_length(user_information: bytes) -> int:
    for kind, value in read_items(user_information):
        if kind == ItemType.MAXIMUM_LENGTH:
            return int.from_bytes(value, "big")
    return 0
