"""The images of the demo: pydicom's bundled media set, and the studies as a modality sends them."""

from dataclasses import dataclass
from pathlib import Path

import pydicom
import pydicom.data
from pydicom.uid import MediaStorageDirectoryStorage

from deploy.demo.phantom import generated_ct
from deploy.demo.rejection import part10, rejection_note

__all__ = [
    "BundledPatient",
    "BundledStudy",
    "MediaSetMissing",
    "bundled_patients",
    "generated_ct",
    "part10",
    "rejection_note",
]

MEDIA_SET = Path(pydicom.data.__file__).parent / "test_files" / "dicomdirtests"
"""Where pydicom's wheel has its DICOMDIR media set; asked for by path, never over the network."""


class MediaSetMissing(FileNotFoundError):
    """This installation of pydicom came without its test files."""


@dataclass(frozen=True, slots=True)
class BundledStudy:
    """One study of the media set."""

    study_instance_uid: str
    study_date: str
    """StudyDate as the files have it (DA)."""

    modalities: tuple[str, ...]
    files: tuple[Path, ...]
    """In the order of their paths."""


@dataclass(frozen=True, slots=True)
class BundledPatient:
    """One patient of the media set, with every study; the birth date is blank in the files."""

    patient_id: str
    patient_name: str
    studies: tuple[BundledStudy, ...]
    """Oldest first."""

    @property
    def files(self) -> tuple[Path, ...]:
        """Every file of every study."""
        return tuple(path for study in self.studies for path in study.files)


@dataclass(frozen=True, slots=True)
class _Header:
    path: Path
    patient_id: str
    patient_name: str
    study_instance_uid: str
    study_date: str
    modality: str


def bundled_patients() -> tuple[BundledPatient, ...]:
    """Return the patients of pydicom's media set, by PatientID: 77654033, then 98890234.

    Directories that are media sets of their own are left out, and so are the DICOMDIR files.

    Raises:
        MediaSetMissing: pydicom's test files are not installed.
    """
    if not MEDIA_SET.is_dir():
        raise MediaSetMissing(f"pydicom's bundled media set is not at {MEDIA_SET}.")
    headers = [_header(path) for path in _image_paths(MEDIA_SET)]
    patient_ids = sorted({header.patient_id for header in headers})
    return tuple(_patient([h for h in headers if h.patient_id == one]) for one in patient_ids)


def _image_paths(media_set: Path) -> list[Path]:
    members = [entry for entry in media_set.iterdir() if entry.is_dir()]
    patients = [member for member in members if not (member / "DICOMDIR").exists()]
    paths = (path for member in patients for path in member.rglob("*") if path.is_file())
    return sorted(path for path in paths if _is_image(path))


def _is_image(path: Path) -> bool:
    if not pydicom.misc.is_dicom(path):
        return False
    meta = pydicom.filereader.read_file_meta_info(path)
    return bool(meta.MediaStorageSOPClassUID != MediaStorageDirectoryStorage)


def _header(path: Path) -> _Header:
    header = pydicom.dcmread(path, stop_before_pixels=True)
    return _Header(
        path=path,
        patient_id=str(header.PatientID),
        patient_name=str(header.PatientName),
        study_instance_uid=str(header.StudyInstanceUID),
        study_date=str(header.StudyDate),
        modality=str(header.Modality),
    )


def _patient(headers: list[_Header]) -> BundledPatient:
    dated = {(header.study_date, header.study_instance_uid) for header in headers}
    return BundledPatient(
        patient_id=headers[0].patient_id,
        patient_name=headers[0].patient_name,
        studies=tuple(
            _study([header for header in headers if header.study_instance_uid == uid])
            for _, uid in sorted(dated)
        ),
    )


def _study(headers: list[_Header]) -> BundledStudy:
    return BundledStudy(
        study_instance_uid=headers[0].study_instance_uid,
        study_date=headers[0].study_date,
        modalities=tuple(sorted({header.modality for header in headers})),
        files=tuple(header.path for header in headers),
    )
