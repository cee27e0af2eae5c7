"""What the index keeps of a Data Set, and the matching forms of it."""

from dataclasses import dataclass

from archive.index.directory import Source
from archive.words.objects import ObjectDigest


@dataclass(frozen=True, slots=True)
class Header:
    """The attributes of one instance that the index keeps, by their DICOM keywords, as sent.

    Text is decoded by the object's own character set (PS3.3 Section C.12.1.1.2); values of other
    representations are their characters without padding.
    """

    SOPClassUID: str
    SOPInstanceUID: str
    StudyInstanceUID: str
    SeriesInstanceUID: str
    PatientID: str = ""
    IssuerOfPatientID: str = ""
    PatientName: str = ""
    PatientBirthDate: str = ""
    PatientSex: str = ""
    StudyDate: str = ""
    StudyTime: str = ""
    AccessionNumber: str = ""
    StudyID: str = ""
    StudyDescription: str = ""
    ReferringPhysicianName: str = ""
    Modality: str = ""
    SeriesNumber: str = ""
    SeriesDescription: str = ""
    BodyPartExamined: str = ""
    Laterality: str = ""
    SeriesDate: str = ""
    SeriesTime: str = ""
    InstanceNumber: str = ""

    def __repr__(self) -> str:
        """Hide the person: a repr ends in logs."""
        return f"Header(SOPInstanceUID={self.SOPInstanceUID!r})"


@dataclass(frozen=True, slots=True)
class Loose:
    """Where octets lie in a spool segment."""

    segment: str
    offset: int
    """Of the Part 10 octets (or the document) in the segment."""
    length: int
    data_set_offset: int
    """Of the Data Set inside them; 0 for a document."""


@dataclass(frozen=True, slots=True)
class Packed:
    """Where octets lie in a pack in the blob store."""

    encoding_id: bytes
    offset: int
    length: int
    data_set_offset: int
    codec: str


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Announced by its holder; the octets are not here yet."""


Location = Loose | Packed | Elsewhere


@dataclass(frozen=True, slots=True)
class Arrived:
    """One instance as it came through a door of this archive."""

    header: Header
    digest: ObjectDigest
    size: int
    """Octets of the Data Set."""
    location: Loose
    source: Source
    calling_ae: str
    called_ae: str
    arrived_ms: int

    @property
    def key(self) -> tuple[str, bytes]:
        """What names these octets within their custodian: UID and digest."""
        return self.header.SOPInstanceUID, self.digest.sha256
