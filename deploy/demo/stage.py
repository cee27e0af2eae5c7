"""What the steps of the story stand on: the region, the images, who has sent what."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pydicom
from pydicom.dataset import Dataset, FileMetaDataset

from deploy.demo import who
from deploy.demo.images import bundled_patients, generated_ct
from deploy.demo.mllp import MllpClient
from deploy.demo.modality import Modality, Stored, WireObject
from deploy.demo.recorder import Recorder
from deploy.demo.web import Web
from deploy.demo.workstation import Workstation
from deploy.region.options import CENTRE, Authority, Caller, Peer, RegionOptions, Source


@dataclass(frozen=True, slots=True)
class Image:
    """One object of the story as its file has it."""

    path: Path
    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    patient_id: str
    accession_number: str
    pixels: str
    """SHA-256 of the value of PixelData, in hexadecimal."""

    @classmethod
    def of(cls, path: Path) -> "Image":
        """Read what the story compares with."""
        header = pydicom.dcmread(path)
        return cls(
            path=path,
            study_instance_uid=str(header.StudyInstanceUID),
            series_instance_uid=str(header.SeriesInstanceUID),
            sop_instance_uid=str(header.SOPInstanceUID),
            patient_id=str(header.PatientID),
            accession_number=str(header.get("AccessionNumber") or ""),
            pixels=pixel_digest(header),
        )

    @property
    def wire_object(self) -> WireObject:
        """The object as a modality sends it."""
        return WireObject.from_file(self.path)


@dataclass(frozen=True, slots=True)
class Sent:
    """One object that was stored, and what the node answered."""

    image: Image
    stored: Stored


@dataclass(frozen=True, slots=True)
class Images:
    """Whose images there are."""

    archibald: tuple[Image, ...]
    peter: tuple[Image, ...]
    namesake: tuple[Image, ...]
    ct: tuple[Image, ...]
    """The generated series, which is also among Archibald's, in instance order."""

    @property
    def ct_study_uid(self) -> str:
        """Study of the generated series."""
        return self.ct[0].study_instance_uid


@dataclass(slots=True)
class Told:
    """What the steps before have done."""

    sent: dict[str, Sent] = field(default_factory=dict)
    """By SOP Instance UID."""

    report: bytes = b""
    """The ORU^R01 as it was sent."""

    rejected: Image | None = None
    note_uid: str = ""

    def of(self, images: Iterable[Image]) -> list[Sent]:
        """Return what was sent of these images."""
        return [self.sent[image.sop_instance_uid] for image in images]


@dataclass(frozen=True, slots=True)
class Stage:
    """A region that is up, and everything that the story does to it."""

    region: Mapping[str, Any]
    """`region.json`."""

    directory: Path
    """The region's directory."""

    scratch: Path
    images: Images
    recorder: Recorder
    told: Told = field(default_factory=Told)

    def modality(self, ae_title: str, *, trust: str = who.HOME) -> Modality:
        """Return a modality that stores to a trust's node."""
        return Modality(ae_title, **_place(self.region["trusts"][trust]["dicom"]))

    def workstation(self, ae_title: str, *, at: str) -> Workstation:
        """Return a workstation that asks a trust's node, or the centre."""
        tier = self.region["central"] if at == CENTRE else self.region["trusts"][at]
        return Workstation(ae_title, **_place(tier["dicom"]))

    def pas(self, trust: str) -> MllpClient:
        """Return a connection of a trust's PAS to its node."""
        place = self.region["trusts"][trust]["mllp"]
        return MllpClient(place["host"], place["port"])

    def web(self, tier: str, *, user: str) -> Web:
        """Return a user at a tier, "operator" or "radiologist.RXA"."""
        return Web(self.address(tier), self.region["tokens"][user])

    def address(self, tier: str) -> str:
        """Return where a tier answers HTTP."""
        if tier == CENTRE:
            return str(self.region["central"]["http"])
        return str(self.region["trusts"][tier]["http"])

    @property
    def tiers(self) -> tuple[str, ...]:
        """Names of the centre and of every trust."""
        return (CENTRE, *self.region["trusts"])


def _place(dicom: Mapping[str, Any]) -> dict[str, Any]:
    return {"host": dicom["host"], "port": dicom["port"], "called": dicom["ae_title"]}


def region_options(directory: Path, recorder: Recorder) -> RegionOptions:
    """Return the region of the story, whose workstation is where the recorder listens."""
    peers = tuple(
        Peer(tier=tier, ae_title=recorder.ae_title, host="127.0.0.1", port=recorder.port)
        for tier in (who.NEXT, who.STRANGER, CENTRE)
    )
    return RegionOptions(
        directory=directory,
        trusts=who.TRUSTS,
        peers=peers,
        callers=(Caller(ae_title=who.STRANGERS_WORKSTATION, trust=who.STRANGER),),
        authorities=(Authority(trust=who.HOME, namespace=who.WEST),),
        sources=(Source(trust=who.HOME, name=who.WEST_CT, authority=who.WEST),),
    )


def make_images(directory: Path) -> Images:
    """Find the bundled patients and generate what nobody may publish of real ones.

    Raises:
        MediaSetMissing: pydicom's test files are not installed.
    """
    archibald, peter = bundled_patients()
    ct = generated_ct(
        directory / "ct",
        patient_id=who.ARCHIBALD.mrn,
        patient_name=who.ARCHIBALD.name,
        seed=1,
        accession=who.CT_ACCESSION,
        study_date=who.CT_DATE,
        slices=who.CT_SLICES,
    )
    namesake = generated_ct(
        directory / "namesake",
        patient_id=who.NAMESAKE.mrn,
        patient_name=who.NAMESAKE.name,
        seed=2,
        accession=who.CT_ACCESSION,
        study_date=who.CT_DATE,
        slices=2,
    )
    ct_images = tuple(map(Image.of, ct))
    return Images(
        archibald=(*map(Image.of, archibald.files), *ct_images),
        peter=tuple(map(Image.of, peter.files)),
        namesake=tuple(map(Image.of, namesake)),
        ct=ct_images,
    )


def pixel_digest(data_set: Dataset) -> str:
    """Return SHA-256 of the value of PixelData as it lies, in hexadecimal."""
    return hashlib.sha256(cast("bytes", data_set.PixelData)).hexdigest()


def data_set_digest(part10: bytes) -> str:
    """Return SHA-256 of the Data Set of a Part 10 file, in hexadecimal.

    Raises:
        NotSendable: it is no Part 10 file.
    """
    with WireObject.from_part10(part10).opened() as data_set:
        return hashlib.sha256(data_set.read()).hexdigest()


def read_data_set(path: Path, transfer_syntax: str) -> Dataset:
    """Read a Data Set that lies without File Meta."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = pydicom.uid.UID(transfer_syntax)
    with path.open("rb") as stream:
        data_set = pydicom.filereader.read_dataset(
            stream, meta.TransferSyntaxUID.is_implicit_VR, meta.TransferSyntaxUID.is_little_endian
        )
    data_set.file_meta = meta
    return data_set
