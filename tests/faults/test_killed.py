"""Processes killed at any instant: all that was acknowledged is there, nothing torn or doubled."""

import random
import signal
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from deploy.demo.modality import PeerError, Stored, WireObject
from deploy.demo.pas import MllpError, Person, adt
from tests.faults.objects import image, images, new_mrn, new_uid
from tests.faults.regions import Region, assert_all_success
from tests.faults.tiers import Node
from tests.peers.processes import wait_until
from tests.peers.valkey import ValkeyPeer

ROUNDS = 10


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory, broker: ValkeyPeer) -> Iterator[Node]:
    """A node of this module's own, whose processes the tests kill."""
    mortal = Node(tmp_path_factory.mktemp("mortal"), "RXA", broker=broker.url(5))
    mortal.start("receive", "work")
    yield mortal
    mortal.stop()


class Sender:
    """Stores objects on one association until it breaks, and remembers what was acknowledged."""

    def __init__(self, node: Node, objects: Sequence[WireObject]) -> None:
        self.acknowledged: list[WireObject] = []
        self.under_way = threading.Event()
        self._objects = objects
        self._association = node.modality().open(objects)
        self._thread = threading.Thread(target=self._send, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def join(self) -> None:
        self._thread.join(30)
        assert not self._thread.is_alive()

    def _send(self) -> None:
        try:
            for one in self._objects:
                self.under_way.set()
                stored: Stored = self._association.store(one)
                assert stored.success, stored.error_comment
                self.acknowledged.append(one)
        except PeerError:
            self._association.cut()


@pytest.mark.parametrize("round_no", range(ROUNDS))
def test_receive_killed_at_any_instant_loses_nothing_it_acknowledged(
    node: Node, round_no: int
) -> None:
    """In the middle of an instance and between two, by chance; every second round has large ones.

    The sender then sends all again, as one does that got no answer.
    """
    chance = random.Random(round_no)
    side = 512 if round_no % 2 else 64
    study, series = new_uid(), new_uid()
    count = 20 if round_no % 2 else 60
    objects = [image(study=study, series=series, side=side) for _ in range(count)]
    sender = Sender(node, objects)

    sender.start()
    sender.under_way.wait(10)
    threading.Event().wait(chance.uniform(0, 0.3))
    node["receive"].kill()
    sender.join()
    node.start("receive")

    node.archive.wait_holds(sender.acknowledged)
    node.archive.wait_taken_in()
    held = node.archive.rows("held")
    assert not held, "nothing torn was taken for an object"
    in_the_archive = [one for one in objects if node.archive.holds(one)]
    assert len(in_the_archive) - len(sender.acknowledged) in {0, 1}, "at most the one under way"
    before = node.archive.answers()

    assert_all_success(node.modality().store(objects))

    node.archive.wait_holds(objects)
    node.archive.wait_taken_in()
    after = node.archive.answers()
    again = after.get("AlreadyHeld", 0) - before.get("AlreadyHeld", 0)
    assert again == len(in_the_archive)
    assert after["Registered"] - before.get("Registered", 0) == len(objects) - again
    assert set(after) <= {"Registered", "AlreadyHeld"}


def test_receive_killed_between_two_instances_has_the_first(node: Node) -> None:
    first, second = images(2)
    association = node.modality().open([first, second])
    assert association.store(first).success

    node["receive"].kill()
    with pytest.raises(PeerError):
        association.store(second)
    node.start("receive")

    node.archive.wait_holds([first])
    assert not node.archive.holdings(second.sop_instance_uid)


def test_receive_killed_in_the_middle_of_an_instance_has_nothing_of_it(node: Node) -> None:
    torn = image(side=512)
    association = node.modality().open([torn])
    association.begin_store(torn, octets=300_000)

    node["receive"].kill()
    node.start("receive")
    whole = image()
    assert_all_success(node.modality().store([whole]))

    node.archive.wait_holds([whole])
    assert not node.archive.holdings(torn.sop_instance_uid)
    assert not node.archive.held_reasons(torn)


def test_receive_killed_among_messages_keeps_every_one_it_acknowledged(node: Node) -> None:
    people = [Person(new_mrn(), "RXA", name="Sterbend^Stella") for _ in range(200)]
    acknowledged: list[Person] = []
    begun = threading.Event()

    def send() -> None:
        with node.pas() as pas:
            for person in people:
                try:
                    assert pas.send(adt("A28", person)).code == "AA"
                except MllpError:
                    return
                acknowledged.append(person)
                begun.set()

    sender = threading.Thread(target=send, daemon=True)
    sender.start()
    assert begun.wait(10)
    node["receive"].kill()
    sender.join(30)
    node.start("receive")

    def are_known() -> bool:
        known = {row["mrn"] for row in node.archive.rows("local_patient")}
        return {person.mrn for person in acknowledged} <= known

    assert acknowledged
    wait_until(are_known, what=f"{len(acknowledged)} acknowledged people are in the index")


def test_work_killed_in_intake_and_sealing_counts_and_seals_once(node: Node) -> None:
    before = node.archive.answers()
    chance = random.Random(7)
    stored: list[WireObject] = []
    for _ in range(4):
        objects = [one for _ in range(6) for one in images(5)]
        assert_all_success(node.modality().store(objects))
        stored += objects
        threading.Event().wait(chance.uniform(0, 0.8))
        node["work"].kill()
        node.start("work")

    node.archive.wait_holds(stored)
    wait_until(lambda: not node.archive.rows("instance"), what="everything is sealed", seconds=30)
    assert all(map(node.archive.holds, stored))
    after = node.archive.answers()
    assert after["Registered"] - before.get("Registered", 0) == len(stored)
    assert after.get("AlreadyHeld", 0) == before.get("AlreadyHeld", 0)
    assert_no_blob_is_missing(node)
    assert not list((node.archive.directory / "spool").glob("*.open"))


def assert_no_blob_is_missing(node: Node) -> None:
    for row in node.archive.rows("pack"):
        encoding = row["encoding_id"]
        assert isinstance(encoding, bytes)
        name = f"packs/{encoding.hex()[:2]}/{encoding.hex()}.tar"
        assert (Path(node.archive.directory) / "blobs" / name).stat().st_size == row["length"]


# --- in a region ----------------------------------------------------------------------------


def doubled_jobs(region: Region) -> list[str]:
    keys = [str(row["idempotency_key"]) for row in region.rxa.archive.rows("job")]
    return sorted({key for key in keys if keys.count(key) > 1})


def unfinished(region: Region) -> list[object]:
    rows = region.rxa.archive.rows("job")
    return [
        (row["kind"], row["state"], row["cause"]) for row in rows if row["state"] != "COMPLETED"
    ]


def test_work_killed_while_it_replicates_ends_with_the_same_index_and_each_job_done_once(
    region: Region,
) -> None:
    chance = random.Random(11)
    objects: list[WireObject] = []
    for _ in range(3):
        more = [one for _ in range(4) for one in images(4)]
        region.store(more)
        objects += more
        threading.Event().wait(chance.uniform(0.3, 1.0))
        region.rxa["work"].kill()
        region.rxa.start("work")

    region.wait_replicated(objects)

    for one in objects:
        assert len(region.centre.archive.holdings(one.sop_instance_uid)) == 1
    wait_until(lambda: not unfinished(region), what="every job is done", seconds=40)
    assert doubled_jobs(region) == []


def test_while_the_centre_is_down_the_node_takes_and_answers_and_then_catches_up(
    region: Region,
) -> None:
    before = images(2)
    region.store(before)
    region.centre["serve"].kill()
    meanwhile = [one for _ in range(3) for one in images(2)]

    region.store(meanwhile)

    region.rxa.archive.wait_holds([*before, *meanwhile])
    assert region.rxa.modality().echo() == 0
    region.centre.start("serve")
    region.centre["serve"].kill()
    late = images(2)
    region.store(late)
    region.centre.start("serve")
    region.wait_replicated([*before, *meanwhile, *late], seconds=60)
    wait_until(lambda: not unfinished(region), what="every job is done", seconds=40)
    assert doubled_jobs(region) == []


def test_while_the_centre_hangs_the_node_takes_and_answers_and_then_catches_up(
    region: Region,
) -> None:
    region.centre["serve"].signal(signal.SIGSTOP)
    try:
        objects = [one for _ in range(3) for one in images(2)]
        region.store(objects)
        region.rxa.archive.wait_holds(objects)
        assert region.rxa.modality().echo() == 0
        with region.rxa.pas() as pas:
            assert pas.send(adt("A28", Person(new_mrn(), "RXA"))).code == "AA"
    finally:
        region.centre["serve"].signal(signal.SIGCONT)

    region.wait_replicated(objects)
    wait_until(lambda: not unfinished(region), what="every job is done", seconds=40)


def test_while_the_broker_is_down_everything_is_done_all_the_same(
    region: Region, broker: ValkeyPeer
) -> None:
    broker.stop()
    try:
        objects = images(3)
        region.store(objects)
        region.wait_replicated(objects)
    finally:
        broker.start()
    afterwards = images(3)
    region.store(afterwards)
    region.wait_replicated(afterwards)
    wait_until(lambda: not unfinished(region), what="every job is done", seconds=40)


def test_work_that_starts_while_the_broker_is_down_works(
    region: Region, broker: ValkeyPeer
) -> None:
    region.rxa["work"].stop()
    broker.stop()
    try:
        region.rxa.start("work")
        objects = images(2)
        region.store(objects)
        region.wait_replicated(objects)
    finally:
        broker.start()
