"""Rejection notes: Key Object Selection Documents as IHE Imaging Object Change Management has them.

PS3.3 Section A.35.4 (the document), PS3.16 TID 2010 (its content tree), CID 7010 (its titles).
"""

import io
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType

import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, KeyObjectSelectionDocumentStorage

from archive.words.uids import derived_uid

REJECTED_FOR_QUALITY = "113001"

TITLES: Mapping[str, str] = MappingProxyType(
    {
        REJECTED_FOR_QUALITY: "Rejected for Quality Reasons",
        "113037": "Rejected for Patient Safety Reasons",
        "113038": "Incorrect Modality Worklist Entry",
        "113039": "Data Retention Policy Expired",
    }
)
"""Document titles that reject what they reference (PS3.16 CID 7010, scheme DCM)."""

KEY_OBJECT_DESCRIPTION = ("113012", "Key Object Description")

TAKEN_FROM_THE_REJECTED = (
    "SpecificCharacterSet",
    "PatientName",
    "PatientID",
    "IssuerOfPatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyInstanceUID",
    "StudyDate",
    "StudyTime",
    "ReferringPhysicianName",
    "StudyID",
    "AccessionNumber",
)
"""Patient and General Study Modules: the note belongs to the study that it rejects from."""

MUST_BE_THERE_THOUGH_EMPTY = (
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "StudyTime",
    "ReferringPhysicianName",
    "StudyID",
    "AccessionNumber",
)
"""Type 2 (PS3.5 Section 7.4.3)."""


def rejection_note(
    rejected: Iterable[Path | Dataset],
    *,
    code: str = REJECTED_FOR_QUALITY,
    description: str = "",
    written: datetime | None = None,
) -> Dataset:
    """Return a note, with its File Meta, that rejects these instances of one study.

    ``rejected`` are files, or headers with at least the UIDs. The note's SOP Instance UID follows
    from what it references, the title and ``written`` (now, if not given).

    Raises:
        KeyError: ``code`` is no title of ``TITLES``.
        ValueError: nothing is rejected, or instances of more than one study are.
    """
    headers = [_header(one) for one in rejected]
    if len({str(header.StudyInstanceUID) for header in headers}) != 1:
        raise ValueError("A rejection note references instances of exactly one study.")
    note = _document(headers, code=code, written=written or datetime.now(UTC))
    note.ContentSequence = [_description(description)] if description else []
    note.ContentSequence.extend(_reference(header) for header in headers)
    return note


def part10(document: Dataset) -> bytes:
    """Return the Part 10 file of a Data Set that carries its File Meta."""
    stream = io.BytesIO()
    document.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def _header(rejected: Path | Dataset) -> Dataset:
    if isinstance(rejected, Dataset):
        return rejected
    return pydicom.dcmread(rejected, stop_before_pixels=True)


def _document(headers: Sequence[Dataset], *, code: str, written: datetime) -> Dataset:
    references = [str(header.SOPInstanceUID) for header in headers]
    named = (code, written.isoformat(), *references)
    note = _study_of(headers[0])
    note.SOPClassUID = KeyObjectSelectionDocumentStorage
    note.SOPInstanceUID = derived_uid("rejection note", *named)
    note.Modality = "KO"
    note.SeriesInstanceUID = derived_uid("rejection note series", *named)
    note.SeriesNumber = 9000
    note.ReferencedPerformedProcedureStepSequence = []
    note.Manufacturer = "Regional Image Store demo generator"
    note.InstanceNumber = 1
    note.ContentDate, note.ContentTime = written.strftime("%Y%m%d"), written.strftime("%H%M%S")
    note.TimezoneOffsetFromUTC = written.strftime("%z") or "+0000"
    note.CurrentRequestedProcedureEvidenceSequence = [_evidence(headers)]
    note.ValueType, note.ContinuityOfContent = "CONTAINER", "SEPARATE"
    note.ConceptNameCodeSequence = [_code(code, TITLES[code])]
    note.ContentTemplateSequence = [_template("2010")]
    note.file_meta = _file_meta(note)
    return note


def _study_of(header: Dataset) -> Dataset:
    note = Dataset()
    for keyword in MUST_BE_THERE_THOUGH_EMPTY:
        setattr(note, keyword, "")
    for keyword in TAKEN_FROM_THE_REJECTED:
        if keyword in header:
            setattr(note, keyword, header[keyword].value)
    return note


def _file_meta(note: Dataset) -> FileMetaDataset:
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = note.SOPClassUID
    meta.MediaStorageSOPInstanceUID = note.SOPInstanceUID
    return meta


def _evidence(headers: Sequence[Dataset]) -> Dataset:
    """Return the study item of (0040,A375) (PS3.3 Section C.17.2, Table C.17-3)."""
    study = Dataset()
    study.StudyInstanceUID = headers[0].StudyInstanceUID
    series_uids = dict.fromkeys(str(header.SeriesInstanceUID) for header in headers)
    study.ReferencedSeriesSequence = [
        _series([header for header in headers if header.SeriesInstanceUID == uid])
        for uid in series_uids
    ]
    return study


def _series(headers: Sequence[Dataset]) -> Dataset:
    series = Dataset()
    series.SeriesInstanceUID = headers[0].SeriesInstanceUID
    series.ReferencedSOPSequence = [_sop(header) for header in headers]
    return series


def _sop(header: Dataset) -> Dataset:
    sop = Dataset()
    sop.ReferencedSOPClassUID = header.SOPClassUID
    sop.ReferencedSOPInstanceUID = header.SOPInstanceUID
    return sop


def _reference(header: Dataset) -> Dataset:
    """Return a content item of TID 2010: IMAGE for what has pixels, else COMPOSITE."""
    item = Dataset()
    item.RelationshipType = "CONTAINS"
    item.ValueType = "IMAGE" if "Rows" in header else "COMPOSITE"
    item.ReferencedSOPSequence = [_sop(header)]
    return item


def _description(text: str) -> Dataset:
    item = Dataset()
    item.RelationshipType, item.ValueType = "CONTAINS", "TEXT"
    item.ConceptNameCodeSequence = [_code(*KEY_OBJECT_DESCRIPTION)]
    item.TextValue = text
    return item


def _code(value: str, meaning: str) -> Dataset:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, "DCM", meaning
    return code


def _template(identifier: str) -> Dataset:
    template = Dataset()
    template.MappingResource, template.TemplateIdentifier = "DCMR", identifier
    return template
