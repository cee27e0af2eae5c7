"""Small images made for one test each, with UIDs and patients of its own."""

import hashlib
import io
import random
import secrets
from dataclasses import replace
from functools import lru_cache

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage

from deploy.demo.modality import WireObject

SIDE = 64


def new_uid() -> str:
    """Return a UID that nobody has used (PS3.5 Section B.2)."""
    return f"2.25.{secrets.randbits(122)}"


def new_mrn() -> str:
    """Return a patient number that nobody has used."""
    return f"F{secrets.randbits(40):012d}"


def image(
    *,
    mrn: str = "",
    name: str = "Faulty^Frieda",
    birth_date: str = "",
    study: str = "",
    series: str = "",
    sop: str = "",
    number: int = 1,
    pixels: bytes = b"",
    side: int = SIDE,
    **more: str,
) -> WireObject:
    """Return a secondary capture image; what is not given is new."""
    header = Dataset()
    header.SOPClassUID = SecondaryCaptureImageStorage
    header.SOPInstanceUID = sop or new_uid()
    header.StudyInstanceUID = study or new_uid()
    header.SeriesInstanceUID = series or new_uid()
    header.PatientID = mrn or new_mrn()
    header.PatientName = name
    header.PatientBirthDate = birth_date
    header.PatientSex = ""
    header.StudyDate, header.StudyTime = "20250304", "101112"
    header.AccessionNumber = header.StudyID = header.ReferringPhysicianName = ""
    header.Modality = "OT"
    header.SeriesNumber, header.InstanceNumber = 1, number
    header.ConversionType = "WSD"
    header.SamplesPerPixel, header.PhotometricInterpretation = 1, "MONOCHROME2"
    header.Rows = header.Columns = side
    header.BitsAllocated, header.BitsStored, header.HighBit = 16, 16, 15
    header.PixelRepresentation = 0
    header.PixelData = pixels or random.Random(header.SOPInstanceUID).randbytes(side * side * 2)
    for keyword, value in more.items():
        setattr(header, keyword, value)
    return sendable(header)


def sendable(header: Dataset) -> WireObject:
    """Return a Data Set as a modality sends it, in Explicit VR Little Endian."""
    header.file_meta = FileMetaDataset()
    header.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    header.file_meta.MediaStorageSOPClassUID = header.SOPClassUID
    header.file_meta.MediaStorageSOPInstanceUID = header.SOPInstanceUID
    stream = io.BytesIO()
    header.save_as(stream, enforce_file_format=True)
    return WireObject.from_part10(stream.getvalue())


def images(count: int, *, mrn: str = "", study: str = "", **more: object) -> list[WireObject]:
    """Return so many images of one series."""
    of = {"mrn": mrn or new_mrn(), "study": study or new_uid(), "series": new_uid(), **more}
    return [image(number=number + 1, **of) for number in range(count)]  # type: ignore[arg-type]


@lru_cache(4096)
def digest(one: WireObject) -> str:
    """Return the SHA-256 of the Data Set octets, in hexadecimal."""
    with one.opened() as stream:
        return hashlib.sha256(stream.read()).hexdigest()


def called(one: WireObject, sop_instance_uid: str) -> WireObject:
    """Return the same octets under a command that says another SOP Instance UID."""
    return replace(one, sop_instance_uid=sop_instance_uid)


def new_nhs_number() -> str:
    """Return a number of the range 999, which is never issued, with its check digit."""
    while True:
        digits = f"999{secrets.randbelow(10**6):06d}"
        weighed = zip(map(int, digits), range(10, 1, -1), strict=True)
        check = 11 - sum(digit * weight for digit, weight in weighed) % 11
        if check != 10:
            return f"{digits}{check % 11}"
