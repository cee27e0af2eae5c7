"""The peers of the tests, against each other: dcmtk, Orthanc and the recording SCP."""

from pathlib import Path

import pydicom

from deploy.demo.images import bundled_patients
from deploy.demo.modality import Modality, WireObject
from tests.peers.dcmtk import echoscu, findscu, getscu, movescu, needs_dcmtk, storescp, storescu
from tests.peers.orthanc import needs_orthanc, orthanc
from tests.peers.processes import LOOPBACK, Endpoint, free_port
from tests.peers.scp import RecordingScp


@needs_dcmtk
def test_dcmtk_echoes_and_stores(tmp_path: Path) -> None:
    files = bundled_patients()[0].files
    with storescp(tmp_path / "received") as scp:
        assert echoscu(scp.endpoint).exit_status == 0
        assert storescu(scp.endpoint, files).exit_status == 0
        assert len(scp.files) == len(files)
    assert echoscu(Endpoint(LOOPBACK, free_port(), "GONE")).exit_status != 0


@needs_dcmtk
@needs_orthanc
def test_dcmtk_finds_gets_and_moves_what_orthanc_holds(tmp_path: Path) -> None:
    patient = bundled_patients()[0]
    study = patient.studies[0]
    wanted = {"StudyInstanceUID": study.study_instance_uid}
    keys = {"PatientID": patient.patient_id, "StudyInstanceUID": "", "StudyDate": ""}
    with RecordingScp("WS") as workstation, orthanc() as archive:
        archive.add_peer("ws", workstation.endpoint)
        for path in patient.files:
            archive.upload(path.read_bytes())
        found = findscu(archive.endpoint, "STUDY", keys)
        got = getscu(archive.endpoint, "STUDY", wanted, tmp_path / "got")
        moved = movescu(archive.endpoint, "STUDY", wanted, "WS", calling="WS")
        arrived = workstation.wait_for(len(study.files))
    assert found.status == 0
    assert sorted(str(match.StudyDate) for match in found.matches) == ["19950903", "20010101"]
    assert got.status == 0
    assert sorted(data_set_of(path) for path in got.files) == sorted(map(data_set_of, study.files))
    assert (moved.status, moved.suboperations["completed"]) == (0, len(study.files))
    assert {one.move_originator for one in arrived} == {"WS"}


@needs_orthanc
def test_orthanc_queries_retrieves_and_stores() -> None:
    patient = bundled_patients()[0]
    with orthanc(ae_title="THEIRS") as theirs, orthanc(ae_title="OURS") as ours:
        theirs.add_peer("ours", ours.endpoint)
        ours.add_peer("theirs", theirs.endpoint)
        endpoint = ours.endpoint
        modality = Modality("CT1", endpoint.host, endpoint.port, endpoint.ae_title)
        assert all(one.success for one in modality.store(map(WireObject.from_file, patient.files)))
        theirs.echo("ours")
        keys = {"PatientID": patient.patient_id, "StudyInstanceUID": ""}
        query = theirs.query("ours", "Study", keys)
        assert len(theirs.answers(query)) == len(patient.studies)
        theirs.retrieve(query)
        assert len(theirs.instances()) == len(patient.files)
        assert theirs.store("ours", theirs.instances())["FailedInstancesCount"] == 0


def data_set_of(path: Path) -> bytes:
    with WireObject.from_file(path).opened() as stream:
        return stream.read()


@needs_dcmtk
def test_a_file_from_dcmtk_is_named_by_its_own_meta(tmp_path: Path) -> None:
    path = bundled_patients()[0].files[0]
    with storescp(tmp_path / "received") as scp:
        storescu(scp.endpoint, [path])
        [written] = scp.files
    assert pydicom.dcmread(written).SOPInstanceUID == pydicom.dcmread(path).SOPInstanceUID
