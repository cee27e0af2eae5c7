"""Small CT images as a modality would put them on the wire, in any transfer syntax."""

import hashlib
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from pydicom import Dataset, dcmread, dcmwrite
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID

from archive.store.part10 import data_set_offset

CT = "1.2.840.10008.5.1.4.1.1.2"
IMPLICIT = "1.2.840.10008.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
JPEG_BASELINE = "1.2.840.10008.1.2.4.50"
JPEG_LOSSLESS = "1.2.840.10008.1.2.4.70"
RLE = "1.2.840.10008.1.2.5"
SIDE = 16


@dataclass(frozen=True)
class Made:
    """One object: what the C-STORE command says, and the Data Set octets."""

    sop_instance_uid: str
    transfer_syntax: str
    octets: bytes

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.octets).hexdigest()


def ct(
    sop: str,
    *,
    study: str = "1.2.3",
    series: str = "1.2.3.1",
    syntax: str = EXPLICIT,
    **values: object,
) -> Made:
    """Return a CT image; ``values`` are further elements by keyword."""
    data_set = _image(sop, study, series)
    for keyword, value in values.items():
        setattr(data_set, keyword, value)
    if syntax == RLE:
        data_set.compress(UID(RLE), generate_instance_uid=False)
    elif syntax in (JPEG_LOSSLESS, JPEG_BASELINE):
        data_set.PixelData = encapsulate([b"\xff\xd8\xff\xd9"])
        data_set["PixelData"].VR = "OB"
    return Made(sop, syntax, _octets(data_set, syntax))


def broken_rle(sop: str) -> Made:
    """Return an image whose RLE segment is cut short: found only by decoding it."""
    made = ct(sop, syntax=RLE)
    end = made.octets.rindex(b"\xfe\xff\xdd\xe0")
    at = end - 200
    return Made(sop, RLE, made.octets[:at] + bytes(200) + made.octets[end:])


def pixels(file: bytes) -> "np.ndarray[tuple[int, ...], np.dtype[np.int16]]":
    return dcmread(BytesIO(file)).pixel_array


def data_set_of(file: bytes) -> bytes:
    return file[data_set_offset(file) :]


def _image(sop: str, study: str, series: str) -> Dataset:
    data_set = Dataset()
    data_set.file_meta = FileMetaDataset()
    data_set.file_meta.TransferSyntaxUID = UID(EXPLICIT)
    data_set.SpecificCharacterSet = "ISO_IR 100"
    data_set.SOPClassUID = CT
    data_set.SOPInstanceUID = sop
    data_set.StudyInstanceUID = study
    data_set.SeriesInstanceUID = series
    data_set.StudyDate, data_set.StudyTime = "20240105", "101500"
    data_set.AccessionNumber = "A1"
    data_set.Modality = "CT"
    data_set.StudyDescription = "CT thorax"
    data_set.PatientName, data_set.PatientID = "Doe^Archibald", "1234"
    data_set.PatientBirthDate, data_set.PatientSex = "19560402", "M"
    data_set.StudyID, data_set.SeriesNumber = "S1", 1
    data_set.InstanceNumber = int(sop.rpartition(".")[2])
    data_set.Rows = data_set.Columns = SIDE
    data_set.SamplesPerPixel, data_set.PhotometricInterpretation = 1, "MONOCHROME2"
    data_set.BitsAllocated = data_set.BitsStored = 16
    data_set.HighBit, data_set.PixelRepresentation = 15, 1
    data_set.PixelData = np.arange(SIDE * SIDE, dtype=np.int16).tobytes()
    return data_set


def _octets(data_set: Dataset, syntax: str) -> bytes:
    data_set.file_meta.TransferSyntaxUID = UID(syntax)
    data_set.file_meta.MediaStorageSOPClassUID = data_set.SOPClassUID
    data_set.file_meta.MediaStorageSOPInstanceUID = data_set.SOPInstanceUID
    file = BytesIO()
    dcmwrite(file, data_set, enforce_file_format=True)
    return data_set_of(file.getvalue())
