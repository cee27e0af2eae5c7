"""What is told of documents, as the ``metadata`` of their pack carries it to another tier.

A JSON array in the manifest's order; each item an object:

| key                                   | value                                                 |
| ------------------------------------- | ----------------------------------------------------- |
| ``document_uid``                      | the member's UID                                      |
| ``mrn``, ``namespace``,               | patient number and its assigning authority; all three |
| ``organisation``                      | null where the document names nobody                  |
| ``accession_number``,                 | empty where the document has none                     |
| ``study_instance_uid``                |                                                       |
| ``media_type``, ``charset``,          | as the index has them                                 |
| ``title``, ``report_status``          |                                                       |
| ``replaces``                          | UID of the version before it, or empty                |
| ``received_ms``                       | milliseconds since 1970, UTC                          |
"""

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, Row, select

from archive.errors import PackMalformed
from archive.index import tables
from archive.index.directory import issuer_of
from archive.index.documents import Document
from archive.store.manifest import Member
from archive.words.identity import Issuer, PatientIdentity

DocumentItem = Mapping[str, str | int | None]

_TEXTS = (
    "accession_number",
    "charset",
    "media_type",
    "replaces",
    "report_status",
    "study_instance_uid",
    "title",
)
_IDENTITY = ("mrn", "namespace", "organisation")
_KEYS = frozenset((*_TEXTS, *_IDENTITY, "document_uid", "received_ms"))


def documents_metadata(
    conn: Connection, study_key: int, document_uids: Sequence[str]
) -> list[DocumentItem]:
    """Return what is told of a study's documents, in the order of ``document_uids``."""
    columns = tables.document.c
    query = select(tables.document).where(columns.study_key == study_key)
    rows = {row.document_uid: row for row in conn.execute(query)}
    return [_item(conn, rows[uid]) for uid in document_uids]


def document_of(item: DocumentItem, member: Member) -> Document:
    """Return the document that an item of a pack's metadata tells of.

    Raises:
        PackMalformed: the item is not of the agreed form, or tells of another member.
    """
    if item.keys() != _KEYS or item["document_uid"] != member.sop_instance_uid:
        raise PackMalformed("The metadata of a document is not of its member.")
    received_ms = item["received_ms"]
    if not isinstance(received_ms, int):
        raise PackMalformed("The metadata of a document has no time.")
    return Document(
        document_uid=member.sop_instance_uid,
        identity=_identity(item),
        sha256=member.sha256,
        size=member.size,
        received_ms=received_ms,
        **{name: _text(item, name) for name in _TEXTS},
    )


def _item(conn: Connection, row: Row[tuple[object, ...]]) -> DocumentItem:
    issuer = None if row.authority_id is None else issuer_of(conn, row.authority_id)
    named = issuer is not None and bool(row.mrn)
    return {
        "document_uid": row.document_uid,
        "mrn": row.mrn if named else None,
        "namespace": issuer.namespace if issuer is not None and named else None,
        "organisation": issuer.organisation if issuer is not None and named else None,
        "received_ms": row.received_at,
        **{name: getattr(row, name) for name in _TEXTS},
    }


def _identity(item: DocumentItem) -> PatientIdentity | None:
    if all(item[name] is None for name in _IDENTITY):
        return None
    issuer = Issuer(_text(item, "organisation"), _text(item, "namespace"))
    return PatientIdentity(_text(item, "mrn"), issuer)


def _text(item: DocumentItem, name: str) -> str:
    value = item[name]
    if not isinstance(value, str):
        raise PackMalformed("The metadata of a document lacks a text.", key=name)
    return value
