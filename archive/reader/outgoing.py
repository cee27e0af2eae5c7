"""What a door may hand out: one instance or report, as it may leave for one asker."""

from dataclasses import dataclass

from archive.errors import Refused
from archive.index.header import Location
from archive.view.stamping import Stamping
from archive.words.objects import ObjectDigest


@dataclass(frozen=True, slots=True)
class Selection:
    """What is to be retrieved. Empty lists mean everything below what is named."""

    study_uids: tuple[str, ...] = ()
    series_uids: tuple[str, ...] = ()
    sop_uids: tuple[str, ...] = ()
    patient_id: str = ""
    """A number of ``issuer``, or of the asker's authority; empty does not restrict."""
    issuer: str = ""

    def __repr__(self) -> str:
        """Hide the number: a repr ends in logs."""
        return f"Selection(study_uids={self.study_uids!r}, series_uids={self.series_uids!r})"


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One instance, as it may leave for one asker."""

    study_instance_uid: str
    series_instance_uid: str
    sop_class_uid: str
    sop_instance_uid: str
    digest: ObjectDigest
    size: int
    """Octets of the stored Data Set."""
    custodian: str
    """ODS code."""
    location: Location
    stamping: Stamping | None
    """None: the stored octets are the view."""
    refusal: Refused | None
    """Why it must not leave by C-STORE; None where it may."""


@dataclass(frozen=True, slots=True)
class Report:
    """One document beside a study."""

    document_uid: str
    study_instance_uid: str
    custodian: str
    media_type: str
    charset: str
    title: str
    report_status: str
    received_ms: int
    sha256: bytes
    size: int
    location: Location
