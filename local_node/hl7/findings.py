"""What a person must look at in a message that was accepted: the codes of its data-quality rows."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class FindingCode(StrEnum):
    """Codes of data-quality rows that come from HL7."""

    NOT_HL7 = "NOT_HL7"
    NO_CONTROL_ID = "NO_CONTROL_ID"
    CHARSET = "CHARSET"
    NO_PID3 = "NO_PID3"
    UNKNOWN_ISSUER = "UNKNOWN_ISSUER"
    FOREIGN_ISSUER = "FOREIGN_ISSUER"
    MRN_UNUSABLE = "MRN_UNUSABLE"
    SEVERAL_MRN = "SEVERAL_MRN"
    SEVERAL_PATIENTS = "SEVERAL_PATIENTS"
    NHS_CHECK_DIGIT = "NHS_CHECK_DIGIT"
    NHS_MALFORMED = "NHS_MALFORMED"
    NHS_SEVERAL = "NHS_SEVERAL"
    NHS_ENVIRONMENT = "NHS_ENVIRONMENT"
    NHS_STATUS_UNKNOWN = "NHS_STATUS_UNKNOWN"
    NHS_REMOVED = "NHS_REMOVED"
    NO_NAME = "NO_NAME"
    FIELD_UNUSABLE = "FIELD_UNUSABLE"
    MERGE_NOT_APPLIED = "MERGE_NOT_APPLIED"
    NO_STUDY = "NO_STUDY"
    STUDY_UID_UNUSABLE = "STUDY_UID_UNUSABLE"
    SEVERAL_REPORTS = "SEVERAL_REPORTS"


SENTENCES: Mapping[FindingCode, str] = MappingProxyType(
    {
        FindingCode.NOT_HL7: "The message cannot be read as HL7; its octets are in the journal.",
        FindingCode.NO_CONTROL_ID: "MSH-10 is empty; the message is known by its digest only.",
        FindingCode.CHARSET: "The character set had to be guessed; accents may be wrong.",
        FindingCode.NO_PID3: "No patient number of this trust is in PID-3; nobody was changed.",
        FindingCode.UNKNOWN_ISSUER: (
            "A patient number in PID-3 has an assigning authority that nothing here knows."
        ),
        FindingCode.FOREIGN_ISSUER: "PID-3 has patient numbers of other trusts only.",
        FindingCode.MRN_UNUSABLE: (
            "A patient number in PID-3 is too long or has a backslash; DICOM cannot carry it."
        ),
        FindingCode.SEVERAL_MRN: (
            "PID-3 has two numbers of one assigning authority; the first was taken."
        ),
        FindingCode.SEVERAL_PATIENTS: "The message has several PID segments; nothing was applied.",
        FindingCode.NHS_CHECK_DIGIT: "The NHS number has a wrong check digit and was not taken.",
        FindingCode.NHS_MALFORMED: "The NHS number has not ten digits and was not taken.",
        FindingCode.NHS_SEVERAL: "PID-3 has two different NHS numbers; neither was taken.",
        FindingCode.NHS_ENVIRONMENT: (
            "The NHS number may not enter here: 999 numbers belong to tests, others to people."
        ),
        FindingCode.NHS_STATUS_UNKNOWN: "PID-32 is no NHS number status; it counts as 02.",
        FindingCode.NHS_REMOVED: "The feed has withdrawn the patient's NHS number.",
        FindingCode.NO_NAME: "The patient has no name.",
        FindingCode.FIELD_UNUSABLE: "A field has a value that means nothing here.",
        FindingCode.MERGE_NOT_APPLIED: (
            "The message merges, moves, links or ends records; it is journalled, not applied yet."
        ),
        FindingCode.NO_STUDY: "The report names neither a study nor an accession number.",
        FindingCode.STUDY_UID_UNUSABLE: "The report's Study Instance UID is not built as a UID.",
        FindingCode.SEVERAL_REPORTS: (
            "The message reports on several accession numbers; it is kept under the first."
        ),
    }
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to look at."""

    code: FindingCode
    detail: str = ""
    """More for a person: a field's name, an authority. Never a patient's value."""

    @property
    def sentence(self) -> str:
        """The row's sentence."""
        said = SENTENCES[self.code]
        return f"{said} ({self.detail})" if self.detail else said
