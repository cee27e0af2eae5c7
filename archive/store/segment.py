r"""The octets of a spool segment: what one association or MLLP connection leaves on the disk.

A segment is a file ``NAME.open`` while it is written, ``NAME.ready`` when it may be read. NAME is
16 hexadecimal digits of the time of creation (milliseconds since 1970, UTC) and 16 of chance, so
that names sort by age and hold no text of a peer. All numbers are little endian.

Head of the segment, 32 octets:

| at | octets | what                                                                        |
| -- | ------ | --------------------------------------------------------------------------- |
| 0  | 8      | ``RISSEG1\n``: the format of everything in the file                          |
| 8  | 8      | time of creation, as in the name                                            |
| 16 | 8      | chance, as in the name                                                      |
| 24 | 4      | zero                                                                        |
| 28 | 4      | CRC-32 of octets 0 to 27: the seed of every record's header checksum        |

Then records, one behind the other. Header, 28 octets and the envelope:

| at | octets | what                                                                        |
| -- | ------ | --------------------------------------------------------------------------- |
| 0  | 4      | ``RREC``                                                                    |
| 4  | 1      | version, 1                                                                  |
| 5  | 1      | kind: 1 DICOM, 2 HL7, 3 storage commitment                                  |
| 6  | 2      | zero                                                                        |
| 8  | 4      | length of the envelope                                                      |
| 12 | 8      | length of the body                                                          |
| 20 | 4      | sequence: 1 for the first record of the segment, then one more each         |
| 24 | 4      | CRC-32 of octets 0 to 23 and the envelope, seeded with the segment's        |
| 28 |        | envelope: canonical JSON (RFC 8785), see :class:`Envelope`                  |

Body: the Part 10 octets of an instance, or a message as it came. Trailer, 16 octets:

| at | octets | what                                                                        |
| -- | ------ | --------------------------------------------------------------------------- |
| 0  | 4      | CRC-32 of the body                                                          |
| 4  | 4      | sequence, again                                                             |
| 8  | 8      | ``RCOMMIT\n``                                                                |

The seed ties a record to its segment: what an earlier file left in the same disk blocks never
verifies here. A later format, or another kind of record, has another first line in the head;
software that does not know it leaves the file alone.
"""

import os
import re
import struct
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import BinaryIO

from archive.clock import from_milliseconds, milliseconds
from archive.errors import PackMalformed, TornRecord
from archive.store.canonical import Fields, decode, encode
from archive.store.disk import Octets
from archive.store.part10 import TEXT_LIMIT

MAGIC = b"RISSEG1\n"
MAGIC_FAMILY = b"RISSEG"
"""How a segment of any format begins."""

_HEAD = struct.Struct("<8sQQI")
_RECORD = struct.Struct("<4sBBHIQI")
_TRAILER = struct.Struct("<II8s")
_CRC = struct.Struct("<I")

RECORD_MAGIC = b"RREC"
_VERSION = 1
_COMMIT = b"RCOMMIT\n"

HEAD_LENGTH = _HEAD.size + _CRC.size
HEADER_LENGTH = _RECORD.size + _CRC.size
ENVELOPE_LIMIT = 64 * 1024
"""Octets of an envelope; nine texts of 1,024 characters stay below it even when escaped."""

CHUNK = 1024 * 1024

_NAME = re.compile(r"[0-9a-f]{32}")


class RecordKind(IntEnum):
    """What a record's body is."""

    DICOM = 1
    """Part 10 octets of one instance."""
    HL7 = 2
    """One HL7 v2 message as it came, without MLLP framing."""
    COMMITMENT = 3
    """The Action Information of a request for storage commitment (PS3.4 Section J.3.2)."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """How a body arrived. Texts are as the peer sent them, unchecked.

    In a segment they are cut at 1,024 characters, what is not Unicode becomes ``?``, and times
    keep whole milliseconds.
    """

    association: str
    """Names the association or connection within this tier's logs; ours."""
    context_id: int
    """Presentation context (PS3.8 Section 9.3.2.2); 0 for HL7."""
    calling_ae: str
    called_ae: str
    peer: str
    """Address and port."""
    arrived_at: datetime
    transfer_syntax: str
    """The accepted one; a media type for HL7."""
    sop_class_uid: str
    """Affected SOP Class UID of the command; empty for HL7."""
    sop_instance_uid: str
    """Affected SOP Instance UID of the command; MSH-10 for HL7."""

    def encoded(self) -> bytes:
        """Return canonical JSON of at most 64 KiB."""
        fields: dict[str, object] = {name: _clean(getattr(self, name)) for name in _TEXTS}
        return encode(
            {
                **fields,
                "arrived_ms": milliseconds(self.arrived_at),
                "context_id": self.context_id,
            }
        )

    @classmethod
    def decoded(cls, octets: bytes) -> "Envelope":
        """Return the envelope of a record.

        Raises:
            PackMalformed: not an envelope.
        """
        fields = Fields(decode(octets), *_TEXTS, "arrived_ms", "context_id")
        return cls(
            context_id=fields.number("context_id"),
            arrived_at=from_milliseconds(fields.number("arrived_ms")),
            **{name: fields.text(name) for name in _TEXTS},
        )


_TEXTS = (
    "association",
    "called_ae",
    "calling_ae",
    "peer",
    "sop_class_uid",
    "sop_instance_uid",
    "transfer_syntax",
)


def _clean(text: str) -> str:
    return text[:TEXT_LIMIT].encode("utf-8", "replace").decode()


@dataclass(frozen=True, slots=True)
class Record:
    """One verified record of a segment."""

    kind: RecordKind
    envelope: Envelope
    offset: int
    """Where the body begins in the segment."""
    length: int
    """Octets of the body."""
    sequence: int

    @property
    def end(self) -> int:
        """Where the next record begins."""
        return self.offset + self.length + _TRAILER.size


def segment_name(*, created_ms: int, chance: int) -> str:
    """Return the name of a segment; ``chance`` has 64 bits."""
    return f"{created_ms:016x}{chance:016x}"


def is_segment_name(name: str) -> bool:
    """Tell whether a segment could have this name."""
    return _NAME.fullmatch(name) is not None


def segment_head(name: str) -> bytes:
    """Return the 32 octets that a segment of this name begins with."""
    fields = _HEAD.pack(MAGIC, int(name[:16], 16), int(name[16:], 16), 0)
    return fields + _CRC.pack(zlib.crc32(fields))


def record_parts(
    *, name: str, sequence: int, kind: RecordKind, envelope: bytes, body: Sequence[Octets]
) -> list[Octets]:
    """Return the octets of one record of the segment ``name``; the body's parts are not copied."""
    length = sum(len(part) for part in body)
    header = record_header(
        name=name, sequence=sequence, kind=kind, envelope=envelope, body_length=length
    )
    checksum = 0
    for part in body:
        checksum = zlib.crc32(part, checksum)
    return [header, *body, record_trailer(checksum=checksum, sequence=sequence)]


def record_header(
    *, name: str, sequence: int, kind: RecordKind, envelope: bytes, body_length: int
) -> bytes:
    """Return what stands before a record's body."""
    fields = _RECORD.pack(RECORD_MAGIC, _VERSION, kind, 0, len(envelope), body_length, sequence)
    return fields + _CRC.pack(_header_crc(name, fields, envelope)) + envelope


def record_trailer(*, checksum: int, sequence: int) -> bytes:
    """Return what stands behind a body with this CRC-32."""
    return _TRAILER.pack(checksum, sequence, _COMMIT)


def _header_crc(name: str, fields: bytes, envelope: bytes) -> int:
    seed = _CRC.unpack(segment_head(name)[-_CRC.size :])[0]
    return zlib.crc32(envelope, zlib.crc32(fields, seed))


def head_verifies(file: BinaryIO, name: str) -> bool:
    """Tell whether the segment begins as one of its name does."""
    return os.pread(file.fileno(), HEAD_LENGTH, 0) == segment_head(name)


def read_header(file: BinaryIO, name: str, at: int) -> Record:
    """Return what the header at ``at`` promises; the body is not looked at.

    Raises:
        TornRecord: the header or the envelope does not verify.
    """
    return header_at(lambda place, length: _exactly(file, place, length, start=at), name, at)


def header_at(exactly: Callable[[int, int], bytes], name: str, at: int) -> Record:
    """Return what the header at ``at`` promises, read by a function of place and length.

    Raises:
        TornRecord: the header or the envelope does not verify.
    """
    header = exactly(at, HEADER_LENGTH)
    fields = header[: _RECORD.size]
    magic, version, kind, _, envelope_length, length, sequence = _RECORD.unpack(fields)
    if magic != RECORD_MAGIC or version != _VERSION or envelope_length > ENVELOPE_LIMIT:
        raise TornRecord("There is no record's header.", segment=name, offset=at)
    envelope = exactly(at + HEADER_LENGTH, envelope_length)
    if header[_RECORD.size :] != _CRC.pack(_header_crc(name, fields, envelope)):
        raise TornRecord("A record's header does not verify.", segment=name, offset=at)
    try:
        said = Envelope.decoded(envelope)
        known = RecordKind(kind)
    except (PackMalformed, ValueError) as error:
        raise TornRecord("A record's envelope is not ours.", segment=name, offset=at) from error
    offset = at + HEADER_LENGTH + envelope_length
    return Record(kind=known, envelope=said, offset=offset, length=length, sequence=sequence)


def _exactly(file: BinaryIO, at: int, length: int, *, start: int) -> bytes:
    octets = os.pread(file.fileno(), length, at)
    if len(octets) != length:
        raise TornRecord("The segment ends inside a record.", offset=start)
    return octets
