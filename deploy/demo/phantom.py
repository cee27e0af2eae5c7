"""A CT series that no scanner made: an elliptic chest with lungs, heart, spine, table and noise."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from archive.words.uids import derived_uid

SERIES_DESCRIPTION = "GENERATED PHANTOM, NOT A PATIENT"
MANUFACTURER = "Regional Image Store demo generator"

MATRIX = 512
PIXEL_SPACING_MM = 0.75
SLICE_THICKNESS_MM = 3.0
RESCALE_INTERCEPT = -1024
HIGHEST_STORED_VALUE = 4095
NOISE_HU = 12.0

AIR, LUNG, FAT, WATER, SOFT_TISSUE, BLOOD, PLASTIC, BONE = -1000, -860, -95, 0, 45, 55, 120, 620
"""Hounsfield units of what the phantom is made of."""

Image = NDArray[np.float32]
Mask = NDArray[np.bool_]


def generated_ct(
    directory: Path,
    *,
    patient_id: str,
    patient_name: str,
    seed: int,
    accession: str,
    study_date: str,
    birth_date: str = "",
    slices: int = 40,
) -> tuple[Path, ...]:
    """Write one CT series of 512×512 slices of 16 bits, Explicit VR Little Endian, and its paths.

    ``study_date`` and ``birth_date`` are DA. UIDs and pixels follow from ``seed`` alone, so equal
    seeds give equal UIDs. Only one slice is in memory at a time.
    """
    directory.mkdir(parents=True, exist_ok=True)
    header = _series_header(seed)
    header.PatientID = patient_id
    header.PatientName = patient_name
    header.PatientBirthDate = birth_date
    header.AccessionNumber = accession
    header.StudyDate = header.SeriesDate = header.ContentDate = study_date
    if not patient_name.isascii():
        header.SpecificCharacterSet = "ISO_IR 192"
    return tuple(_written(header, directory, index, slices, seed) for index in range(slices))


def _written(header: Dataset, directory: Path, index: int, slices: int, seed: int) -> Path:
    header.SOPInstanceUID = derived_uid("generated CT instance", str(seed), str(index))
    header.file_meta.MediaStorageSOPInstanceUID = header.SOPInstanceUID
    header.InstanceNumber = index + 1
    half_field_mm = MATRIX * PIXEL_SPACING_MM / 2
    height_mm = index * SLICE_THICKNESS_MM
    header.ImagePositionPatient = [-half_field_mm, -half_field_mm, height_mm]
    header.SliceLocation = height_mm
    header.PixelData = _stored_values(index, slices, seed)
    path = directory / f"CT{index + 1:04d}.dcm"
    header.save_as(path, enforce_file_format=True)
    return path


def _series_header(seed: int) -> Dataset:
    header = Dataset()
    header.file_meta = FileMetaDataset()
    header.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    header.file_meta.MediaStorageSOPClassUID = CTImageStorage
    header.SOPClassUID = CTImageStorage
    header.update(_study_and_series(seed))
    header.update(_image_and_plane(seed))
    return header


def _study_and_series(seed: int) -> Dataset:
    modules = Dataset()
    modules.PatientSex = ""
    modules.StudyInstanceUID = derived_uid("generated CT study", str(seed))
    modules.SeriesInstanceUID = derived_uid("generated CT series", str(seed))
    modules.StudyTime = modules.SeriesTime = modules.ContentTime = "101500"
    modules.ReferringPhysicianName = ""
    modules.StudyID = "1"
    modules.StudyDescription = "CT Thorax (generated)"
    modules.Modality = "CT"
    modules.SeriesNumber = 1
    modules.SeriesDescription = SERIES_DESCRIPTION
    modules.Manufacturer = MANUFACTURER
    modules.PatientPosition = "HFS"
    modules.BodyPartExamined = "CHEST"
    return modules


def _image_and_plane(seed: int) -> Dataset:
    modules = Dataset()
    modules.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    modules.BurnedInAnnotation = "NO"
    modules.AcquisitionNumber = 1
    modules.KVP = None
    modules.FrameOfReferenceUID = derived_uid("generated CT frame of reference", str(seed))
    modules.PositionReferenceIndicator = ""
    modules.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    modules.PixelSpacing = [PIXEL_SPACING_MM, PIXEL_SPACING_MM]
    modules.SliceThickness = SLICE_THICKNESS_MM
    modules.SamplesPerPixel = 1
    modules.PhotometricInterpretation = "MONOCHROME2"
    modules.Rows = modules.Columns = MATRIX
    modules.BitsAllocated, modules.BitsStored, modules.HighBit = 16, 12, 11
    modules.PixelRepresentation = 0
    modules.RescaleIntercept, modules.RescaleSlope = RESCALE_INTERCEPT, 1
    modules.RescaleType = "HU"
    modules.WindowCenter, modules.WindowWidth = 40, 400
    return modules


def _stored_values(index: int, slices: int, seed: int) -> bytes:
    """Return the pixel values of one slice as little-endian unsigned words of 12 bits."""
    hounsfield = _anatomy(index / max(slices - 1, 1))
    random = np.random.default_rng([seed, index])
    hounsfield += NOISE_HU * random.standard_normal(hounsfield.shape, dtype=np.float32)
    hounsfield -= RESCALE_INTERCEPT
    np.clip(hounsfield, 0, HIGHEST_STORED_VALUE, out=hounsfield)
    return hounsfield.astype("<u2").tobytes()


def _anatomy(level: float) -> Image:
    """Return Hounsfield units of the chest at ``level``, from 0 (lowest slice) to 1 (highest)."""
    image = np.full((MATRIX, MATRIX), AIR, dtype=np.float32)
    image[_ellipse(x=0, y=128, width=190, height=8)] = PLASTIC
    image[_ellipse(x=0, y=0, width=165, height=118)] = FAT
    image[_ellipse(x=0, y=0, width=150, height=104)] = SOFT_TISSUE
    for side in (-1, 1):
        lung = 40 + 25 * float(np.sin(np.pi * (0.15 + 0.8 * level)))
        image[_ellipse(x=side * 75, y=-5, width=lung, height=lung * 1.25)] = LUNG
    image[_ellipse(x=22, y=-28, width=58 - 20 * level, height=44 - 12 * level)] = BLOOD
    image[_ellipse(x=8, y=42, width=12, height=12)] = BLOOD
    for bone in _bones(level):
        image[bone] = BONE
    image[_ellipse(x=0, y=88, width=8, height=7)] = WATER
    return image


def _bones(level: float) -> Iterator[Mask]:
    yield _ellipse(x=0, y=68, width=20, height=16)
    yield _ellipse(x=0, y=88, width=12, height=11)
    yield _ellipse(x=0, y=-98, width=16, height=5)
    for step in range(10):
        angle = 2 * np.pi * (step + 0.5 + level) / 10
        x, y = float(135 * np.cos(angle)), float(92 * np.sin(angle))
        yield _ellipse(x=x, y=y, width=7, height=5)


def _ellipse(*, x: float, y: float, width: float, height: float) -> Mask:
    """Return where an ellipse lies; centre from the middle of the image and half axes, in mm."""
    millimetres = (np.arange(MATRIX, dtype=np.float32) - MATRIX / 2) * PIXEL_SPACING_MM
    across = ((millimetres - x) / width) ** 2
    down = ((millimetres - y) / height) ** 2
    inside: Mask = (down[:, None] + across[None, :]) < 1
    return inside
