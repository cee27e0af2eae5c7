"""What a modality puts on the wire: UIDs for the command, and Data Set octets as they lie."""

import io
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, Self

from deploy.demo.upper_layer import PresentationContext

PREAMBLE_LENGTH = 128
PREFIX = b"DICM"
FIRST_GROUPS = (b"\x02\x00", b"\x08\x00")
"""What a file begins with that has no preamble."""

META_GROUP = b"\x02\x00"

MEDIA_STORAGE_SOP_CLASS_UID = 0x0002
MEDIA_STORAGE_SOP_INSTANCE_UID = 0x0003
TRANSFER_SYNTAX_UID = 0x0010

LONG_FORM = frozenset({b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC"}) | frozenset(
    {b"UN", b"UR", b"UT", b"UV"}
)
"""Value representations with a length of four octets (PS3.5 Section 7.1.2)."""

ELEMENT_HEADER_LENGTH = 8
"""Tag, value representation and a length of two octets, or a reserved field in the long form."""

LONGEST_META_VALUE = 1_048_576


class NotSendable(ValueError):
    """A file does not say what the command and the presentation context need."""


@dataclass(frozen=True, slots=True)
class RestOfFile:
    """The octets of a file from ``offset`` to its end."""

    path: Path
    offset: int


@dataclass(frozen=True, slots=True)
class FileMeta:
    """What a File Meta Information says (PS3.10 Section 7.1); "" for what it leaves out."""

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax: str
    end: int
    """Offset at which the Data Set begins."""


@dataclass(frozen=True, slots=True)
class WireObject:
    """One object to store: the two UIDs of the command, the syntax, and the Data Set octets.

    Nothing is compared with what the Data Set itself says, so that odd and contradictory objects
    can be made: with the constructor, with ``dataclasses.replace``, with ``truncated``.
    """

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax: str
    data_set: bytes | RestOfFile

    @property
    def context(self) -> PresentationContext:
        """The presentation context that this object needs."""
        return PresentationContext(self.sop_class_uid, self.transfer_syntax)

    @classmethod
    def from_file(
        cls,
        path: Path,
        *,
        sop_class_uid: str = "",
        sop_instance_uid: str = "",
        transfer_syntax: str = "",
    ) -> Self:
        """Take the Data Set octets of a file, and from its File Meta what is not given here.

        A file without preamble is taken from its first octet on; one without group 0002 is all
        Data Set. The octets are read when they are sent.

        Raises:
            NotSendable: a UID or the syntax is neither given nor in the File Meta, or the File
                Meta is broken.
            OSError: the file cannot be read.
        """
        with path.open("rb") as stream:
            meta = read_file_meta(stream)
        return cls(
            sop_class_uid=_known(sop_class_uid or meta.sop_class_uid, "SOP Class UID"),
            sop_instance_uid=_known(sop_instance_uid or meta.sop_instance_uid, "SOP Instance UID"),
            transfer_syntax=_known(transfer_syntax or meta.transfer_syntax, "Transfer Syntax UID"),
            data_set=RestOfFile(path=path, offset=meta.end),
        )

    @classmethod
    def from_part10(cls, octets: bytes) -> Self:
        """Take the Data Set octets of a Part 10 file in memory, and all else from its File Meta.

        Raises:
            NotSendable: the File Meta is broken or leaves out a UID or the syntax.
        """
        meta = read_file_meta(io.BytesIO(octets))
        return cls(
            sop_class_uid=_known(meta.sop_class_uid, "SOP Class UID"),
            sop_instance_uid=_known(meta.sop_instance_uid, "SOP Instance UID"),
            transfer_syntax=_known(meta.transfer_syntax, "Transfer Syntax UID"),
            data_set=octets[meta.end :],
        )

    def truncated(self, length: int) -> Self:
        """Return the same object with only the first ``length`` octets of its Data Set."""
        with self.opened() as stream:
            return replace(self, data_set=stream.read(length))

    @contextmanager
    def opened(self) -> Iterator[BinaryIO]:
        """Give a stream that stands at the first octet of the Data Set."""
        if isinstance(self.data_set, bytes):
            yield io.BytesIO(self.data_set)
            return
        with self.data_set.path.open("rb") as stream:
            stream.seek(self.data_set.offset)
            yield stream


def read_file_meta(stream: BinaryIO) -> FileMeta:
    """Read group 0002 from the start of a file, with or without preamble (PS3.10 Section 7.1).

    The group length element is not believed: the group ends where another begins.

    Raises:
        NotSendable: an element of the group is cut short or absurdly long.
    """
    position = _start_of_meta(stream)
    values: dict[int, str] = {}
    while (element := _meta_element(stream, position)) is not None:
        number, value, position = element
        values[number] = value.rstrip(b"\0 ").decode("latin-1")
    return FileMeta(
        sop_class_uid=values.get(MEDIA_STORAGE_SOP_CLASS_UID, ""),
        sop_instance_uid=values.get(MEDIA_STORAGE_SOP_INSTANCE_UID, ""),
        transfer_syntax=values.get(TRANSFER_SYNTAX_UID, ""),
        end=position,
    )


def _start_of_meta(stream: BinaryIO) -> int:
    """Return 132, or 0 where there is no preamble although DICM may stand at 128 by chance."""
    start = PREAMBLE_LENGTH + len(PREFIX)
    head = stream.read(start)
    return start if head[PREAMBLE_LENGTH:] == PREFIX and not head.startswith(FIRST_GROUPS) else 0


def _meta_element(stream: BinaryIO, position: int) -> tuple[int, bytes, int] | None:
    """Return number, value and end of the group 0002 element at ``position``, None past them."""
    stream.seek(position)
    header = stream.read(ELEMENT_HEADER_LENGTH)
    if len(header) < ELEMENT_HEADER_LENGTH or header[:2] != META_GROUP:
        return None
    length = int.from_bytes(header[6:8], "little")
    if header[4:6] in LONG_FORM:
        length = int.from_bytes(stream.read(4), "little")
    value = stream.read(length) if length <= LONGEST_META_VALUE else b""
    if len(value) < length:
        raise NotSendable("The File Meta Information is cut short.")
    number: int = struct.unpack_from("<H", header, 2)[0]
    return number, value, stream.tell()


def _known(value: str, name: str) -> str:
    if not value:
        raise NotSendable(f"The file has no {name} in its File Meta, and none was given.")
    return value
