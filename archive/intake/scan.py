"""What a record is: its digest and length, and what the index keeps of it.

Both read from the segment as they go, a block at a time, so that memory does not grow with the
object. :func:`read_header` is the seam for a faster scanner: it gives a Header, or raises.
"""

import hashlib
from dataclasses import dataclass

from archive.errors import DataSetUnreadable, InvalidUid
from archive.index.header import Header, Loose
from archive.intake.coding import form_of, forward
from archive.intake.elements import elements
from archive.intake.header import SOP_INSTANCE_UID, WANTED, header_of
from archive.intake.reasons import Reason, reason_of, unreadable
from archive.intake.window import opened_data_set
from archive.reader import Octets
from archive.store.part10 import data_set_offset
from archive.store.segment import Envelope, Record
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


def measure(octets: Octets, *, segment: str, record: Record) -> Measured:
    """Return the digest and length of a record's Data Set octets, read once, streaming.

    Raises:
        DataSetUnreadable: the record is not Part 10 octets as this archive writes them.
        NotFound: the segment is gone; another intake has finished it.
        StorageFailed: the disk refused.
    """
    whole = Loose(segment, record.offset, record.length, 0)
    head = Loose(segment, record.offset, min(record.length, _FILE_META_LIMIT), 0)
    offset = data_set_offset(b"".join(octets.whole(head)))
    location = Loose(segment, record.offset, record.length, offset)
    digest = hashlib.sha256()
    for chunk in octets.data_set(location):
        digest.update(chunk)
    return Measured(location, digest.digest(), whole.length - offset)


def read_header(octets: Octets, measured: Measured, envelope: Envelope) -> Header:
    """Return what the index keeps of a record, having followed every element to the end.

    Raises:
        DataSetUnreadable: with one of the reasons of :mod:`archive.intake.reasons`.
        NotFound: the segment is gone.
        StorageFailed: the disk refused.
    """
    values: dict[int, bytes] = {}
    syntax = syntax_of(envelope)
    with opened_data_set(octets, measured.location) as stream:
        source = forward(stream, length=measured.size, transfer_syntax=syntax)
        try:
            for element in elements(source, form_of(syntax), wanted=WANTED):
                if element.tag in WANTED:
                    values[element.tag] = element.value
        except DataSetUnreadable as error:
            raise _told_apart(error, values) from error
    header = header_of(values)
    _check_command(header, envelope)
    return header


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
