"""The story with dcmtk's programs as the modality and the workstation.

storescu may encode a file anew on its way out, so the digests to compare with are those of what
storescp receives from the same command.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pydicom
import pytest

from deploy.demo import who
from deploy.demo.chapters.priors import check_object, study_uids
from deploy.demo.modality import Stored
from deploy.demo.stage import Image, Sent, Stage, data_set_digest
from deploy.region.options import CENTRE, Peer
from tests.journeys.stages import door, story_region, tell
from tests.peers.dcmtk import (
    StoreScp,
    echoscu,
    findscu,
    getscu,
    movescu,
    needs_dcmtk,
    storescp,
    storescu,
)
from tests.peers.processes import Endpoint

pytestmark = needs_dcmtk

VIEWER = "VIEWER"
"""storescp as a workstation of the next trust."""


@pytest.fixture(scope="module")
def viewer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreScp]:
    with storescp(tmp_path_factory.mktemp("viewer"), ae_title=VIEWER) as viewer:
        yield viewer


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, viewer: StoreScp) -> Iterator[Stage]:
    peer = Peer(who.NEXT, VIEWER, viewer.endpoint.host, viewer.endpoint.port)
    with story_region(tmp_path_factory.mktemp("dcmtk"), peers=[peer]) as region:
        yield region.stage


def test_a_modality_echoes_and_stores(stage: Stage, tmp_path: Path) -> None:
    images = stage.images
    assert echoscu(door(stage, who.HOME), calling=who.CT_1).exit_status == 0
    _stores(stage, who.CT_1, (*images.archibald, *images.peter), tmp_path / "ct_1")
    _stores(stage, who.WEST_CT, images.namesake, tmp_path / "west")


def _stores(stage: Stage, calling: str, images: Sequence[Image], control: Path) -> None:
    """Store by one command to the node and, for comparison, to storescp."""
    paths = [image.path for image in images]
    with storescp(control) as beside:
        assert storescu(beside.endpoint, paths, calling=calling).exit_status == 0
        digests = {_uid(path): data_set_digest(path.read_bytes()) for path in beside.files}
    ran = storescu(door(stage, who.HOME), paths, calling=calling)
    assert ran.exit_status == 0, ran.output
    assert len(re.findall(r"Received Store Response \(Success\)", ran.output)) == len(images)
    for image in images:
        stage.told.sent[image.sop_instance_uid] = _sent(image, digests[image.sop_instance_uid])


def _uid(path: Path) -> str:
    return str(pydicom.dcmread(path, stop_before_pixels=True).SOPInstanceUID)


def _sent(image: Image, digest: str) -> Sent:
    said = image.wire_object
    stored = Stored(
        sop_class_uid=said.sop_class_uid,
        sop_instance_uid=said.sop_instance_uid,
        transfer_syntax=said.transfer_syntax,
        status=0,
        error_comment="",
        sha256=digest,
        octets=0,
    )
    return Sent(image, stored)


def test_the_centre_has_what_storescp_received_from_the_same_command(stage: Stage) -> None:
    tell(stage, "register", "replicate", "query", "retrieve", "stored")


def test_the_priors_go_ahead_of_the_patient(stage: Stage) -> None:
    tell(stage, "arrive", "only")


def test_findscu_finds_the_priors_by_the_local_number(stage: Stage) -> None:
    wanted = stage.images.archibald
    keys = {"PatientID": who.ARCHIBALD_NEXT.mrn, "StudyInstanceUID": "", "PatientName": ""}
    studies = findscu(door(stage, who.NEXT), "STUDY", keys, calling=VIEWER)
    assert studies.status == 0, studies.ran.output
    found = {str(match.StudyInstanceUID) for match in studies.matches}
    assert found == {image.study_instance_uid for image in wanted}
    assert {str(match.PatientName) for match in studies.matches} == {who.ARCHIBALD_NEXT.name}
    for study in found:
        assert _below(stage, study) == {
            (image.series_instance_uid, image.sop_instance_uid)
            for image in wanted
            if image.study_instance_uid == study
        }


def _below(stage: Stage, study: str) -> set[tuple[str, str]]:
    peer, keys = door(stage, who.NEXT), {"StudyInstanceUID": study, "SeriesInstanceUID": ""}
    series = findscu(peer, "SERIES", keys, calling=VIEWER)
    images = (
        findscu(
            peer,
            "IMAGE",
            {**keys, "SeriesInstanceUID": str(match.SeriesInstanceUID), "SOPInstanceUID": ""},
            calling=VIEWER,
        )
        for match in series.matches
    )
    return {
        (str(match.SeriesInstanceUID), str(match.SOPInstanceUID))
        for answer in images
        for match in answer.matches
    }


def test_findscu_finds_the_person_in_patient_root(stage: Stage) -> None:
    keys = {"PatientID": who.ARCHIBALD_NEXT.mrn, "PatientName": "", "PatientBirthDate": ""}
    found = findscu(door(stage, who.NEXT), "PATIENT", keys, root="-P", calling=VIEWER)
    assert found.status == 0, found.ran.output
    (match,) = found.matches
    assert (match.PatientName, match.PatientBirthDate) == (
        who.ARCHIBALD_NEXT.name,
        who.ARCHIBALD_NEXT.birth_date,
    )


def test_getscu_gets_them_under_the_local_number(stage: Stage, tmp_path: Path) -> None:
    got: list[Path] = []
    for study in _studies(stage):
        keys = {"StudyInstanceUID": study}
        retrieved = getscu(door(stage, who.NEXT), "STUDY", keys, tmp_path / study, calling=VIEWER)
        assert retrieved.status == 0, retrieved.ran.output
        got += retrieved.files
    _check(stage, got)


def test_movescu_moves_them_to_storescp(stage: Stage, viewer: StoreScp) -> None:
    keys = {"StudyInstanceUID": study_uids(stage.images.archibald)}
    moved = movescu(door(stage, who.NEXT), "STUDY", keys, VIEWER, calling=VIEWER)
    assert moved.status == 0, moved.ran.output
    _check(stage, viewer.files)


def _studies(stage: Stage) -> list[str]:
    return sorted({image.study_instance_uid for image in stage.images.archibald})


def _check(stage: Stage, files: Sequence[Path]) -> None:
    by_uid = {image.sop_instance_uid: image for image in stage.images.archibald}
    came = [pydicom.dcmread(path) for path in files]
    assert {str(each.SOPInstanceUID) for each in came} == by_uid.keys()
    assert len(came) == len(by_uid)
    for each in came:
        check_object(by_uid[str(each.SOPInstanceUID)], each)


def test_a_move_to_an_unknown_destination_is_refused(stage: Stage) -> None:
    keys = {"StudyInstanceUID": stage.images.ct_study_uid}
    moved = movescu(door(stage, who.NEXT), "STUDY", keys, "ELSEWHERE", calling=VIEWER)
    assert moved.status == 0xA801


def test_the_centre_refuses_a_calling_ae_that_it_does_not_know(stage: Stage) -> None:
    ran = echoscu(door(stage, CENTRE), calling=who.NOBODY)
    assert ran.exit_status != 0
    assert "Calling AE Title Not Recognized" in ran.output


def test_a_stranger_gets_no_image_and_is_told_which(stage: Stage, tmp_path: Path) -> None:
    keys = {"StudyInstanceUID": stage.images.ct_study_uid}
    calling = who.STRANGERS_WORKSTATION
    peer: Endpoint = door(stage, CENTRE)
    got = getscu(peer, "STUDY", keys, tmp_path / "got", calling=calling)
    assert got.files == ()
    assert got.suboperations["failed"] == who.CT_SLICES
    assert got.status not in (None, 0)


def test_a_rejection_note_hides_an_image_from_dcmtk_too(stage: Stage, tmp_path: Path) -> None:
    tell(stage, "reject")
    rejected = stage.told.rejected
    assert rejected is not None
    keys = {
        "StudyInstanceUID": rejected.study_instance_uid,
        "SeriesInstanceUID": rejected.series_instance_uid,
        "SOPInstanceUID": "",
    }
    found = findscu(door(stage, who.NEXT), "IMAGE", keys, calling=VIEWER)
    uids = {str(match.SOPInstanceUID) for match in found.matches}
    assert uids == {image.sop_instance_uid for image in stage.images.ct if image != rejected}
    study = {"StudyInstanceUID": rejected.study_instance_uid}
    got = getscu(door(stage, who.NEXT), "STUDY", study, tmp_path / "got", calling=VIEWER)
    assert len(got.files) == len(stage.images.ct) - 1
