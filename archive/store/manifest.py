"""``manifest.json``: what a pack holds, and by its SHA-256 the pack's content id.

Canonical JSON (RFC 8785):

| key                   | value                                                                 |
| --------------------- | --------------------------------------------------------------------- |
| ``kind``              | ``series`` or ``documents``                                           |
| ``members``           | array, ordered by SOP Instance UID, transfer syntax, digest           |
| ``series_instance_uid`` |                                                                     |
| ``study_instance_uid``  |                                                                     |
| ``version``           | 1                                                                     |

and each member:

| key                   | value                                                                 |
| --------------------- | --------------------------------------------------------------------- |
| ``instance_number``   | (0020,0013) as text, without padding; empty when absent               |
| ``sha256``            | 64 hexadecimal digits: the digest of the Data Set octets              |
| ``size``              | octets of the Data Set                                                |
| ``sop_class_uid``     | empty for a document                                                  |
| ``sop_instance_uid``  | for a document the UID that it was given (2.25)                       |
| ``transfer_syntax``   | for a document its media type                                         |

Whatever holds equal objects under equal UIDs has the same content id, however it is coded.
"""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from archive.errors import PackMalformed
from archive.store.canonical import INTEGER_LIMIT, Fields, decode, encode
from archive.store.packed import pack_columns, unpack_columns
from archive.words.objects import ObjectDigest
from archive.words.uids import is_uid

VERSION = 1
MEMBER_LIMIT = 100_000
"""Members of one pack; an index seals a longer series into several."""
OCTETS_LIMIT = 64 * 1024 * 1024
"""Octets of a manifest that are read at most."""

_MEDIA_TYPE = re.compile(r"[a-z0-9][a-z0-9.+-]*/[a-z0-9][a-z0-9.+-]*")
_TEXT_LIMIT = 64


class PackKind(StrEnum):
    """What the members of a pack are."""

    SERIES = "series"
    """DICOM instances of one series; each lies as Part 10 octets."""
    DOCUMENTS = "documents"
    """Reports of one study; each lies as it was received."""


@dataclass(frozen=True, slots=True)
class Member:
    """One instance or document of a pack."""

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax: str
    instance_number: str
    """ASCII, at most 64 characters; empty when the object has none that is."""
    sha256: bytes
    size: int
    """Octets of the Data Set, or of the document."""

    @property
    def digest(self) -> ObjectDigest:
        """The digest with its transfer syntax."""
        return ObjectDigest(transfer_syntax=self.transfer_syntax, sha256=self.sha256)

    @property
    def order(self) -> tuple[str, str, bytes]:
        """What members are sorted by, and what no two share."""
        return self.sop_instance_uid, self.transfer_syntax, self.sha256


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a pack holds. One that exists is in order: building a wrong one raises PackMalformed."""

    study_instance_uid: str
    series_instance_uid: str
    kind: PackKind
    members: tuple[Member, ...]
    """Sorted by :attr:`Member.order`; :meth:`of` sorts."""

    def __post_init__(self) -> None:
        if not (is_uid(self.study_instance_uid) and is_uid(self.series_instance_uid)):
            raise PackMalformed("A manifest's study or series UID is not a UID.")
        if not 0 < len(self.members) <= MEMBER_LIMIT:
            raise PackMalformed("A pack has 1 to 100,000 members.", members=len(self.members))
        for member in self.members:
            _check(member, self.kind)
        _check_order(self.members)

    @classmethod
    def of(
        cls,
        *,
        study_instance_uid: str,
        series_instance_uid: str,
        kind: PackKind,
        members: Iterable[Member],
    ) -> "Manifest":
        """Return the manifest of members in any order."""
        ordered = tuple(sorted(members, key=lambda member: member.order))
        return cls(study_instance_uid, series_instance_uid, kind, ordered)

    def canonical(self) -> bytes:
        """Return ``manifest.json``."""
        return encode(
            {
                "version": VERSION,
                "kind": self.kind.value,
                "study_instance_uid": self.study_instance_uid,
                "series_instance_uid": self.series_instance_uid,
                "members": [_fields(member) for member in self.members],
            }
        )

    @property
    def content_id(self) -> bytes:
        """SHA-256 of :meth:`canonical`."""
        return hashlib.sha256(self.canonical()).digest()

    @classmethod
    def parse(cls, octets: bytes) -> "Manifest":
        """Return the manifest in ``manifest.json``.

        Raises:
            PackMalformed: anything that :meth:`canonical` would not have written.
        """
        if len(octets) > OCTETS_LIMIT:
            raise PackMalformed("The manifest is too long.", octets=len(octets))
        fields = Fields(decode(octets), *_KEYS)
        fields.version(VERSION)
        return cls(
            study_instance_uid=fields.text("study_instance_uid"),
            series_instance_uid=fields.text("series_instance_uid"),
            kind=_kind(fields.text("kind")),
            members=tuple(_member(value) for value in fields.array("members")),
        )

    def packed(self) -> bytes:
        """Return the compact form for an index row (see :mod:`archive.store.packed`)."""
        columns: dict[str, object] = {
            name: [getattr(member, name) for member in self.members] for name in _COLUMNS
        }
        head = [self.kind.value, self.study_instance_uid, self.series_instance_uid]
        return pack_columns([member.sha256 for member in self.members], {**columns, "of": head})

    @classmethod
    def unpacked(cls, octets: bytes) -> "Manifest":
        """Return the manifest of :meth:`packed`.

        Raises:
            PackMalformed: not that form.
        """
        digests, columns = unpack_columns(octets)
        fields = Fields(columns, *_COLUMNS, "of")
        rows = zip(digests, *(fields.array(name) for name in _COLUMNS), strict=True)
        try:
            members = tuple(_unpacked_member(sha256, values) for sha256, *values in rows)
            kind, study, series = fields.array("of")
        except ValueError as error:
            raise PackMalformed("The columns of a packed manifest differ in length.") from error
        return cls(str(study), str(series), _kind(str(kind)), members)


_KEYS = ("version", "kind", "study_instance_uid", "series_instance_uid", "members")
_TEXTS = ("instance_number", "sop_class_uid", "sop_instance_uid", "transfer_syntax")


_COLUMNS = (*_TEXTS, "size")


def _unpacked_member(sha256: bytes, values: list[object]) -> Member:
    fields = Fields(dict(zip(_COLUMNS, values, strict=True)), *_COLUMNS)
    texts = {name: fields.text(name) for name in _TEXTS}
    return Member(**texts, sha256=sha256, size=fields.number("size"))


def _fields(member: Member) -> dict[str, object]:
    texts: dict[str, object] = {name: getattr(member, name) for name in _TEXTS}
    return {**texts, "sha256": member.sha256.hex(), "size": member.size}


def _member(value: object) -> Member:
    fields = Fields(value, *_TEXTS, "sha256", "size")
    texts = {name: fields.text(name) for name in _TEXTS}
    return Member(**texts, sha256=fields.sha256("sha256"), size=fields.number("size"))


def _kind(text: str) -> PackKind:
    try:
        return PackKind(text)
    except ValueError as error:
        raise PackMalformed("The kind of pack is not known here.", kind=text[:80]) from error


def _check(member: Member, kind: PackKind) -> None:
    if not _well_named(member, kind):
        raise PackMalformed("A member's UIDs or transfer syntax are not well built.")
    if len(member.instance_number) > _TEXT_LIMIT or not member.instance_number.isascii():
        raise PackMalformed("A member's instance number is too long, or not ASCII.")
    if len(member.sha256) != hashlib.sha256().digest_size or not 0 <= member.size < INTEGER_LIMIT:
        raise PackMalformed("A member's digest or size is out of range.", size=member.size)


def _well_named(member: Member, kind: PackKind) -> bool:
    if not is_uid(member.sop_instance_uid):
        return False
    if kind is PackKind.SERIES:
        return is_uid(member.sop_class_uid) and is_uid(member.transfer_syntax)
    form = _MEDIA_TYPE.fullmatch(member.transfer_syntax)
    return not member.sop_class_uid and form is not None and len(form[0]) <= _TEXT_LIMIT


def _check_order(members: tuple[Member, ...]) -> None:
    for before, after in pairwise(members):
        if before.order >= after.order:
            raise PackMalformed("Members are out of order, or one is there twice.")
