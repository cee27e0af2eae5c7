"""The images of the demo: the bundled media set, the generated CT, the rejection note."""

import socket
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes

from deploy.demo import images
from deploy.demo.images import (
    MediaSetMissing,
    bundled_patients,
    generated_ct,
    part10,
    rejection_note,
)
from deploy.demo.modality import WireObject
from deploy.demo.rejection import TITLES
from tests.peers.dcmtk import dcmdump, needs_dcmtk
from tests.peers.processes import needs_programs, run


def a_series(directory: Path, *, seed: int = 7, slices: int = 3) -> tuple[Path, ...]:
    return generated_ct(
        directory,
        patient_id="RXA0001",
        patient_name="Doe^Peter",
        seed=seed,
        accession="ACC0001",
        study_date="20240102",
        slices=slices,
    )


def complaints(path: Path) -> list[str]:
    """Return what dciodvfy says beyond the name of the IOD."""
    lines = run(["dciodvfy", path]).output.splitlines()
    return [line for line in lines if line.startswith(("Error", "Warning"))]


def test_the_media_set_has_two_patients_with_several_studies_each() -> None:
    archibald, peter = bundled_patients()
    assert (archibald.patient_id, archibald.patient_name) == ("77654033", "Doe^Archibald")
    assert (peter.patient_id, peter.patient_name) == ("98890234", "Doe^Peter")
    assert [(one.study_date, len(one.files)) for one in archibald.studies] == [
        ("19950903", 4),
        ("20010101", 3),
    ]
    assert [one.study_date for one in peter.studies] == ["20010101", *["20030505"] * 3]
    assert len(archibald.files) + len(peter.files) == 31
    assert not [path for path in (*archibald.files, *peter.files) if "DICOMDIR" in path.name]


def test_the_media_set_is_found_without_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", forbidden)
    assert len(bundled_patients()) == 2


def test_an_absent_media_set_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "MEDIA_SET", tmp_path / "absent")
    with pytest.raises(MediaSetMissing):
        bundled_patients()


def test_a_generated_slice_says_that_it_is_generated(tmp_path: Path) -> None:
    data_set = pydicom.dcmread(a_series(tmp_path)[0])
    assert data_set.SeriesDescription == "GENERATED PHANTOM, NOT A PATIENT"
    assert data_set.Manufacturer == "Regional Image Store demo generator"
    assert data_set.BurnedInAnnotation == "NO"
    assert (data_set.Rows, data_set.Columns, data_set.BitsAllocated) == (512, 512, 16)
    assert (data_set.PatientID, data_set.AccessionNumber) == ("RXA0001", "ACC0001")


def test_generated_slices_are_one_series_in_ascending_positions(tmp_path: Path) -> None:
    slices = [pydicom.dcmread(path) for path in a_series(tmp_path, slices=4)]
    assert len({one.SeriesInstanceUID for one in slices}) == 1
    assert len({one.FrameOfReferenceUID for one in slices}) == 1
    assert len({one.SOPInstanceUID for one in slices}) == 4
    assert [one.InstanceNumber for one in slices] == [1, 2, 3, 4]
    assert [one.ImagePositionPatient[2] for one in slices] == [0, 3, 6, 9]


def test_generated_pixels_look_like_a_chest(tmp_path: Path) -> None:
    data_set = pydicom.dcmread(a_series(tmp_path)[1])
    hounsfield = data_set.pixel_array.astype(int) + int(data_set.RescaleIntercept)
    assert np.median(hounsfield[:60, :60]) < -950
    assert -900 < np.median(hounsfield[240:260, 145:165]) < -800
    assert np.median(hounsfield[340:352, 250:262]) > 500


def test_equal_seeds_give_equal_files_and_others_other_uids(tmp_path: Path) -> None:
    first, again = a_series(tmp_path / "a"), a_series(tmp_path / "b")
    other = a_series(tmp_path / "c", seed=8)
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in again]
    uids = [pydicom.dcmread(path).SOPInstanceUID for path in (first[0], other[0])]
    assert uids[0] != uids[1]


def test_a_generated_slice_holds_a_name_with_accents(tmp_path: Path) -> None:
    [path] = generated_ct(
        tmp_path,
        patient_id="1",
        patient_name="Müller^Renée",
        seed=1,
        accession="A",
        study_date="20240102",
        slices=1,
    )
    assert str(pydicom.dcmread(path).PatientName) == "Müller^Renée"


@needs_programs("dciodvfy")
def test_dciodvfy_finds_nothing_wrong_with_generated_slices(tmp_path: Path) -> None:
    for path in a_series(tmp_path):
        assert complaints(path) == []


def test_a_rejection_note_references_what_it_rejects(tmp_path: Path) -> None:
    rejected = a_series(tmp_path)[:2]
    note = rejection_note(rejected, description="patient moved")
    uids = [pydicom.dcmread(path).SOPInstanceUID for path in rejected]
    [study] = note.CurrentRequestedProcedureEvidenceSequence
    [series] = study.ReferencedSeriesSequence
    assert [sop.ReferencedSOPInstanceUID for sop in series.ReferencedSOPSequence] == uids
    text, *items = note.ContentSequence
    assert text.TextValue == "patient moved"
    assert [item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID for item in items] == uids
    assert {item.ValueType for item in items} == {"IMAGE"}


def test_a_rejection_note_is_a_key_object_of_the_same_study_and_patient(tmp_path: Path) -> None:
    [path] = a_series(tmp_path, slices=1)
    rejected = pydicom.dcmread(path)
    note = rejection_note([path])
    [title] = note.ConceptNameCodeSequence
    assert note.SOPClassUID == "1.2.840.10008.5.1.4.1.1.88.59"
    assert (title.CodeValue, title.CodingSchemeDesignator) == ("113001", "DCM")
    assert title.CodeMeaning == "Rejected for Quality Reasons"
    assert note.StudyInstanceUID == rejected.StudyInstanceUID
    assert note.SeriesInstanceUID != rejected.SeriesInstanceUID
    assert (note.PatientID, note.Modality) == ("RXA0001", "KO")


def test_the_titles_are_those_of_the_standard() -> None:
    names = codes.DCM.dir("Rejected") + codes.DCM.dir("Modality") + codes.DCM.dir("Retention")
    known = {code.value: code.meaning for code in (getattr(codes.DCM, name) for name in names)}
    assert {value: known.get(value) for value in TITLES} == dict(TITLES)


def test_a_rejection_note_stays_within_one_study(tmp_path: Path) -> None:
    first, second = a_series(tmp_path / "a"), a_series(tmp_path / "b", seed=8)
    with pytest.raises(ValueError, match="exactly one study"):
        rejection_note([first[0], second[0]])
    with pytest.raises(ValueError, match="exactly one study"):
        rejection_note([])


def test_a_note_can_reject_what_is_only_known_by_its_uids() -> None:
    header = Dataset()
    header.StudyInstanceUID, header.SeriesInstanceUID = "2.25.1", "2.25.2"
    header.SOPClassUID, header.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.88.11", "2.25.3"
    note = rejection_note([header], code="113037")
    assert note.ContentSequence[0].ValueType == "COMPOSITE"


def test_a_note_goes_straight_to_the_wire(tmp_path: Path) -> None:
    note = rejection_note(a_series(tmp_path))
    wire_object = WireObject.from_part10(part10(note))
    assert wire_object.sop_instance_uid == note.SOPInstanceUID
    assert wire_object.sop_class_uid == note.SOPClassUID


@needs_dcmtk
@needs_programs("dciodvfy")
def test_dcmtk_and_dciodvfy_find_nothing_wrong_with_a_rejection_note(tmp_path: Path) -> None:
    for number, rejected in enumerate([a_series(tmp_path), bundled_patients()[0].studies[1].files]):
        path = tmp_path / f"note{number}.dcm"
        path.write_bytes(part10(rejection_note(rejected, description="wrong side")))
        assert complaints(path) == []
        dump = dcmdump(path)
        assert dump.exit_status == 0
        assert "Rejected for Quality Reasons" in dump.output
