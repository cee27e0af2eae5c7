"""Somebody else's archive at the next trust: Orthanc queries, moves, and sends back what it got."""

import io
from collections.abc import Iterator

import pydicom
import pytest

from deploy.demo import who
from deploy.demo.chapters.priors import check_object
from deploy.demo.stage import Stage
from deploy.region.options import Peer
from tests.journeys.stages import door, story_region, tell
from tests.peers.orthanc import Orthanc, needs_orthanc, orthanc
from tests.peers.processes import wait_until

pytestmark = needs_orthanc

NODE = "node"


@pytest.fixture(scope="module")
def archive() -> Iterator[Orthanc]:
    with orthanc() as archive:
        yield archive


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, archive: Orthanc) -> Iterator[Stage]:
    place = archive.endpoint
    peer = Peer(who.NEXT, place.ae_title, place.host, place.port)
    with story_region(tmp_path_factory.mktemp("orthanc"), peers=[peer]) as region:
        tell(region.stage, "store", "register", "replicate", "arrive")
        archive.add_peer(NODE, door(region.stage, who.NEXT))
        yield region.stage


def test_orthanc_echoes_the_node(stage: Stage, archive: Orthanc) -> None:
    archive.echo(NODE)


def test_orthanc_finds_the_priors_and_moves_them_to_itself(stage: Stage, archive: Orthanc) -> None:
    images = {image.sop_instance_uid: image for image in stage.images.archibald}
    query = archive.query(NODE, "Study", {"PatientID": who.ARCHIBALD_NEXT.mrn, "PatientName": ""})
    answers = archive.answers(query)
    found = {answer["StudyInstanceUID"] for answer in answers}
    assert found == {image.study_instance_uid for image in images.values()}
    assert {answer["PatientName"] for answer in answers} == {who.ARCHIBALD_NEXT.name}
    archive.retrieve(query)
    came = [pydicom.dcmread(io.BytesIO(archive.part10(each))) for each in archive.instances()]
    assert {str(each.SOPInstanceUID) for each in came} == images.keys()
    for each in came:
        check_object(images[str(each.SOPInstanceUID)], each)


def test_what_orthanc_sends_back_is_known_and_does_not_become_the_trusts(
    stage: Stage, archive: Orthanc
) -> None:
    count = len(stage.images.archibald)
    node = stage.web(who.NEXT, user="operator")
    before = node.metrics()
    archive.store(NODE, archive.instances())
    echoes = 'register_answers{answer="Echo"}'
    wait_until(lambda: node.metrics().get(echoes, 0) == count, what="echoes counted", seconds=30)
    after = node.metrics()
    assert after["instances"] == before["instances"]
    assert f'studies{{custodian="{who.NEXT}"}}' not in after
