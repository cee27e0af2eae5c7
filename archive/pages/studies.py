"""The newest studies that a user finds, as lines of a table."""

from dataclasses import dataclass

from archive.dicomweb.access import User
from archive.index.search import ONLINE
from archive.reader import Level, Match, Reader

_LINES = 25


@dataclass(frozen=True, slots=True)
class StudyLine:
    """One study as its user sees it."""

    date: str
    description: str
    modalities: str
    patient: str
    number: str
    issuer: str
    custodian: str
    images: int
    is_own: bool
    has_local_number: bool
    is_here: bool

    def __repr__(self) -> str:
        """Hide the person: a repr ends in logs."""
        return f"StudyLine(custodian={self.custodian!r})"


def newest_studies(reader: Reader, user: User) -> list[StudyLine]:
    """Return the user's newest studies; none to an operator, who sees no patients."""
    if user.is_operator:
        return []
    matches = reader.search(user.asker, Level.STUDY, {}, limit=_LINES)
    return [_line(match, user) for match in matches]


def _line(match: Match, user: User) -> StudyLine:
    known = match.attributes
    modalities = known["ModalitiesInStudy"]
    return StudyLine(
        date=str(known["StudyDate"]),
        description=str(known["StudyDescription"]),
        modalities=", ".join(modalities) if isinstance(modalities, tuple) else str(modalities),
        patient=str(known["PatientName"]),
        number=str(known["PatientID"]),
        issuer=str(known["IssuerOfPatientID"]),
        custodian=match.custodian,
        images=int(str(known["NumberOfStudyRelatedInstances"])),
        is_own=match.custodian == user.organisation,
        has_local_number=match.local_number,
        is_here=match.availability == ONLINE,
    )
