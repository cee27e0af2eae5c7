"""The octets of C-STORE requests, made once and sent often under new UIDs.

Imported by the sending processes: the standard library and nothing else.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from struct import pack, unpack_from

EXPLICIT = "1.2.840.10008.1.2.1"
IMPLICIT = "1.2.840.10008.1.2"

APPLICATION_CONTEXT = "1.2.840.10008.3.1.1.1"
OWN_PDU_BYTES = 16384
LARGEST_PDU_BYTES = 131072
"""No more is sent in one PDU, whatever the receiver takes: dcmtk's limit."""

RELEASE_RQ = bytes.fromhex("05000000000400000000")
_COMMAND_AND_LAST, _DATA, _DATA_AND_LAST = 3, 0, 2


@dataclass(frozen=True, slots=True)
class Identity:
    """What makes an instance one of its own; values of one field are all of one length."""

    study: str
    series: str
    instance: str
    frame: str
    patient: str
    accession: str

    @classmethod
    def of(cls, *, run: int, stream: int, study: int, series: int, instance: int) -> "Identity":
        """Return the identity of an instance: its numbers within a stream of a run."""
        named = f"{run:08d}{stream % 100:02d}{study:04d}"
        return cls(
            study=_uid(1, run, stream, study),
            series=_uid(2, run, stream, series),
            instance=_uid(3, run, stream, instance),
            frame=_uid(4, run, stream, series),
            patient=f"BP{named[-14:]}",
            accession=f"BA{named[-14:]}",
        )

    def fields(self) -> tuple[tuple[str, bytes], ...]:
        """Return names and octets."""
        return tuple((name, getattr(self, name).encode()) for name in self.__slots__)


def _uid(kind: int, run: int, stream: int, number: int) -> str:
    """Return a UID of 42 octets (PS3.5 Section B.2)."""
    return f"2.25.{kind}{run:014d}{stream:04d}{number:018d}"


def new_run() -> int:
    """Return a number for the UIDs of one run."""
    return random.SystemRandom().randrange(1, 10**8)


@dataclass(frozen=True, slots=True)
class Message:
    """A C-STORE request as the octets of its PDUs, and where in them its identity stands."""

    octets: bytearray
    places: Mapping[str, Sequence[int]]
    message_id_at: int

    def renew(self, identity: Identity, message_id: int) -> None:
        """Make it another instance's."""
        for name, value in identity.fields():
            for place in self.places[name]:
                self.octets[place : place + len(value)] = value
        self.octets[self.message_id_at : self.message_id_at + 2] = pack("<H", message_id)


def store_message(
    data_set: memoryview, *, sop_class: str, identity: Identity, context_id: int, pdu_bytes: int
) -> Message:
    """Return the request for a Data Set that has this identity.

    ``pdu_bytes`` is the receiver's maximum length (PS3.8 Section D.1).
    """
    command, message_id_at = _command(sop_class, identity.instance)
    octets = bytearray(_pdu(context_id, _COMMAND_AND_LAST, command))
    fragment = pdu_bytes - 6
    for start in range(0, len(data_set), fragment):
        last = start + fragment >= len(data_set)
        piece = data_set[start : start + fragment]
        octets += _pdu(context_id, _DATA_AND_LAST if last else _DATA, piece)
    places = {name: _places(octets, value) for name, value in identity.fields()}
    return Message(octets, places, message_id_at)


def _places(octets: bytearray, value: bytes) -> tuple[int, ...]:
    """Find a value in the first 64 KiB: what identifies stands before the pixels."""
    found, start = [], 0
    while (place := octets.find(value, start, 65536)) >= 0:
        found.append(place)
        start = place + 1
    return tuple(found)


def _pdu(context_id: int, control: int, fragment: bytes | memoryview) -> bytes:
    """Return a P-DATA-TF PDU of one PDV (PS3.8 Section 9.3.5)."""
    length = len(fragment)
    return pack(">BxIIBB", 4, length + 6, length + 2, context_id, control) + fragment


def _command(sop_class: str, sop_instance: str) -> tuple[bytes, int]:
    """Return a C-STORE-RQ (PS3.7 Table 9.3-1), and where its PDU has the Message ID."""
    before = _element(0x0002, _even(sop_class)) + _element(0x0100, pack("<H", 0x0001))
    rest = (
        _element(0x0110, pack("<H", 1))
        + _element(0x0700, pack("<H", 0))
        + _element(0x0800, pack("<H", 1))
        + _element(0x1000, _even(sop_instance))
    )
    length = _element(0x0000, pack("<I", len(before) + len(rest)))
    return length + before + rest, 12 + len(length) + len(before) + 8


def _element(element: int, value: bytes) -> bytes:
    return pack("<HHI", 0, element, len(value)) + value


def _even(uid: str) -> bytes:
    octets = uid.encode()
    return octets + b"\0" * (len(octets) % 2)


def associate_request(
    *, called: str, calling: str, contexts: Mapping[int, tuple[str, str]]
) -> bytes:
    """Return an A-ASSOCIATE-RQ (PS3.8 Section 9.3.2); contexts are (SOP class, syntax) by ID."""
    body = pack(">HH", 1, 0) + called.encode().ljust(16) + calling.encode().ljust(16) + bytes(32)
    body += _item(0x10, APPLICATION_CONTEXT.encode())
    for context_id, (sop_class, syntax) in contexts.items():
        proposed = _item(0x30, sop_class.encode()) + _item(0x40, syntax.encode())
        body += _item(0x20, pack(">B3x", context_id) + proposed)
    body += _item(
        0x50,
        _item(0x51, pack(">I", OWN_PDU_BYTES))
        + _item(0x52, b"2.25.311520260001")
        + _item(0x55, b"BENCH"),
    )
    return pack(">BxI", 1, len(body)) + body


def _item(kind: int, value: bytes) -> bytes:
    return pack(">BxH", kind, len(value)) + value


@dataclass(frozen=True, slots=True)
class Accepted:
    """What a receiver accepted."""

    contexts: frozenset[int]
    pdu_bytes: int
    """Its maximum length, 131072 where it has none or a larger one."""


def read_acceptance(body: bytes) -> Accepted:
    """Read what follows the length of an A-ASSOCIATE-AC (PS3.8 Section 9.3.3)."""
    items = list(_items(body, 68))
    contexts = frozenset(value[0] for kind, value in items if kind == 0x21 and value[2] == 0)
    told = [value for kind, value in items if kind == 0x50]
    lengths = [
        unpack_from(">I", v)[0] for one in told for kind, v in _items(one, 0) if kind == 0x51
    ]
    return Accepted(contexts, min(lengths[0] or LARGEST_PDU_BYTES, LARGEST_PDU_BYTES))


def _items(octets: bytes, at: int) -> list[tuple[int, bytes]]:
    items = []
    while at + 4 <= len(octets):
        kind, length = unpack_from(">BxH", octets, at)
        items.append((kind, octets[at + 4 : at + 4 + length]))
        at += 4 + length
    return items


def status_of(response: bytes) -> int:
    """Return (0000,0900) of a command set, the PDV's header before it included."""
    at = 6
    while at + 8 <= len(response):
        group, element, length = unpack_from("<HHI", response, at)
        if (group, element) == (0x0000, 0x0900):
            return int(unpack_from("<H", response, at + 8)[0])
        at += 8 + length
    raise ValueError("a response without a status")
