"""What building and verifying a pack share: names and order in the tar, and a member's digests.

Names and order are part of the format. Instances lie in the order of their instance numbers as
whole numbers; those without one come last; equal ones lie in the manifest's order. The name counts
positions from 1 in six digits and ends by what the member is:

| kind          | media type                                            | name                     |
| ------------- | ----------------------------------------------------- | ------------------------ |
| ``series``    |                                                       | ``instances/000001.dcm`` |
| ``documents`` | ``x-application/hl7-v2+er7``                          | ``documents/000001.hl7`` |
|               | ``application/pdf``                                   | ``documents/000001.pdf`` |
|               | ``text/xml``, ``application/xml``                     | ``documents/000001.xml`` |
|               | ``application/fhir+json``                             | ``documents/000001.json``|
|               | any other                                             | ``documents/000001.bin`` |
"""

import hashlib
import re
from collections.abc import Iterable, Iterator

from archive.errors import DataSetUnreadable, DigestMismatch, PackMalformed
from archive.store.layout import VERBATIM, Placement
from archive.store.manifest import Manifest, Member, PackKind
from archive.store.part10 import data_set_offset

MANIFEST = "manifest.json"
METADATA = "metadata.json.gz"
ORIGIN = "origin.json"
LAYOUT = "layout.json"

HEAD_LENGTH = 64 * 1024
"""More than any File Meta Information that we write."""

_WHOLE_NUMBER = re.compile(r"[+-]?[0-9]{1,18}")
_ENDINGS = {
    "x-application/hl7-v2+er7": "hl7",
    "application/pdf": "pdf",
    "text/xml": "xml",
    "application/xml": "xml",
    "application/fhir+json": "json",
}


def tar_order(manifest: Manifest) -> list[tuple[str, int]]:
    """Return name and index in the manifest of every member, in the order of the tar."""
    members = manifest.members
    order = sorted(range(len(members)), key=lambda index: _number(members[index]))
    return [
        (_name(manifest.kind, position, members[index]), index)
        for position, index in enumerate(order, start=1)
    ]


def _number(member: Member) -> tuple[bool, int]:
    if _WHOLE_NUMBER.fullmatch(member.instance_number):
        return False, int(member.instance_number)
    return True, 0


def _name(kind: PackKind, position: int, member: Member) -> str:
    if kind is PackKind.SERIES:
        return f"instances/{position:06}.dcm"
    return f"documents/{position:06}.{_ENDINGS.get(member.transfer_syntax, 'bin')}"


def headed(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the same octets, the first chunk with all of the File Meta Information."""
    rest = iter(chunks)
    head = b""
    for chunk in rest:
        head += chunk
        if len(head) >= HEAD_LENGTH:
            break
    yield head
    yield from rest


class MemberDigest:
    """Follows one member's octets and tells whether they are what the manifest lists."""

    def __init__(self, kind: PackKind, member: Member, *, offset: int) -> None:
        self._kind = kind
        self._member = member
        self._offset = offset
        self._length = 0
        self._head = b""
        self._data_set = hashlib.sha256()

    def follow(self, chunks: Iterable[bytes]) -> None:
        """Count in all octets of the member."""
        for chunk in headed(chunks):
            if self._length:
                self._data_set.update(chunk)
            else:
                self._head = chunk[: self._begins(chunk)]
                self._data_set.update(memoryview(chunk)[len(self._head) :])
            self._length += len(chunk)

    def placement(self) -> Placement:
        """Return where the member lies, once all of its octets have been followed.

        Raises:
            PackMalformed: it is longer or shorter than listed.
            DigestMismatch: its octets are others than listed.
        """
        uid = self._member.sop_instance_uid
        if self._length - len(self._head) != self._member.size:
            raise PackMalformed("A member's size is not as listed.", uid=uid, length=self._length)
        if self._data_set.digest() != self._member.sha256:
            raise DigestMismatch("A member's digest is not as listed.", uid=uid)
        return verbatim(self._head, offset=self._offset, length=self._length)

    def _begins(self, head: bytes) -> int:
        if self._kind is PackKind.DOCUMENTS:
            return 0
        try:
            return data_set_offset(head)
        except DataSetUnreadable as error:
            uid = self._member.sop_instance_uid
            raise PackMalformed("A member is not a Part 10 file.", uid=uid) from error


def verbatim(head: bytes, *, offset: int, length: int) -> Placement:
    """Return where a member of ``length`` octets lies, with ``head`` before its Data Set."""
    return Placement(
        offset=offset,
        length=length,
        data_set_offset=len(head),
        codec=VERBATIM,
        checksum=hashlib.sha256(head).digest(),
    )
