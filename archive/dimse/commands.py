"""DIMSE Command Sets, read and written (PS3.7 Section 6.3.1 and Annex E).

A Command Set is Implicit VR Little Endian of group 0000. Values are kept as octets: what a peer
sends is looked at only where it is used, and no odd value keeps a message from being answered.
"""

import struct
from collections.abc import Mapping

from archive.errors import MalformedMessage

COMMAND_GROUP_LENGTH = 0x0000
AFFECTED_SOP_CLASS_UID = 0x0002
COMMAND_FIELD = 0x0100
MESSAGE_ID = 0x0110
MESSAGE_ID_BEING_RESPONDED_TO = 0x0120
PRIORITY = 0x0700
COMMAND_DATA_SET_TYPE = 0x0800
STATUS = 0x0900
ERROR_COMMENT = 0x0902
AFFECTED_SOP_INSTANCE_UID = 0x1000
MOVE_ORIGINATOR_AE_TITLE = 0x1030
MOVE_ORIGINATOR_MESSAGE_ID = 0x1031

C_STORE_RQ = 0x0001
C_STORE_RSP = 0x8001
MEDIUM_PRIORITY = 0
NO_DATA_SET = 0x0101
DATA_SET_FOLLOWS = 0x0001

COMMENT_LIMIT = 64
"""Characters of an Error Comment (0000,0902), which is LO."""

LENGTH_LIMIT = 64 * 1024
"""Octets of a Command Set; real ones have a few hundred."""

_ELEMENT = struct.Struct("<HHI")


def read_command(octets: bytes) -> dict[int, bytes]:
    """Return the values of a Command Set by element number.

    Raises:
        MalformedMessage: octets that are no Command Set.
    """
    values: dict[int, bytes] = {}
    at = 0
    while at < len(octets):
        if at + _ELEMENT.size > len(octets):
            raise MalformedMessage("A Command Set is cut off.", offset=at)
        group, element, length = _ELEMENT.unpack_from(octets, at)
        at += _ELEMENT.size
        if group != 0 or at + length > len(octets):
            raise MalformedMessage("A Command Set holds something else.", offset=at)
        values[element] = octets[at : at + length]
        at += length
    return values


def coded_command(values: Mapping[int, bytes]) -> bytes:
    """Return a Command Set with its group length, elements in ascending order."""
    coded = b"".join(
        _ELEMENT.pack(0, element, len(value)) + value for element, value in sorted(values.items())
    )
    return _ELEMENT.pack(0, COMMAND_GROUP_LENGTH, 4) + struct.pack("<I", len(coded)) + coded


def number(values: Mapping[int, bytes], element: int) -> int | None:
    """Return a US value, None where there is none."""
    octets = values.get(element, b"")
    return int.from_bytes(octets[:2], "little") if len(octets) >= 2 else None  # noqa: PLR2004


def text(values: Mapping[int, bytes], element: int) -> str:
    """Return a text as sent, without the padding that makes its length even; "" for none.

    Octets beyond ASCII become what Latin-1 reads in them, so that none is lost.
    """
    return values.get(element, b"").decode("latin-1").rstrip("\0 ")


def us(value: int) -> bytes:
    """Return a number as US."""
    return struct.pack("<H", value)


def ui(value: str) -> bytes:
    """Return a UID as UI, padded with a null (PS3.5 Section 9.1)."""
    return _even(value.encode("latin-1"), b"\0")


def lo(value: str) -> bytes:
    """Return a text as LO of at most 64 characters, ASCII, padded with a space."""
    return _even(comment(value).encode(), b" ")


def comment(sentence: str) -> str:
    """Return a sentence as an Error Comment can carry it."""
    return sentence.encode("ascii", "replace").decode()[:COMMENT_LIMIT]


def _even(octets: bytes, pad: bytes) -> bytes:
    return octets + pad * (len(octets) % 2)
