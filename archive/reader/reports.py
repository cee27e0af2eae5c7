"""The documents beside a study: in its own documents series, or in the patient's folder."""

from collections.abc import Sequence

from sqlalchemy import Connection, Row, or_, select

from archive.index import tables
from archive.index.directory import organisation_code
from archive.index.shown import shown_study
from archive.index.studies import study_row
from archive.reader.outgoing import Report
from archive.store.manifest import PackKind


def reports_beside(conn: Connection, study_keys: Sequence[int]) -> list[Report]:
    """Return the shown documents of some studies, newest first.

    A document that names no study belongs to the one whose custodian, accession number and patient
    number it shares.
    """
    found = {
        (row.study_key, row.document_uid): row
        for study_key in study_keys
        for row in conn.execute(_documents(conn, study_key)).all()
    }
    reports = [report for row in found.values() for report in _shown(conn, row)]
    return sorted(reports, key=lambda report: -report.received_ms)


def _documents(conn: Connection, study_key: int):  # type: ignore[no-untyped-def]  # noqa: ANN202
    study = study_row(conn, study_key)
    columns = tables.document.c
    named = columns.study_key == study_key
    if study.accession_number:
        named = or_(
            named,
            (columns.custodian_id == study.custodian_id)
            & (columns.accession_number == study.accession_number)
            & columns.mrn.in_([study.mrn, ""])
            & (columns.study_instance_uid == ""),
        )
    return select(tables.document).where(named)


def _shown(conn: Connection, document: Row[tuple[object, ...]]) -> list[Report]:
    study = study_row(conn, document.study_key)
    holdings = shown_study(conn, study, kind=PackKind.DOCUMENTS).holdings
    return [
        Report(
            document_uid=document.document_uid,
            study_instance_uid=study.study_instance_uid,
            custodian=organisation_code(conn, document.custodian_id),
            media_type=document.media_type,
            charset=document.charset,
            title=document.title,
            report_status=document.report_status,
            received_ms=document.received_at,
            sha256=document.sha256,
            size=holding.member.size,
            location=holding.location,
        )
        for holding in holdings
        if holding.member.sop_instance_uid == document.document_uid
    ]
