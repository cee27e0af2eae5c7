"""What an asker of another trust sees in place of the stored identifiers (IHE RAD IRWF.b)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from archive.words.identity import AuthorityKind, Issuer, PatientIdentity

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Stamping:
    """The identifiers with which one stored instance leaves for one asker."""

    patient: PatientIdentity
    """The receiver's own number and its issuer; the original once more when ``issuer_only``."""
    name: str | None
    """The patient's name as the receiver's PAS has it (PN); None keeps the object's."""
    birth_date: str | None
    """As the receiver's PAS has it (DA); None keeps the object's."""
    sex: str | None
    """As the receiver's PAS has it (CS); None keeps the object's."""
    original: PatientIdentity
    """The number as stored, with the issuer that its custodian gave it."""
    original_kind: AuthorityKind
    """What the original's issuer numbers; becomes the identifier type (0040,0035)."""
    issuer_oid: str
    """Universal entity ID of the patient's issuer for (0010,0024); empty when it has none."""
    nhs_number: str
    """The person's NHS number, carried beside the others; empty when unknown."""
    accession_alias: str | None
    """The accession number to show, at most 16 characters (SH); None keeps the object's."""
    original_accession: str
    """The accession number as stored; empty when the object has none."""
    accession_issuer: Issuer | None
    """Who issued the accession number that is shown, for (0008,0051); None says nothing."""
    issuer_only: bool
    """The asker has no number for the person: only say whose numbers the object carries."""
    system: str
    """Modifying System (0400,0563)."""
    at: datetime
    """When the view was made, aware; Attribute Modification DateTime (0400,0562)."""


def apply_to_keywords(
    stamping: Stamping, attributes: Mapping[str, Value | str]
) -> dict[str, Value | str]:
    """Return a match's attributes, by keyword, as the stamped object would show them.

    Patient ID and its issuer are always set; what else is stamped only where it was there. A number
    whose issuer nobody knows is not shown to another trust at all.
    """
    if stamping.issuer_only:
        namespace = stamping.original.issuer.namespace
        bare = {} if namespace else {"PatientID": ""}
        return dict(attributes) | bare | {"IssuerOfPatientID": namespace}
    identity: dict[str, Value | str] = {
        "PatientID": stamping.patient.mrn,
        "IssuerOfPatientID": stamping.patient.issuer.namespace,
    }
    replaced = {
        keyword: value
        for keyword, value in stamped_values(stamping).items()
        if keyword in attributes
    }
    return dict(attributes) | replaced | identity


def stamped_values(stamping: Stamping) -> dict[str, str]:
    """Return what replaces name, birth date, sex and accession number, by keyword."""
    candidates = {
        "PatientName": stamping.name,
        "PatientBirthDate": stamping.birth_date,
        "PatientSex": stamping.sex,
        "AccessionNumber": stamping.accession_alias,
    }
    return {keyword: value for keyword, value in candidates.items() if value is not None}
