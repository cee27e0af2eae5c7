"""Association requests as pynetdicom can read them: it stumbles over what PS3.8 lets be ignored.

Items of an unknown type are left out, and of the protocol versions only the first counts (PS3.8
Section 9.3.2: further bits are not tested, and unrecognized items ignored).
"""

import struct
from collections.abc import Container

from archive.errors import MalformedMessage

_ITEM = struct.Struct(">BxH")
_HEAD = 6
_FIXED = 74
"""Octets before the variable items (PS3.8 Table 9-11)."""
_VERSION = slice(6, 8)
_FIRST_VERSION = 0x0001
_ITEMS = frozenset({0x10, 0x20, 0x50})
"""Application context, presentation context, user information."""
_USER_INFORMATION = 0x50
_USER_ITEMS = frozenset(range(0x51, 0x5A))
"""Maximum length to user identity (PS3.8 Annex D, PS3.7 Annex D.3.3)."""


def readable(pdu: bytes) -> bytes:
    """Return the octets of an A-ASSOCIATE-RQ without what is to be ignored.

    One whose items do not fit their lengths is returned as it is.

    Raises:
        MalformedMessage: it ends before its items begin.
    """
    if len(pdu) < _FIXED:
        raise MalformedMessage("An association request is too short.", octets=len(pdu))
    items = _known(pdu[_FIXED:], _ITEMS)
    if items is None:
        return pdu
    octets = b"".join(_item(kind, value) for kind, value in items)
    head = bytearray(pdu[:_FIXED])
    version = int.from_bytes(pdu[_VERSION], "big")
    head[_VERSION] = (_FIRST_VERSION if version & _FIRST_VERSION else version).to_bytes(2, "big")
    head[2:_HEAD] = (len(head) + len(octets) - _HEAD).to_bytes(4, "big")
    return bytes(head) + octets


def _item(kind: int, value: bytes) -> bytes:
    if kind == _USER_INFORMATION:
        inner = _known(value, _USER_ITEMS)
        if inner is not None:
            value = b"".join(_ITEM.pack(type_, len(octets)) + octets for type_, octets in inner)
    return _ITEM.pack(kind, len(value)) + value


def _known(octets: bytes, kinds: Container[int]) -> list[tuple[int, bytes]] | None:
    """Return the items of these types; None where lengths do not fit."""
    items, at = [], 0
    while at < len(octets):
        if at + _ITEM.size > len(octets):
            return None
        kind, length = _ITEM.unpack_from(octets, at)
        at += _ITEM.size
        if at + length > len(octets):
            return None
        if kind in kinds:
            items.append((kind, octets[at : at + length]))
        at += length
    return items
