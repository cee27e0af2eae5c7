"""Made images, written once to a cache: CT-like, small ones, and large radiographs."""

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID

from tests.bench.message import EXPLICIT, IMPLICIT, Identity

VERSION = 1
CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2"
MR_IMAGE = "1.2.840.10008.5.1.4.1.1.4"
DX_IMAGE = "1.2.840.10008.5.1.4.1.1.1.1"


@dataclass(frozen=True, slots=True)
class Kind:
    """Images of one kind; half of the series lie in Explicit VR, half in Implicit VR."""

    name: str
    number: int
    modality: str
    sop_class: str
    side: int
    """Rows and columns of 16 bits."""
    series_length: int


KINDS = {
    kind.name: kind
    for kind in (
        Kind("ct", 1, "CT", CT_IMAGE, side=512, series_length=200),
        Kind("small", 2, "MR", MR_IMAGE, side=128, series_length=100),
        Kind("dx", 3, "DX", DX_IMAGE, side=5480, series_length=1),
    )
}
SIZES = {"ct": 800, "small": 2000, "dx": 8}
QUICK_SIZES = {"ct": 100, "small": 300, "dx": 2}


@dataclass(frozen=True, slots=True)
class Image:
    """A file of the corpus."""

    file: str
    sop_class: str
    syntax: str
    series: int
    """Which series of its kind."""
    data_set_at: int
    """Where the Data Set begins, behind the File Meta."""
    octets: int
    """Of the Data Set."""
    identity: Identity


@dataclass(frozen=True, slots=True)
class Corpus:
    """The files of a directory."""

    directory: Path
    images: Mapping[str, Sequence[Image]]

    def files(self, kind: str, count: int) -> list[Path]:
        """Return the first files of a kind."""
        return [self.directory / image.file for image in self.images[kind][:count]]

    def octets(self, kind: str, count: int) -> int:
        """Return how many octets of Data Sets so many instances have."""
        images = self.images[kind]
        rounds, rest = divmod(count, len(images))
        return rounds * sum(i.octets for i in images) + sum(i.octets for i in images[:rest])


def corpus(directory: Path, sizes: Mapping[str, int]) -> Corpus:
    """Return the corpus in a directory; what is not there yet is written."""
    index = directory / "corpus.json"
    wanted = {"version": VERSION, **sizes}
    if not index.is_file() or json.loads(index.read_text())["of"] != wanted:
        shutil.rmtree(directory, ignore_errors=True)
        images = {kind: [*_written(directory, KINDS[kind], n)] for kind, n in sizes.items()}
        told = {kind: [asdict(image) for image in some] for kind, some in images.items()}
        index.write_text(json.dumps({"of": wanted, "images": told}))
    return read_corpus(directory)


def read_corpus(directory: Path) -> Corpus:
    """Return the corpus that was written to a directory."""
    told = json.loads((directory / "corpus.json").read_text())["images"]
    images = {kind: [image_of(one) for one in some] for kind, some in told.items()}
    return Corpus(directory, images)


def image_of(told: Mapping[str, object]) -> Image:
    """Read an image from JSON."""
    identity = told["identity"]
    assert isinstance(identity, dict)
    return Image(**{**told, "identity": Identity(**identity)})  # type: ignore[arg-type]


def _written(directory: Path, kind: Kind, count: int) -> Iterator[Image]:
    (directory / kind.name).mkdir(parents=True)
    random = np.random.default_rng(kind.number)
    for number in range(count):
        series = number // kind.series_length
        identity = Identity.of(
            run=kind.number, stream=0, study=series // 2, series=series, instance=number
        )
        header = _header(kind, identity, number % kind.series_length + 1)
        header.PixelData = _pixels(kind.side, random)
        syntax = EXPLICIT if series % 2 == 0 else IMPLICIT
        file = f"{kind.name}/{number:05d}.dcm"
        yield _saved(header, directory, file, syntax=syntax, series=series, identity=identity)


def _saved(
    header: Dataset, directory: Path, file: str, *, syntax: str, series: int, identity: Identity
) -> Image:
    header.file_meta = FileMetaDataset()
    header.file_meta.TransferSyntaxUID = UID(syntax)
    header.file_meta.MediaStorageSOPClassUID = header.SOPClassUID
    header.file_meta.MediaStorageSOPInstanceUID = header.SOPInstanceUID
    path = directory / file
    header.save_as(path, enforce_file_format=True)
    with path.open("rb") as stream:
        head = stream.read(144)
    at = 144 + int.from_bytes(head[140:144], "little")
    return Image(
        file=file,
        sop_class=str(header.SOPClassUID),
        syntax=syntax,
        series=series,
        data_set_at=at,
        octets=path.stat().st_size - at,
        identity=identity,
    )


def _pixels(side: int, random: np.random.Generator) -> bytes:
    """Return a bright disc in noise, which compresses about as images do."""
    across = np.linspace(-1, 1, side, dtype=np.float32)
    disc = np.where(across[:, None] ** 2 + across[None, :] ** 2 < 0.6, 1040, 24)
    noise = random.standard_normal((side, side), dtype=np.float32) * 12
    return np.clip(disc + noise, 0, 4095).astype("<u2").tobytes()


def _header(kind: Kind, identity: Identity, number: int) -> Dataset:
    """Return a header such as scanners send: some eighty elements, sequences, a private block."""
    header = Dataset()
    header.SpecificCharacterSet = "ISO_IR 100"
    header.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    header.SOPClassUID = UID(kind.sop_class)
    header.SOPInstanceUID = UID(identity.instance)
    header.StudyInstanceUID = UID(identity.study)
    header.SeriesInstanceUID = UID(identity.series)
    header.FrameOfReferenceUID = UID(identity.frame)
    header.PatientID = identity.patient
    header.AccessionNumber = identity.accession
    for keyword, value in _SAID.items():
        setattr(header, keyword, value)
    header.Modality = kind.modality
    header.InstanceNumber = number
    header.SeriesNumber = 1
    header.Rows = header.Columns = kind.side
    if kind.name != "dx":
        header.ImagePositionPatient = ["-125", "-125", f"{1.25 * number:.2f}"]
        header.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        header.SliceLocation = f"{1.25 * number:.2f}"
        header.SliceThickness = "1.25"
    _add_sequences(header, kind)
    return header


_SAID: Mapping[str, object] = {
    "StudyDate": "20260105",
    "SeriesDate": "20260105",
    "AcquisitionDate": "20260105",
    "ContentDate": "20260105",
    "StudyTime": "101500",
    "SeriesTime": "101630",
    "AcquisitionTime": "101640.125000",
    "ContentTime": "101640.125000",
    "Manufacturer": "BENCH MEDICAL",
    "InstitutionName": "Made up for measuring",
    "StationName": "BENCH1",
    "ManufacturerModelName": "Generator",
    "DeviceSerialNumber": "000123",
    "SoftwareVersions": "1.0",
    "ReferringPhysicianName": "Nobody^At^All",
    "StudyDescription": "BENCH STUDY",
    "SeriesDescription": "5.1 bench routine",
    "ProtocolName": "5.1 bench routine",
    "BodyPartExamined": "HEAD",
    "PatientName": "Bench^Made^Up",
    "PatientBirthDate": "19700101",
    "PatientSex": "O",
    "PatientAge": "056Y",
    "PatientWeight": "75",
    "PatientPosition": "HFS",
    "StudyID": "1",
    "AcquisitionNumber": "1",
    "KVP": "120",
    "ExposureTime": "500",
    "XRayTubeCurrent": "240",
    "Exposure": "120",
    "DistanceSourceToDetector": "949.075",
    "DistanceSourceToPatient": "541",
    "GeneratorPower": "28800",
    "FocalSpots": "0.7",
    "ConvolutionKernel": "STANDARD",
    "TableHeight": "142.5",
    "SamplesPerPixel": 1,
    "PhotometricInterpretation": "MONOCHROME2",
    "PixelSpacing": ["0.488281", "0.488281"],
    "BitsAllocated": 16,
    "BitsStored": 12,
    "HighBit": 11,
    "PixelRepresentation": 0,
    "WindowCenter": "1040",
    "WindowWidth": "400",
    "RescaleIntercept": "-1024",
    "RescaleSlope": "1",
    "RescaleType": "HU",
    "PositionReferenceIndicator": "OM",
}


def _add_sequences(header: Dataset, kind: Kind) -> None:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator = "BENCH", "99BENCH"
    code.CodeMeaning = "Made up for measuring"
    step = Dataset()
    step.ScheduledProcedureStepID, step.RequestedProcedureID = "SPS1", "RP1"
    step.ScheduledProcedureStepDescription = "Routine"
    header.ProcedureCodeSequence = [code]
    header.RequestAttributesSequence = [step]
    references = [Dataset() for _ in range(3)]
    for place, reference in enumerate(references):
        reference.ReferencedSOPClassUID = UID(kind.sop_class)
        reference.ReferencedSOPInstanceUID = UID(f"2.25.9{place}")
    header.ReferencedImageSequence = references
    if kind.name == "ct":
        block = header.private_block(0x0043, "BENCH PARAMETERS", create=True)
        for place in range(24):
            block.add_new(0x10 + place, "DS", [f"{0.25 * place * n:.2f}" for n in range(6)])
        block.add_new(0x70, "OB", bytes(range(256)) * 8)
