"""The shared DICOM files beside the checkout: their manifest, and how a modality sends each."""

import contextlib
import csv
import functools
import warnings
from dataclasses import dataclass
from pathlib import Path

import pydicom
import pytest

from archive.words.uids import derived_uid
from deploy.demo.modality import WireObject
from deploy.demo.wire_object import NotSendable, RestOfFile, read_file_meta

CORPUS = Path(__file__).resolve().parents[2].parent / "shared" / "dicom"
MANIFEST = CORPUS / "MANIFEST.tsv"

needs_corpus = pytest.mark.skipif(
    not MANIFEST.is_file(), reason="the shared DICOM files (../shared/dicom) are not here"
)
"""Mark for tests that need the shared files."""

SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
EXPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"
EXPLICIT_VR_BIG_ENDIAN = "1.2.840.10008.1.2.2"
IMPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2"


@dataclass(frozen=True, slots=True)
class OnTheWire:
    """A file as a modality would send it, and what had to be made up for that."""

    wire_object: WireObject
    made_up: tuple[str, ...]
    """Of "SOP Class UID", "SOP Instance UID", "Transfer Syntax UID": what no octet says."""

    names_itself: bool
    """The Data Set has the two UIDs that the command says."""


@dataclass(frozen=True, slots=True)
class CorpusFile:
    """One row of the manifest; "" where the manifest says nothing."""

    name: str
    """Path within the corpus."""

    path: Path
    sha256: str
    octets: int
    modality: str
    sop_class_uid: str
    transfer_syntax: str
    pydicom: str
    """"ok", or why pydicom refuses the file."""

    dcmdump: str
    pixels: str
    note: str

    @property
    def malformed(self) -> bool:
        """The file lies in the folder of malformed ones."""
        return self.name.startswith("malformed/")

    def on_the_wire(self) -> OnTheWire:
        """Return what to send: UIDs from the Data Set, else the File Meta, else made up.

        The octets are those after group 0002, or the whole file where it has none.
        """
        with self.path.open("rb") as stream, contextlib.suppress(NotSendable):
            meta = read_file_meta(stream)
            return self._sendable(
                offset=meta.end,
                said={
                    "SOP Class UID": meta.sop_class_uid or self.sop_class_uid,
                    "SOP Instance UID": meta.sop_instance_uid,
                    "Transfer Syntax UID": meta.transfer_syntax or self.transfer_syntax,
                },
            )
        return self._sendable(offset=0, said={})

    def _sendable(self, *, offset: int, said: dict[str, str]) -> OnTheWire:
        own = _uids_of_data_set(self.path)
        known = {**said, **own}
        stand_ins = {
            "SOP Class UID": SECONDARY_CAPTURE,
            "SOP Instance UID": derived_uid("corpus file", self.name),
            "Transfer Syntax UID": _sniffed_syntax(self.path, offset),
        }
        wire_object = WireObject(
            sop_class_uid=known.get("SOP Class UID") or stand_ins["SOP Class UID"],
            sop_instance_uid=known.get("SOP Instance UID") or stand_ins["SOP Instance UID"],
            transfer_syntax=known.get("Transfer Syntax UID") or stand_ins["Transfer Syntax UID"],
            data_set=RestOfFile(path=self.path, offset=offset),
        )
        made_up = tuple(name for name in stand_ins if not known.get(name))
        return OnTheWire(wire_object, made_up, names_itself=len(own) == 2)


def corpus_files() -> list[CorpusFile]:
    """Return every row of the manifest, in its order."""
    return list(_rows())


@functools.cache
def _rows() -> tuple[CorpusFile, ...]:
    with MANIFEST.open(encoding="utf-8", newline="") as stream:
        return tuple(_file(row) for row in csv.DictReader(stream, delimiter="\t"))


def _file(row: dict[str, str]) -> CorpusFile:
    return CorpusFile(
        name=row["path"],
        path=CORPUS / row["path"],
        sha256=row["sha256"],
        octets=int(row["bytes"]),
        modality=row["modality"],
        sop_class_uid=row["sop_class"].partition(" ")[0],
        transfer_syntax=row["transfer_syntax"].partition(" ")[0],
        pydicom=row["pydicom"],
        dcmdump=row["dcmdump"],
        pixels=row["pixels"],
        note=row["note"],
    )


def _uids_of_data_set(path: Path) -> dict[str, str]:
    """Return the UIDs that pydicom finds in the Data Set, and only those."""
    keywords = {"SOP Class UID": "SOPClassUID", "SOP Instance UID": "SOPInstanceUID"}
    try:
        with warnings.catch_warnings(action="ignore"):
            header = pydicom.dcmread(path, force=True, specific_tags=list(keywords.values()))
            found = {name: str(header.get(keyword, "")) for name, keyword in keywords.items()}
    except Exception:  # noqa: BLE001 - whatever a malformed file does to pydicom, it has no UIDs
        return {}
    return {name: value for name, value in found.items() if value.isascii() and value}


def _sniffed_syntax(path: Path, offset: int) -> str:
    """Return the uncompressed transfer syntax that the first element is written in."""
    with path.open("rb") as stream:
        stream.seek(offset)
        head = stream.read(6)
    if not head[4:6].isalpha() or not head[4:6].isupper():
        return IMPLICIT_VR_LITTLE_ENDIAN
    return EXPLICIT_VR_BIG_ENDIAN if head[0] == 0 else EXPLICIT_VR_LITTLE_ENDIAN
