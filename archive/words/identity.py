"""Who a patient number belongs to, and who is asking."""

from dataclasses import dataclass
from enum import StrEnum


class AuthorityKind(StrEnum):
    """What an assigning authority numbers."""

    MRN = "MRN"
    """A trust's own patient numbers."""
    NHS = "NHS"
    """England's NHS numbers."""
    CHI = "CHI"
    """Scotland's Community Health Index."""
    HC = "HC"
    """Northern Ireland's Health and Care numbers."""


@dataclass(frozen=True, slots=True)
class Issuer:
    """An assigning authority: whose numbers, under the name that PID-3.4 carries.

    Two organisations may use the same namespace for different numbers, so it never stands alone.
    """

    organisation: str
    """ODS code of the organisation that issues the numbers; empty for a national authority."""
    namespace: str
    """As sent in PID-3.4.1 and, on the way out, in Issuer of Patient ID (0010,0021)."""


ANY = "*"
"""The name of a node's source that stands for every AE or feed without a row of its own."""

NHS = Issuer(organisation="", namespace="NHS")
NHS_OID = "2.16.840.1.113883.2.1.4.1"


@dataclass(frozen=True, slots=True)
class PatientIdentity:
    """A patient number together with the authority that issued it."""

    mrn: str
    issuer: Issuer

    def __repr__(self) -> str:
        """Hide the number: a repr ends in logs."""
        return f"PatientIdentity(mrn='…', issuer={self.issuer!r})"


class Purpose(StrEnum):
    """Why somebody asks; written on the trail."""

    TREATMENT = "TREATMENT"
    OPERATIONS = "OPERATIONS"
    """Running the service: queues, counts, traces."""
    REPLICATION = "REPLICATION"
    """A tier moving objects to another tier."""


@dataclass(frozen=True, slots=True)
class Asker:
    """Who reads, and as whom. Every read takes one.

    What an asker sees is what he can ask by: patient numbers are those of ``authority``.
    """

    organisation: str | None
    """ODS code of the trust that the asker acts for; None for the region's own operators."""
    authority: Issuer | None
    """Whose patient numbers the asker speaks; None means each query must name an issuer."""
    who: str
    """User name or AE title."""
    purpose: Purpose = Purpose.TREATMENT
