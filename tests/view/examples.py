"""A stamp, and octets to put it on."""

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from pydicom import Dataset
from pydicom.filereader import read_dataset

from archive.view.character_sets import coded
from archive.view.elements import form_of
from archive.view.stamping import Stamping
from archive.words.identity import AuthorityKind, Issuer, PatientIdentity
from archive.words.objects import ObjectDigest

EXPLICIT = "1.2.840.10008.1.2.1"
IMPLICIT = "1.2.840.10008.1.2"
BIG_ENDIAN = "1.2.840.10008.1.2.2"
DEFLATED = "1.2.840.10008.1.2.1.99"

STAMPING = Stamping(
    patient=PatientIdentity("B9", Issuer("RXB", "RXB")),
    name="DOE^ARCHIE",
    birth_date="19500101",
    sex="M",
    original=PatientIdentity("7", Issuer("RXA", "RXA")),
    original_kind=AuthorityKind.MRN,
    issuer_oid="1.2.826.0.1.9",
    nhs_number="9990000018",
    accession_alias="ALIAS1",
    original_accession="A1",
    accession_issuer=Issuer("", "RXB-REGION"),
    issuer_only=False,
    system="CENTRE",
    at=datetime(2026, 3, 1, 12, 0, tzinfo=UTC),
)
ISSUER_ONLY = replace(
    STAMPING, patient=STAMPING.original, issuer_only=True, name=None, birth_date=None, sex=None
)


@dataclass(frozen=True)
class Instance:
    """What the wire is told of a stored instance."""

    digest: ObjectDigest
    stamping: Stamping | None


def instance(syntax: str = EXPLICIT, stamping: Stamping | None = None) -> Instance:
    return Instance(ObjectDigest(syntax, b"\0" * 32), stamping)


def image(**attributes: object) -> Dataset:
    """Return a small image of patient 7 of RXA."""
    data_set = Dataset()
    data_set.SOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    data_set.SOPInstanceUID = "1.2.3.4"
    data_set.StudyInstanceUID = "1.2.3"
    data_set.SeriesInstanceUID = "1.2.3.1"
    data_set.AccessionNumber = "A1"
    data_set.PatientID = "7"
    data_set.PatientName = "Doe^Archibald"
    data_set.PatientBirthDate = ""
    data_set.PixelData = bytes(range(256)) * 4
    data_set["PixelData"].VR = "OW"
    for keyword, value in attributes.items():
        setattr(data_set, keyword, value)
    return data_set


def octets(data_set: Dataset, syntax: str = EXPLICIT) -> bytes:
    return coded(data_set, form_of(syntax))


def opening(content: bytes, size: int = 100) -> Callable[[], Iterator[bytes]]:
    """Return what opens octets anew, in small chunks."""
    return lambda: (content[start : start + size] for start in range(0, len(content), size))


def read(content: bytes, syntax: str = EXPLICIT) -> Dataset:
    form = form_of(syntax)
    return read_dataset(io.BytesIO(content), not form.explicit, not form.big)
