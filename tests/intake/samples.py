"""Objects made for a test, as a modality would put them on the wire."""

import zlib
from copy import deepcopy
from typing import Any

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.uid import UID

from deploy.demo.rejection import part10, rejection_note
from deploy.demo.wire_object import WireObject

CT = "1.2.840.10008.5.1.4.1.1.2"
SR = "1.2.840.10008.5.1.4.1.1.88.11"
PDF = "1.2.840.10008.5.1.4.1.1.104.1"

IMPLICIT = "1.2.840.10008.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
DEFLATED = "1.2.840.10008.1.2.1.99"
BIG_ENDIAN = "1.2.840.10008.1.2.2"
RLE = "1.2.840.10008.1.2.5"
JPEG_LOSSLESS = "1.2.840.10008.1.2.4.70"

STUDY, SERIES = "1.2.3", "1.2.3.1"


def image(sop: str = "1.2.3.1.1", *, pixels: int = 7, **header: Any) -> Dataset:
    """Return a CT image of 8 x 8 whose words all have one value."""
    data_set = identified(CT, sop)
    data_set.Modality = "CT"
    data_set.Rows = data_set.Columns = 8
    data_set.SamplesPerPixel, data_set.PhotometricInterpretation = 1, "MONOCHROME2"
    data_set.BitsAllocated, data_set.BitsStored, data_set.HighBit = 16, 12, 11
    data_set.PixelRepresentation = 0
    data_set.PixelData = pixels.to_bytes(2, "little") * 64
    data_set["PixelData"].VR = "OW"
    data_set.update(_elements(header))
    return data_set


def report(sop: str = "1.2.3.2.1", *, text: str = "No change.", **header: Any) -> Dataset:
    """Return a Basic Text SR."""
    data_set = identified(SR, sop)
    data_set.Modality, data_set.SeriesInstanceUID = "SR", "1.2.3.2"
    data_set.ValueType = "CONTAINER"
    item = Dataset()
    item.RelationshipType, item.ValueType, item.TextValue = "CONTAINS", "TEXT", text
    data_set.ContentSequence = [item]
    data_set.update(_elements(header))
    return data_set


def letter(sop: str = "1.2.3.3.1", *, octets: bytes = b"%PDF-", **header: Any) -> Dataset:
    """Return an Encapsulated PDF."""
    data_set = identified(PDF, sop)
    data_set.Modality, data_set.SeriesInstanceUID = "DOC", "1.2.3.3"
    data_set.EncapsulatedDocument = octets
    data_set.update(_elements(header))
    return data_set


def identified(sop_class: str, sop: str) -> Dataset:
    data_set = Dataset()
    data_set.SOPClassUID, data_set.SOPInstanceUID = sop_class, sop
    data_set.StudyInstanceUID, data_set.SeriesInstanceUID = STUDY, SERIES
    data_set.PatientID, data_set.PatientName = "100", "Doe^Jane"
    data_set.StudyDate = "20260301"
    number = sop.rpartition(".")[2]
    data_set.InstanceNumber = number if number.isdecimal() else ""
    return data_set


def _elements(header: dict[str, object]) -> Dataset:
    data_set = Dataset()
    for keyword, value in header.items():
        setattr(data_set, keyword, value)
    return data_set


def sent(data_set: Dataset, syntax: str = EXPLICIT) -> WireObject:
    """Return a Data Set as it goes on the wire in a syntax."""
    return WireObject(
        sop_class_uid=str(data_set.SOPClassUID),
        sop_instance_uid=str(data_set.SOPInstanceUID),
        transfer_syntax=syntax,
        data_set=coded(data_set, syntax),
    )


def coded(data_set: Dataset, syntax: str = EXPLICIT) -> bytes:
    """Return the octets of a Data Set whose pixels are native little endian words."""
    copy = copy_of(data_set)
    if syntax == RLE:
        copy.compress(UID(RLE), generate_instance_uid=False)
    if syntax == JPEG_LOSSLESS:
        copy.PixelData = encapsulate([b"\xff\xd8not for decoding\xff\xd9"])
        copy["PixelData"].VR = "OB"
        copy["PixelData"].is_undefined_length = True
    if syntax == BIG_ENDIAN:
        copy.PixelData = b"".join(
            copy.PixelData[at : at + 2][::-1] for at in range(0, len(copy.PixelData), 2)
        )
    return _written(copy, syntax)


def _written(data_set: Dataset, syntax: str) -> bytes:
    target = DicomBytesIO()
    target.is_implicit_VR = syntax == IMPLICIT
    target.is_little_endian = syntax != BIG_ENDIAN
    write_dataset(target, data_set)
    octets = target.getvalue()
    if syntax != DEFLATED:
        return octets
    deflate = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    stream = deflate.compress(octets) + deflate.flush()
    return stream + b"\0" * (len(stream) % 2)


def copy_of(data_set: Dataset) -> Dataset:
    copy = deepcopy(data_set)
    copy.file_meta = FileMetaDataset()
    copy.file_meta.TransferSyntaxUID = UID(EXPLICIT)
    copy.set_original_encoding(is_implicit_vr=False, is_little_endian=True)
    return copy


def note(*rejected: Dataset, code: str = "113001") -> WireObject:
    """Return a rejection note as it goes on the wire."""
    return WireObject.from_part10(part10(rejection_note(rejected, code=code)))
