"""PDUs, presentation data values and messages as octets, legal or not (PS3.7, PS3.8 9.3)."""

import random
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

from deploy.demo.command_set import (
    CommandElement,
    CommandField,
    DataSetType,
    command_set,
    number_element,
    uid_element,
)

IMPLICIT = "1.2.840.10008.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
JPEG_LOSSLESS = "1.2.840.10008.1.2.4.70"
VERIFICATION = "1.2.840.10008.1.1"
CT = "1.2.840.10008.5.1.4.1.1.2"
MR = "1.2.840.10008.5.1.4.1.1.4"
STUDY_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.2.1"
WORKLIST = "1.2.840.10008.5.1.4.31"

ECHO, CT_EXPLICIT, CT_IMPLICIT, MR_EXPLICIT, CT_JPEG, FIND, NOT_ACCEPTED = 1, 3, 5, 7, 9, 11, 13
NEVER_PROPOSED = 99

CONTEXTS: Mapping[int, tuple[str, tuple[str, ...]]] = {
    ECHO: (VERIFICATION, (IMPLICIT,)),
    CT_EXPLICIT: (CT, (EXPLICIT,)),
    CT_IMPLICIT: (CT, (IMPLICIT,)),
    MR_EXPLICIT: (MR, (EXPLICIT,)),
    CT_JPEG: (CT, (JPEG_LOSSLESS,)),
    FIND: (STUDY_ROOT_FIND, (IMPLICIT,)),
    NOT_ACCEPTED: (WORKLIST, (IMPLICIT,)),
}
"""What the scripted peer proposes: abstract syntax and transfer syntaxes by identifier."""

STORING = (CT_EXPLICIT, CT_IMPLICIT, MR_EXPLICIT, CT_JPEG)

LIMIT = 131_072
"""Octets of a P-DATA-TF that the door says it takes (docs/conformance.md)."""

APPLICATION_CONTEXT = "1.2.840.10008.3.1.1.1"
OWN_MAXIMUM_LENGTH = 65_536
PDU_HEADER_LENGTH = 6
PDV_OVERHEAD = 6


class PduType(IntEnum):
    """The first octet of a PDU (PS3.8 Section 9.3.1)."""

    ASSOCIATE_RQ = 0x01
    ASSOCIATE_AC = 0x02
    ASSOCIATE_RJ = 0x03
    P_DATA_TF = 0x04
    RELEASE_RQ = 0x05
    RELEASE_RP = 0x06
    ABORT = 0x07


@dataclass(frozen=True, slots=True)
class Pdv:
    """One presentation data value (PS3.8 Section 9.3.5.1 and Annex E.2)."""

    context_id: int
    fragment: bytes
    command: bool
    last: bool

    @property
    def control(self) -> int:
        """The message control header."""
        return self.command | self.last << 1

    def encoded(self) -> bytes:
        """Return the item: length, context, message control header, fragment."""
        length = len(self.fragment) + 2
        return struct.pack(">IBB", length, self.context_id, self.control) + self.fragment

    def __len__(self) -> int:
        return PDV_OVERHEAD + len(self.fragment)


@dataclass(frozen=True, slots=True)
class Message:
    """A Command Set and the Data Set behind it; None where none follows."""

    context_id: int
    command: bytes
    data_set: bytes | None = None

    def fragments(self, length: int) -> Iterator[Pdv]:
        """Give the message in fragments of at most ``length`` octets; an empty part has one."""
        for part, command in ((self.command, True), (self.data_set, False)):
            if part is not None:
                for start in range(0, len(part) or 1, length):
                    last = start + length >= len(part)
                    yield Pdv(self.context_id, part[start : start + length], command, last)


def pdu(kind: int, body: bytes, *, length: int | None = None) -> bytes:
    """Return a PDU; ``length`` is what it says of itself where that is not the truth."""
    return struct.pack(">BxI", kind, len(body) if length is None else length) + body


def p_data(*values: Pdv) -> bytes:
    """Return one P-DATA-TF with these presentation data values."""
    return pdu(PduType.P_DATA_TF, b"".join(value.encoded() for value in values))


def plain(message: Message) -> bytes:
    """Return a message as most senders cut it: 16 KiB at most, one value a PDU."""
    return b"".join(map(p_data, message.fragments(16 * 1024)))


def in_pdus(values: Iterable[Pdv], *, limit: int) -> Iterator[bytes]:
    """Give the values in as few PDUs of at most ``limit`` octets as keep their order."""
    gathered: list[Pdv] = []
    for value in values:
        if gathered and sum(map(len, gathered)) + len(value) > limit:
            yield p_data(*gathered)
            gathered = []
        gathered.append(value)
    if gathered:
        yield p_data(*gathered)


def release() -> bytes:
    """Return an A-RELEASE-RQ (PS3.8 Section 9.3.6)."""
    return pdu(PduType.RELEASE_RQ, bytes(4))


def abort() -> bytes:
    """Return an A-ABORT of the service-user (PS3.8 Section 9.3.8)."""
    return pdu(PduType.ABORT, bytes(4))


def item(kind: int, value: bytes) -> bytes:
    """Return an item or sub-item of an A-ASSOCIATE PDU."""
    return struct.pack(">BxH", kind, len(value)) + value


def association_request(
    *,
    calling: str = "CT1",
    called: str = "RXA",
    contexts: Mapping[int, tuple[str, Sequence[str]]] = CONTEXTS,
    maximum_length: int = OWN_MAXIMUM_LENGTH,
    version: int = 1,
    application_context: str = APPLICATION_CONTEXT,
) -> bytes:
    """Return an A-ASSOCIATE-RQ (PS3.8 Section 9.3.2)."""
    titles = called.encode().ljust(16) + calling.encode().ljust(16)
    items = item(0x10, application_context.encode())
    for context_id, (abstract, transfer) in contexts.items():
        proposal = struct.pack(">B3x", context_id) + item(0x30, abstract.encode())
        items += item(0x20, proposal + b"".join(item(0x40, uid.encode()) for uid in transfer))
    user = item(0x51, struct.pack(">I", maximum_length)) + item(0x52, b"2.25.1")
    fixed = struct.pack(">HH", version, 0) + titles + bytes(32)
    return pdu(PduType.ASSOCIATE_RQ, fixed + items + item(0x50, user))


def association_answer() -> bytes:
    """Return an A-ASSOCIATE-AC, which no acceptor may be sent (PS3.8 Section 9.3.3)."""
    fixed = struct.pack(">HH", 1, 0) + b"RXA".ljust(16) + b"CT1".ljust(16) + bytes(32)
    user = item(0x51, struct.pack(">I", OWN_MAXIMUM_LENGTH)) + item(0x52, b"2.25.1")
    accepted = item(0x21, struct.pack(">B3x", ECHO) + item(0x40, IMPLICIT.encode()))
    items = item(0x10, APPLICATION_CONTEXT.encode()) + accepted + item(0x50, user)
    return pdu(PduType.ASSOCIATE_AC, fixed + items)


def association_rejection() -> bytes:
    """Return an A-ASSOCIATE-RJ, which no acceptor may be sent (PS3.8 Section 9.3.4)."""
    return pdu(PduType.ASSOCIATE_RJ, b"\0\1\1\1")


def echo(message_id: int) -> Message:
    """Return a C-ECHO request."""
    command = command_set(
        uid_element(CommandElement.AFFECTED_SOP_CLASS_UID, VERIFICATION),
        number_element(CommandElement.COMMAND_FIELD, CommandField.C_ECHO_RQ),
        number_element(CommandElement.MESSAGE_ID, message_id),
        number_element(CommandElement.COMMAND_DATA_SET_TYPE, DataSetType.NONE),
    )
    return Message(ECHO, command)


def store(
    uid: str, message_id: int, data_set: bytes | None, *, context_id: int = CT_EXPLICIT
) -> Message:
    """Return a C-STORE request; without a Data Set it says so (0101H)."""
    command = command_set(*store_elements(uid, message_id, data_set, context_id=context_id))
    return Message(context_id, command, data_set)


def store_elements(
    uid: str, message_id: int, data_set: bytes | None, *, context_id: int = CT_EXPLICIT
) -> list[bytes]:
    """Return the elements of a C-STORE request without the group length (PS3.7 9.3.1.1)."""
    follows = DataSetType.NONE if data_set is None else DataSetType.PRESENT
    return [
        uid_element(CommandElement.AFFECTED_SOP_CLASS_UID, CONTEXTS[context_id][0]),
        number_element(CommandElement.COMMAND_FIELD, CommandField.C_STORE_RQ),
        number_element(CommandElement.MESSAGE_ID, message_id),
        number_element(CommandElement.PRIORITY, 0),
        number_element(CommandElement.COMMAND_DATA_SET_TYPE, follows),
        uid_element(CommandElement.AFFECTED_SOP_INSTANCE_UID, uid),
    ]


def find(message_id: int) -> Message:
    """Return a C-FIND request for every study (PS3.7 Section 9.3.2.1)."""
    command = command_set(
        uid_element(CommandElement.AFFECTED_SOP_CLASS_UID, STUDY_ROOT_FIND),
        number_element(CommandElement.COMMAND_FIELD, CommandField.C_FIND_RQ),
        number_element(CommandElement.MESSAGE_ID, message_id),
        number_element(CommandElement.PRIORITY, 0),
        number_element(CommandElement.COMMAND_DATA_SET_TYPE, DataSetType.PRESENT),
    )
    level, study = struct.pack("<HHI", 0x0008, 0x0052, 6), struct.pack("<HHI", 0x0020, 0x000D, 0)
    return Message(FIND, command, level + b"STUDY " + study)


def element(number: int, value: bytes) -> bytes:
    """Return an element of a Command Set with its value exactly as given."""
    return struct.pack("<HHI", 0, number, len(value)) + value


def noise(seed: int, length: int) -> bytes:
    """Return octets that look like nothing and are the same each time."""
    return random.Random(seed).randbytes(length)
