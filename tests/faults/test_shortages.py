"""A disk that is full, a database that is away: receiving goes on, and what cannot be is said."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from archive.words.statuses import FindStatus, RetrieveStatus, StoreStatus
from deploy.demo.pas import Person, adt
from deploy.demo.workstation import Workstation
from tests.faults.objects import image, images, new_mrn
from tests.faults.regions import assert_all_success
from tests.faults.tiers import Node
from tests.peers.processes import LOOPBACK, wait_until
from tests.peers.valkey import ValkeyPeer

EVERYTHING = str(2**62)
SUCCESS = StoreStatus.SUCCESS


@pytest.fixture
def node(tmp_path: Path, broker: ValkeyPeer) -> Iterator[Node]:
    """A node of this test's own; nothing of it runs yet."""
    node = Node(tmp_path / "node", "RXA", broker=broker.url(6))
    yield node
    node.stop()


def spooled(node: Node) -> list[str]:
    return [path.name for path in (node.archive.directory / "spool").iterdir()]


def workstation(node: Node) -> Workstation:
    return Workstation("WS", LOOPBACK, node.port("dicom"), called="RXA")


def test_below_the_disk_floor_a_store_is_answered_a700_and_not_one_octet_is_written(
    node: Node,
) -> None:
    node["receive"].environment = {"IMAGESTORE_LIMITS__DISK_FLOOR_BYTES": EVERYTHING}
    node.start("receive")
    objects = images(3)

    outcomes = node.modality().store(objects)

    assert {outcome.status for outcome in outcomes} == {StoreStatus.OUT_OF_RESOURCES}
    assert "floor" in outcomes[0].error_comment
    assert spooled(node) == []
    with node.pas() as pas:
        assert pas.send(adt("A28", Person(new_mrn(), "RXA"))).code == "AE"
    assert spooled(node) == []
    assert node.modality().echo() == 0
    node["receive"].wait_said("status=0xA700")

    node["receive"].stop()
    node["receive"].environment = {}
    node.start("receive")
    assert_all_success(node.modality().store(objects))


@pytest.mark.parametrize(
    "database",
    ["sqlite:////nowhere/at/all/index.sqlite", "postgresql+psycopg://nobody@127.0.0.1:1/nothing"],
)
def test_without_its_database_a_node_stores_and_says_that_it_cannot_search(
    node: Node, database: str
) -> None:
    node.settings["database"] = database
    node.settings["peers"] = [{"ae_title": "WS", "host": LOOPBACK, "port": 9}]
    node.start("receive")
    objects = images(2)

    assert_all_success(node.modality().store(objects))
    with node.pas() as pas:
        assert pas.send(adt("A28", Person(new_mrn(), "RXA"))).code == "AA"

    found = workstation(node).find("STUDY", {"StudyInstanceUID": "", "PatientID": "1"})
    assert (found.status, found.matches) == (FindStatus.OUT_OF_RESOURCES, ())
    assert "database" in found.comment.lower()
    moved = workstation(node).move("STUDY", {"StudyInstanceUID": "1.2.3"}, destination="WS")
    assert moved.status == RetrieveStatus.UNABLE_TO_CALCULATE_MATCHES
    assert_all_success(node.modality().store(images(2)))


def test_a_database_that_comes_back_answers_and_has_all_that_came_meanwhile(
    node: Node, tmp_path: Path
) -> None:
    place = tmp_path / "mounted"
    node.settings["database"] = f"sqlite:///{place / 'index.sqlite'}"
    node.start("receive")
    one = image(mrn="M1")
    assert_all_success(node.modality().store([one]))
    keys = {"PatientID": "M1", "StudyInstanceUID": ""}
    assert workstation(node).find("STUDY", keys).status == FindStatus.OUT_OF_RESOURCES

    place.mkdir()
    node.start("work")

    def is_found() -> bool:
        found = workstation(node).find("STUDY", keys)
        return found.status == FindStatus.SUCCESS and len(found.matches) == 1

    wait_until(is_found, what="what came meanwhile is found", seconds=20)


def test_while_somebody_holds_the_databases_write_lock_storing_and_searching_go_on(
    node: Node,
) -> None:
    node.start("receive", "work")
    before = image(mrn="M2")
    assert_all_success(node.modality().store([before]))
    node.archive.wait_holds([before])
    keys = {"PatientID": "M2", "StudyInstanceUID": ""}
    assert len(workstation(node).find("STUDY", keys).matches) == 1
    meanwhile = images(3)

    with closing(sqlite3.connect(node.archive.directory / "index.sqlite")) as greedy:
        greedy.isolation_level = None
        greedy.execute("BEGIN IMMEDIATE")
        assert_all_success(node.modality().store(meanwhile))
        assert len(workstation(node).find("STUDY", keys).matches) == 1
        assert not any(map(node.archive.holds, meanwhile))
        greedy.execute("ROLLBACK")

    node.archive.wait_holds(meanwhile)
