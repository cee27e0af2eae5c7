"""What a message that was accepted does to the index: journal, patients, findings, documents.

Called by intake inside its write transaction, once for every HL7 record of a segment. A message
that comes twice changes nothing twice; nothing here merges people.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Protocol

from sqlalchemy import Connection, select

from archive.clock import milliseconds
from archive.errors import MalformedMessage
from archive.index import tables
from archive.index.directory import Source, authority_id, find_issuer
from archive.index.documents import Document
from archive.index.journal import append, data_quality, journal_holds, tally
from archive.index.patients import LocalPatient, find_patient, save_patient
from archive.store.segment import Envelope
from archive.words.identity import PatientIdentity
from archive.words.nhs import Environment, NhsStatus
from archive.words.uids import derived_uid
from local_node.hl7.charsets import iana_name
from local_node.hl7.findings import Finding, FindingCode
from local_node.hl7.header import MEDIA_TYPE
from local_node.hl7.identities import NhsReading, OwnNumbers, own_numbers, read_nhs
from local_node.hl7.message import (
    ARRIVALS,
    IDENTITY_CHANGES,
    REGISTRATIONS,
    WHOLE_RECORDS,
    Message,
    read_message,
)
from local_node.hl7.patient import PatientFields
from local_node.hl7.report import Report

JOURNAL = "hl7"
_FAMILIES = frozenset({"ADT", "ORU"})
"""Message codes that are counted by name."""

_UNPRINTABLE = re.compile(r"[^\x21-\x7e]+")


@dataclass(frozen=True, slots=True)
class Arrival:
    """A patient turned up at the trust."""

    identity: PatientIdentity
    event: str
    """A01 or A04."""
    message_key: str
    at_ms: int
    """When the message came."""


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of one message."""

    message_key: str
    kind: str
    duplicate: bool = False
    """The very same message was applied before; nothing was done now."""
    patient_ids: tuple[int, ...] = ()
    """Rows of the local patients whose demographics changed, or who are new."""
    arrival: Arrival | None = None
    document: Document | None = None
    """A report, which intake registers: its octets are the message as it came."""
    findings: tuple[Finding, ...] = ()


class Outbox(Protocol):
    """What must reach the centre, written as work in the same transaction."""

    def patient_changed(self, conn: Connection, patient_id: int) -> None:
        """A local patient is new or has other demographics."""

    def arrived(self, conn: Connection, arrival: Arrival) -> None:
        """A patient turned up."""


def message_key(envelope: Envelope, sha256: bytes) -> str:
    """Return the key of a message: feed, MSH-10, and the beginning of its digest."""
    parts = (envelope.calling_ae, envelope.sop_instance_uid, sha256.hex()[:16])
    return _UNPRINTABLE.sub("_", "|".join(part[:80] for part in parts))


@dataclass(frozen=True, slots=True)
class Hl7Intake:
    """Applies messages to the index of one node."""

    environment: Environment
    outbox: Outbox
    absent_status: Mapping[str, NhsStatus] = field(default_factory=lambda: MappingProxyType({}))
    """By feed: what an NHS number without status counts as, where not as 02."""

    def apply(self, conn: Connection, octets: bytes, envelope: Envelope, source: Source) -> Applied:
        """Journal one message and apply what it says. Never refuses: it was accepted."""
        sha256 = hashlib.sha256(octets).digest()
        key = message_key(envelope, sha256)
        if journal_holds(conn, kind=JOURNAL, organisation=source.organisation, subject=key):
            return Applied(key, kind="", duplicate=True)
        at_ms = milliseconds(envelope.arrived_at)
        append(
            conn,
            kind=JOURNAL,
            organisation=source.organisation,
            subject=key,
            body=octets,
            at_ms=at_ms,
        )
        applied = _Application(self, conn, octets, sha256, envelope, source, key, at_ms).run()
        _write_findings(conn, applied, source=source, at_ms=at_ms)
        return applied


@dataclass(frozen=True, slots=True)
class _Application:
    """One message on its way into the index."""

    intake: Hl7Intake
    conn: Connection
    octets: bytes
    sha256: bytes
    envelope: Envelope
    source: Source
    key: str
    at_ms: int

    def run(self) -> Applied:
        try:
            message = read_message(self.octets)
        except MalformedMessage:
            return Applied(self.key, kind="", findings=(Finding(FindingCode.NOT_HL7),))
        applied = self._content(message)
        return replace(applied, findings=(*_of_the_form(message), *applied.findings))

    def _content(self, message: Message) -> Applied:
        nothing = Applied(self.key, kind=message.header.kind)
        if message.event in IDENTITY_CHANGES:
            return replace(nothing, findings=(Finding(FindingCode.MERGE_NOT_APPLIED),))
        if message.event not in REGISTRATIONS and message.report is None:
            return nothing
        if message.several_patients:
            return replace(nothing, findings=(Finding(FindingCode.SEVERAL_PATIENTS),))
        return self._of_one_patient(nothing, message, message.patient or PatientFields())

    def _of_one_patient(self, nothing: Applied, message: Message, fields: PatientFields) -> Applied:
        nhs = read_nhs(
            fields,
            environment=self.intake.environment,
            absent_status=self._absent_status(),
            whole=message.event in WHOLE_RECORDS,
        )
        if nhs.blocked:
            return replace(nothing, findings=nhs.findings)
        numbers = self._own_numbers(fields)
        if message.report is not None:
            return self._reported(nothing, message, message.report, numbers)
        return self._registered(nothing, message, fields, numbers, nhs)

    def _absent_status(self) -> NhsStatus:
        return self.intake.absent_status.get(self.envelope.calling_ae, NhsStatus.NOT_TRACED)

    def _own_numbers(self, fields: PatientFields) -> OwnNumbers:
        organisation = self.source.organisation
        return own_numbers(
            fields,
            organisation=organisation,
            default=self.source.authority,
            find_issuer=lambda name: find_issuer(self.conn, name, organisation=organisation),
        )

    # --- patients ---------------------------------------------------------------------------

    def _registered(
        self,
        nothing: Applied,
        message: Message,
        fields: PatientFields,
        numbers: OwnNumbers,
        nhs: NhsReading,
    ) -> Applied:
        findings = [*numbers.findings, *nhs.findings, *_of_fields(fields)]
        changed: list[int] = []
        for identity in numbers.identities:
            known = find_patient(self.conn, identity)
            told = _told(known or LocalPatient(identity), fields, nhs)
            findings += _of_patient(known, told)
            if told != known:
                changed.append(self._save(told))
        arrival = self._arrival(message, numbers)
        return replace(
            nothing,
            patient_ids=tuple(changed),
            arrival=arrival,
            findings=tuple(dict.fromkeys(findings)),
        )

    def _save(self, patient: LocalPatient) -> int:
        saved = save_patient(self.conn, patient, at_ms=self.at_ms)
        self.intake.outbox.patient_changed(self.conn, saved.patient_id)
        return saved.patient_id

    def _arrival(self, message: Message, numbers: OwnNumbers) -> Arrival | None:
        identity = numbers.foremost(self.source.authority)
        if message.event not in ARRIVALS or identity is None:
            return None
        arrival = Arrival(identity, message.event, self.key, self.at_ms)
        self.intake.outbox.arrived(self.conn, arrival)
        return arrival

    # --- reports ----------------------------------------------------------------------------

    def _reported(
        self, nothing: Applied, message: Message, report: Report, numbers: OwnNumbers
    ) -> Applied:
        document = Document(
            document_uid=derived_uid("document", self.source.organisation, self.sha256.hex()),
            identity=numbers.foremost(self.source.authority),
            sha256=self.sha256,
            size=len(self.octets),
            media_type=MEDIA_TYPE,
            charset=iana_name(message.codec),
            study_instance_uid=report.study_instance_uid,
            accession_number=report.accession,
            title=report.title,
            report_status=report.status,
            received_ms=self.at_ms,
        )
        document = replace(document, replaces=_version_before(self.conn, document, self.source))
        findings = (*numbers.findings, *_of_report(report))
        return replace(nothing, document=document, findings=findings)


def _told(known: LocalPatient, fields: PatientFields, nhs: NhsReading) -> LocalPatient:
    """Return the patient as the message tells; what it says nothing about stays."""
    number = known.nhs_number if nhs.number is None else nhs.number
    return replace(
        known,
        name=known.name if fields.name is None else fields.name,
        birth_date=known.birth_date if fields.birth_date is None else fields.birth_date,
        sex=known.sex if fields.sex is None else fields.sex,
        postcode=known.postcode if fields.postcode is None else fields.postcode,
        nhs_number=number,
        nhs_status=_status(known, nhs),
    )


def _status(known: LocalPatient, nhs: NhsReading) -> str:
    if nhs.number is None or (nhs.number == known.nhs_number and not nhs.status_is_told):
        return known.nhs_status
    return nhs.status


def _of_the_form(message: Message) -> list[Finding]:
    findings = []
    if not message.header.control_id:
        findings.append(Finding(FindingCode.NO_CONTROL_ID))
    if message.charset_doubt:
        findings.append(Finding(FindingCode.CHARSET, message.charset_doubt))
    return findings


def _of_fields(fields: PatientFields) -> list[Finding]:
    return [Finding(FindingCode.FIELD_UNUSABLE, name) for name in fields.unusable]


def _of_patient(known: LocalPatient | None, told: LocalPatient) -> list[Finding]:
    findings = []
    if not told.name:
        findings.append(Finding(FindingCode.NO_NAME))
    if known is not None and known.nhs_number and not told.nhs_number:
        findings.append(Finding(FindingCode.NHS_REMOVED))
    return findings


def _of_report(report: Report) -> list[Finding]:
    findings = []
    if report.study_uid_unusable:
        findings.append(Finding(FindingCode.STUDY_UID_UNUSABLE))
    if not report.accession and not report.study_instance_uid:
        findings.append(Finding(FindingCode.NO_STUDY))
    if len(report.accessions) > 1:
        findings.append(Finding(FindingCode.SEVERAL_REPORTS))
    return findings


def _version_before(conn: Connection, document: Document, source: Source) -> str:
    """Return the newest document of the same patient, accession and title, if there is one."""
    if document.identity is None or not document.accession_number:
        return ""
    columns = tables.document.c
    query = (
        select(columns.document_uid)
        .where(
            columns.custodian_id == source.organisation_id,
            columns.accession_number == document.accession_number,
            columns.authority_id == authority_id(conn, document.identity.issuer),
            columns.mrn == document.identity.mrn,
            columns.title == document.title,
            columns.document_uid != document.document_uid,
        )
        .order_by(columns.received_at.desc(), columns.document_uid)
        .limit(1)
    )
    return str(conn.execute(query).scalar() or "")


def _write_findings(conn: Connection, applied: Applied, *, source: Source, at_ms: int) -> None:
    family = applied.kind.partition("^")[0]
    tally(conn, f"hl7.{family if family in _FAMILIES else 'other'}", 1, at_ms)
    for finding in applied.findings:
        data_quality(
            conn,
            organisation=source.organisation,
            code=finding.code.value,
            sentence=finding.sentence,
            subject=applied.message_key,
            at_ms=at_ms,
        )
