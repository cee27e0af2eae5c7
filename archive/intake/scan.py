"""What a record is: its digest and length, and what the index keeps of it.

Octets are read from the segment once, a chunk at a time, so that memory does not grow with the
object. The elements are found in the first chunk; where that does not show all of them, or
anything is odd, they are walked over from the segment once more.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from archive.errors import DataSetUnreadable, InvalidUid
from archive.index.header import Header, Loose
from archive.intake.coding import form_of, forward
from archive.intake.elements import VALUE_LIMIT, elements
from archive.intake.fast_scan import find_elements
from archive.intake.header import SOP_INSTANCE_UID, WANTED, header_of
from archive.intake.reasons import Reason, reason_of, unreadable
from archive.intake.window import BLOCK, opened_data_set
from archive.reader import Octets
from archive.store.part10 import data_set_offset
from archive.store.segment import Envelope
from archive.words.objects import ObjectDigest
from archive.words.uids import parse_uid

_FILE_META_LIMIT = 16 * 1024
"""Octets that our own File Meta Information never reaches: eight values of at most 1,024."""


@dataclass(frozen=True, slots=True)
class Measured:
    """Where the Data Set of a record lies, how long it is, and its digest."""

    location: Loose
    sha256: bytes
    size: int
    head: bytes | memoryview = field(default=b"", repr=False, compare=False)
    """The beginning of the Data Set, at most 1 MiB of it, where it is in memory already."""


def measure(whole: Loose, chunks: Iterable[bytes | memoryview]) -> Measured:
    """Return the digest and length of the Data Set in a body, whose octets are taken once.

    Raises:
        DataSetUnreadable: the body is not Part 10 octets as this archive writes them.
    """
    digest = _BodyDigest(whole)
    for chunk in chunks:
        digest.take(chunk)
    return digest.measured()


class _BodyDigest:
    """What a record's body is, told while its octets pass by."""

    def __init__(self, whole: Loose) -> None:
        self.whole = whole
        """Where the body lies."""
        self._begun: bytes | memoryview = b""
        self._digest = hashlib.sha256()
        self._head: memoryview | None = None

    def take(self, chunk: bytes | memoryview) -> None:
        """Take the octets that come next.

        Raises:
            DataSetUnreadable: they do not begin as Part 10 octets.
        """
        if self._head is not None:
            self._digest.update(chunk)
            return
        self._begun = b"".join((self._begun, chunk)) if self._begun else chunk
        if len(self._begun) >= min(self.whole.length, _FILE_META_LIMIT):
            self._begin()

    def measured(self) -> Measured:
        """Return what the body is; every octet of it has been taken.

        Raises:
            DataSetUnreadable: it is not Part 10 octets as this archive writes them.
        """
        head = self._begin() if self._head is None else self._head
        offset = len(self._begun) - len(head)
        return Measured(
            location=replace(self.whole, data_set_offset=offset),
            sha256=self._digest.digest(),
            size=self.whole.length - offset,
            head=head,
        )

    def _begin(self) -> memoryview:
        offset = data_set_offset(bytes(self._begun[:_FILE_META_LIMIT]))
        self._head = memoryview(self._begun)[offset:]
        self._digest.update(self._head)
        return self._head


def read_header(octets: Octets, measured: Measured, envelope: Envelope) -> Header:
    """Return what the index keeps of a record, having followed every element to the end.

    Raises:
        DataSetUnreadable: with one of the reasons of :mod:`archive.intake.reasons`.
        NotFound: the segment is gone.
        StorageFailed: the disk refused.
    """
    syntax = syntax_of(envelope)
    values = _found(octets, measured, syntax)
    header = header_of(_walked(octets, measured, syntax) if values is None else values)
    _check_command(header, envelope)
    return header


def _found(octets: Octets, measured: Measured, syntax: str) -> dict[int, bytes] | None:
    """Return the values of wanted elements of an ordinary Data Set, None of any other."""
    head = measured.head or _read_head(octets, measured)
    elements = find_elements(head, size=measured.size, transfer_syntax=syntax)
    if elements is None:
        return None
    wanted = [found for found in elements.found if found[0] in WANTED]
    if any(length > VALUE_LIMIT or end > len(head) for _, _, length, _, end in wanted):
        return None
    return {tag: bytes(head[value_at:end]) for tag, _, _, value_at, end in wanted}


def _read_head(octets: Octets, measured: Measured) -> bytes:
    whole = measured.location
    length = min(measured.size, BLOCK)
    head = replace(whole, offset=whole.offset + whole.data_set_offset, length=length)
    return b"".join(octets.whole(head))


def _walked(octets: Octets, measured: Measured, syntax: str) -> dict[int, bytes]:
    values: dict[int, bytes] = {}
    with opened_data_set(octets, measured.location) as stream:
        source = forward(stream, length=measured.size, transfer_syntax=syntax)
        try:
            for element in elements(source, form_of(syntax), wanted=WANTED):
                if element.tag in WANTED:
                    values[element.tag] = element.value
        except DataSetUnreadable as error:
            raise _told_apart(error, values) from error
    return values


def digest_of(measured: Measured, envelope: Envelope) -> ObjectDigest:
    """Return the digest with the transfer syntax that was accepted."""
    return ObjectDigest(transfer_syntax=syntax_of(envelope), sha256=measured.sha256)


def syntax_of(envelope: Envelope) -> str:
    """Return the transfer syntax that was accepted.

    Raises:
        DataSetUnreadable: it is no UID; nothing says how the octets are coded.
    """
    try:
        return parse_uid(envelope.transfer_syntax)
    except InvalidUid as error:
        raise unreadable(Reason.BROKEN_CODING, "The transfer syntax is no UID.") from error


def _told_apart(error: DataSetUnreadable, values: dict[int, bytes]) -> DataSetUnreadable:
    """Call only that truncated which began as a Data Set; else chance made a long length."""
    if reason_of(error) is Reason.TRUNCATED and SOP_INSTANCE_UID not in values:
        return unreadable(Reason.BROKEN_CODING, "The octets are not elements of a Data Set.")
    return error


def _check_command(header: Header, envelope: Envelope) -> None:
    said = (envelope.sop_class_uid, envelope.sop_instance_uid)
    if tuple(text.strip("\0 ") for text in said) != (header.SOPClassUID, header.SOPInstanceUID):
        raise unreadable(
            Reason.UID_UNLIKE_COMMAND, "The Data Set's UIDs are not those of the command."
        )
