"""The demo's workstation and what it records, against Orthanc, dcmtk and octets made by hand."""

import io
from http.client import HTTPResponse
from pathlib import Path
from typing import Any, cast

import pytest

from deploy.demo.images import bundled_patients
from deploy.demo.modality import Modality, WireObject
from deploy.demo.recorder import Recorder
from deploy.demo.web import WebError, _parts
from deploy.demo.workstation import Workstation
from tests.peers.dcmtk import echoscu, needs_dcmtk, storescu
from tests.peers.orthanc import needs_orthanc, orthanc
from tests.peers.processes import LOOPBACK, Endpoint, wait_until


@needs_orthanc
def test_what_orthanc_got_is_found_got_and_moved_with_the_octets_that_were_sent(
    tmp_path: Path,
) -> None:
    patient = bundled_patients()[0]
    objects = [WireObject.from_file(path) for path in patient.files]
    with (
        Recorder("RECORDER", tmp_path / "moved") as recorder,
        orthanc(peers={"r": Endpoint(LOOPBACK, recorder.port, "RECORDER")}) as archive,
    ):
        place: dict[str, Any] = {
            "host": LOOPBACK,
            "port": archive.endpoint.port,
            "called": "ORTHANC",
        }
        sent = {each.sha256 for each in Modality("MODALITY", **place).store(objects)}
        workstation = Workstation("RECORDER", **place)
        keys = {"PatientID": patient.patient_id, "StudyInstanceUID": ""}
        found = workstation.find("STUDY", keys)
        assert found.status == 0
        uids = sorted(str(match.StudyInstanceUID) for match in found.matches)
        assert uids == sorted(study.study_instance_uid for study in patient.studies)
        study = {"StudyInstanceUID": "\\".join(uids)}
        kinds = [each.context for each in objects]
        got = workstation.get("STUDY", study, kinds=kinds, directory=tmp_path / "got")
        assert (got.status, got.completed, got.failed) == (0, len(objects), 0)
        assert {each.sha256 for each in got.received} == sent
        moved = workstation.move("STUDY", study, destination="RECORDER")
        assert moved.status == 0
        assert {each.sha256 for each in recorder.received()} == sent


@needs_dcmtk
def test_the_recorder_answers_dcmtk_and_keeps_what_it_sends(tmp_path: Path) -> None:
    path = bundled_patients()[0].files[0]
    with Recorder("RECORDER", tmp_path) as recorder:
        peer = Endpoint(LOOPBACK, recorder.port, "RECORDER")
        assert echoscu(peer).exit_status == 0
        assert storescu(peer, [path]).exit_status == 0
        wait_until(lambda: len(recorder.received()) == 1, what="one object")
        (received,) = recorder.received()
        assert received.sop_instance_uid == WireObject.from_file(path).sop_instance_uid
        assert received.path.stat().st_size == received.octets


class _Body(io.BytesIO):
    """A body that comes a few octets at a time."""

    def read(self, size: int | None = -1) -> bytes:
        return super().read(3 if size else 0)


def _split(body: bytes) -> list[bytes]:
    return list(_parts(cast("HTTPResponse", _Body(body)), b"x"))


def test_parts_of_a_multipart_body_come_whole_however_it_is_cut() -> None:
    part = b"\r\nContent-Type: application/dicom\r\n\r\n"
    body = b"--x" + part + b"\r\n-one-\r\n" + b"\r\n--x" + part + b"two" + b"\r\n--x--\r\n"
    assert _split(body) == [b"\r\n-one-\r\n", b"two"]


def test_a_multipart_body_that_was_broken_off_is_told() -> None:
    with pytest.raises(WebError, match="last boundary"):
        _split(b"--x\r\n\r\none")
