"""Documents: reports and the like, registered beside series and moved by the same code."""

from dataclasses import dataclass

from sqlalchemy import Connection, insert, select

from archive.index import tables
from archive.index.directory import Source, ensure_authority
from archive.index.engine import serialise
from archive.index.header import Loose
from archive.index.members import LOOSE, remember
from archive.index.studies import (
    StudyTold,
    documents_series,
    ensure_series,
    folder_uid,
    lock_study,
    note_arrival,
)
from archive.words.identity import Issuer, PatientIdentity

_NOBODY = PatientIdentity(mrn="", issuer=Issuer("", ""))


@dataclass(frozen=True, slots=True)
class Document:
    """What is told of a document."""

    document_uid: str
    identity: PatientIdentity | None
    sha256: bytes
    size: int
    media_type: str
    charset: str = ""
    study_instance_uid: str = ""
    accession_number: str = ""
    title: str = ""
    report_status: str = ""
    replaces: str = ""
    received_ms: int = 0

    def __repr__(self) -> str:
        """Hide the person: a repr ends in logs."""
        return f"Document(document_uid={self.document_uid!r})"


def register_document(
    conn: Connection,
    document: Document,
    *,
    source: Source,
    location: Loose,
    calling: str,
    called: str,
    at_ms: int,
) -> bool:
    """Register a document beside its study, or in its patient's folder; False when it is held."""
    told = _study_told(conn, document, source)
    serialise(conn, "study", told.custodian_id, told.study_instance_uid)
    study = lock_study(conn, told, at_ms=at_ms)
    if _is_held(conn, study.study_key, document.document_uid):
        return False
    series = ensure_series(
        conn, study.study_key, documents_series(told.study_instance_uid), at_ms=at_ms
    )
    conn.execute(
        insert(tables.instance).values(
            study_key=study.study_key,
            series_no=series.series_no,
            sop_instance_uid=document.document_uid,
            sha256=document.sha256,
            transfer_syntax=document.media_type,
            sop_class_uid="",
            instance_number="",
            size=document.size,
            segment=location.segment,
            offset=location.offset,
            length=location.length,
            data_set_offset=0,
            source_id=source.source_id,
            calling_ae=calling,
            called_ae=called,
            arrived_at=document.received_ms,
        )
    )
    save_document(conn, study.study_key, document, custodian_id=source.organisation_id)
    remember(
        conn,
        custodian_id=source.organisation_id,
        study_key=study.study_key,
        series_no=series.series_no,
        pack_no=LOOSE,
        sop_instance_uids=[document.document_uid],
    )
    note_arrival(conn, study.study_key, series.series_no, at_ms=at_ms)
    return True


def save_document(
    conn: Connection, study_key: int, document: Document, *, custodian_id: int
) -> None:
    """Write what is told of a document, once; its octets are registered elsewhere."""
    if _is_held(conn, study_key, document.document_uid):
        return
    identity = document.identity
    conn.execute(
        insert(tables.document).values(
            study_key=study_key,
            document_uid=document.document_uid,
            custodian_id=custodian_id,
            authority_id=None if identity is None else ensure_authority(conn, identity.issuer),
            mrn="" if identity is None else identity.mrn,
            accession_number=document.accession_number,
            study_instance_uid=document.study_instance_uid,
            media_type=document.media_type,
            charset=document.charset,
            title=document.title,
            report_status=document.report_status,
            replaces=document.replaces,
            sha256=document.sha256,
            received_at=document.received_ms,
        )
    )


def _study_told(conn: Connection, document: Document, source: Source) -> StudyTold:
    identity = document.identity
    issuer_id = None if identity is None else ensure_authority(conn, identity.issuer)
    uid = document.study_instance_uid
    if not uid and identity is not None:
        uid = folder_uid(source.organisation, identity)
    return StudyTold(
        custodian=source.organisation,
        custodian_id=source.organisation_id,
        study_instance_uid=uid or folder_uid(source.organisation, _NOBODY),
        authority_id=issuer_id or source.authority_id,
        mrn="" if identity is None else identity.mrn,
        kind="study" if document.study_instance_uid else "folder",
    )


def _is_held(conn: Connection, study_key: int, document_uid: str) -> bool:
    columns = tables.document.c
    query = select(columns.document_uid).where(
        columns.study_key == study_key, columns.document_uid == document_uid
    )
    return conn.execute(query).first() is not None
