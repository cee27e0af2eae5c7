"""The DICOM File Format around a Data Set (PS3.10 Section 7): ours is written on arrival.

| octets            | what                                                                     |
| ----------------- | ------------------------------------------------------------------------ |
| 0 to 127          | preamble, zeros                                                          |
| 128 to 131        | ``DICM``                                                                 |
| (0002,0000) UL    | length of the group behind this element                                  |
| (0002,0001) OB    | version, ``00 01``                                                       |
| (0002,0002) UI    | Media Storage SOP Class UID, as the command said                         |
| (0002,0003) UI    | Media Storage SOP Instance UID, as the command said                      |
| (0002,0010) UI    | Transfer Syntax UID that was accepted                                    |
| (0002,0012) UI    | our Implementation Class UID                                             |
| (0002,0013) SH    | our Implementation Version Name                                          |
| (0002,0016) AE    | Source Application Entity Title: the calling AE; left out when empty     |
| (0002,0018) AE    | Receiving Application Entity Title: the called AE; left out when empty   |

All Explicit VR Little Endian (PS3.10 Section 7.1). The Data Set follows: exactly the octets that
arrived. The digest of an object begins there and never covers what is above.
"""

import struct

from archive.errors import DataSetUnreadable
from archive.words.uids import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME

PREAMBLE_LENGTH = 128
_MAGIC = b"DICM"
_META_START = PREAMBLE_LENGTH + len(_MAGIC)

TEXT_LIMIT = 1024
"""What a peer's text is cut to: more than any valid value, less than harm."""

_GROUP = 0x0002
_SHORT = struct.Struct("<HH2sH")
_LONG = struct.Struct("<HH2sHI")
_LONG_VRS = frozenset(
    (b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV")
)
"""VRs with two reserved octets and a length of four (PS3.5 Table 7.1-1)."""


def file_meta(
    *,
    sop_class_uid: str,
    sop_instance_uid: str,
    transfer_syntax: str,
    calling_ae: str,
    called_ae: str,
) -> bytes:
    """Return preamble, prefix and group 0002 for an object as it arrived (PS3.10 Section 7.1).

    Texts are written as the peer sent them, unchecked: beyond ASCII as ``?``, cut at 1,024.
    """
    group = b"".join(
        (
            _LONG.pack(_GROUP, 0x0001, b"OB", 0, 2) + b"\0\1",
            _element(0x0002, b"UI", sop_class_uid, pad=b"\0"),
            _element(0x0003, b"UI", sop_instance_uid, pad=b"\0"),
            _element(0x0010, b"UI", transfer_syntax, pad=b"\0"),
            _element(0x0012, b"UI", IMPLEMENTATION_CLASS_UID, pad=b"\0"),
            _element(0x0013, b"SH", IMPLEMENTATION_VERSION_NAME, pad=b" "),
            _element(0x0016, b"AE", calling_ae, pad=b" ") if calling_ae else b"",
            _element(0x0018, b"AE", called_ae, pad=b" ") if called_ae else b"",
        )
    )
    length = _SHORT.pack(_GROUP, 0x0000, b"UL", 4) + struct.pack("<I", len(group))
    return bytes(PREAMBLE_LENGTH) + _MAGIC + length + group


def _element(element: int, vr: bytes, text: str, *, pad: bytes) -> bytes:
    value = text.encode("ascii", "replace")[:TEXT_LIMIT]
    value += pad * (len(value) % 2)
    return _SHORT.pack(_GROUP, element, vr, len(value)) + value


def data_set_offset(head: bytes) -> int:
    """Return where the Data Set begins in Part 10 octets.

    ``head`` is their beginning, with all of group 0002 and either the 8 octets behind it or the
    end of the file. The elements are walked: (0002,0000) is wrong in files of some senders.

    Raises:
        DataSetUnreadable: no preamble and prefix, or group 0002 is torn or longer than ``head``.
    """
    if head[PREAMBLE_LENGTH:_META_START] != _MAGIC:
        raise DataSetUnreadable("The file has no DICM prefix (PS3.10 Section 7.1).")
    at = _META_START
    while (length := _meta_element_length(head, at)) is not None:
        at += length
        if at > len(head):
            raise DataSetUnreadable("The File Meta Information is torn.", offset=at)
    if at == _META_START:
        raise DataSetUnreadable("The file has no File Meta Information.")
    return at


def _meta_element_length(head: bytes, at: int) -> int | None:
    if len(head) - at < _SHORT.size:
        return None
    group, _, vr, length = _SHORT.unpack_from(head, at)
    if group != _GROUP or not vr.isalpha() or not vr.isupper():
        return None
    if vr not in _LONG_VRS:
        return _SHORT.size + int(length)
    if len(head) - at < _LONG.size:
        raise DataSetUnreadable("The File Meta Information is torn.", offset=at)
    long_length: int = _LONG.unpack_from(head, at)[4]
    return _LONG.size + long_length
