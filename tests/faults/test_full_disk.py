"""A disk that fills up in the middle of an instance: A700H, nothing half-written, and it goes on.

The file system is small (skipped where nobody may mount one), or files may not grow beyond a limit.
"""

import contextlib
import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from archive.store.part10 import data_set_offset
from archive.store.spool import SpoolReader
from archive.words.statuses import StoreStatus
from deploy.demo.modality import Association, WireObject
from tests.faults.objects import digest, image, images
from tests.faults.small_disks import (
    FileLimit,
    SmallDisk,
    may_make_file_systems,
    small_file_system,
)
from tests.faults.tiers import Archive, Node
from tests.peers.processes import wait_until
from tests.peers.valkey import ValkeyPeer

SUCCESS = StoreStatus.SUCCESS
OUT_OF_RESOURCES = StoreStatus.OUT_OF_RESOURCES

HUGE_SIDE = 2200
"""9.7 million octets: more than lie in memory before they are written, more than there is room."""
LARGE_SIDE = 1100
"""2.4 million octets: there is room for one, not for two."""


@pytest.fixture(params=["small file system", "limited files"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SmallDisk]:
    with contextlib.ExitStack() as stack:
        spool = tmp_path / "node" / "archive" / "spool"
        if request.param == "limited files":
            yield FileLimit(spool)
        elif may_make_file_systems():
            yield stack.enter_context(small_file_system(spool))
        else:
            pytest.skip("this machine lets nobody mount a file system")


@pytest.fixture
def node(tmp_path: Path, broker: ValkeyPeer, disk: SmallDisk) -> Iterator[Node]:
    """A node whose spool lies on the small disk; it receives."""
    node = Node(tmp_path / "node", "RXA", broker=broker.url(6))
    node["receive"].runner = node["work"].runner = disk.runner
    node.start("receive")
    yield node
    node.stop()


def sizes(disk: SmallDisk) -> dict[str, int]:
    """Return the sizes of the segments in which there is anything."""
    names = {path.stem: path.stat().st_size for path in disk.seen.glob("*.[or]*")}
    return {name: size for name, size in names.items() if size}


def statuses(association: Association, *objects: WireObject) -> list[int | None]:
    return [association.store(one).status for one in objects]


def test_what_does_not_fit_is_answered_a700_and_leaves_nothing_and_the_association_goes_on(
    node: Node, disk: SmallDisk
) -> None:
    small, huge = images(4), image(side=HUGE_SIDE)
    receive = node["receive"].running()

    with node.modality().open([huge]) as association:
        assert statuses(association, small[0]) == [SUCCESS]
        disk.become_full(receive)
        before = sum(sizes(disk).values())
        assert statuses(association, huge) == [OUT_OF_RESOURCES]
        assert sum(sizes(disk).values()) == before
        assert statuses(association, small[1], huge, small[2]) == [
            SUCCESS,
            OUT_OF_RESOURCES,
            SUCCESS,
        ]
        disk.become_free(receive)
        assert statuses(association, huge, small[3]) == [SUCCESS, SUCCESS]

    assert_taken_in(node, disk, [*small, huge])


def test_what_fits_until_the_disk_is_full_is_kept_and_nothing_else(
    node: Node, disk: SmallDisk
) -> None:
    objects = images(6, side=LARGE_SIDE)
    receive = node["receive"].running()
    disk.become_full(receive)

    with node.modality().open(objects) as association:
        answers = statuses(association, *objects)
        disk.become_free(receive)
        again = [one for one, answer in zip(objects, answers, strict=True) if answer != SUCCESS]
        assert set(answers) == {SUCCESS, OUT_OF_RESOURCES}
        assert set(statuses(association, *again)) == {SUCCESS}

    assert_recovered(node, disk, objects)


def test_of_what_was_refused_nothing_comes_to_light_when_the_sender_gives_up(
    node: Node, disk: SmallDisk
) -> None:
    small, huge = images(3), image(side=HUGE_SIDE)
    receive = node["receive"].running()
    disk.become_full(receive)

    with node.modality().open([huge]) as association:
        answers = statuses(association, small[0], huge, small[1], huge, small[2])
    assert answers == [SUCCESS, OUT_OF_RESOURCES, SUCCESS, OUT_OF_RESOURCES, SUCCESS]
    disk.become_free(receive)

    assert_recovered(node, disk, small)


@pytest.mark.parametrize("disk", ["limited files"], indirect=True)
def test_a_segment_whose_write_failed_is_closed_for_good_and_keeps_what_was_acknowledged(
    node: Node, disk: SmallDisk
) -> None:
    objects = images(3, side=LARGE_SIDE)
    disk.become_full(node["receive"].running())

    with node.modality().open(objects) as association:
        assert statuses(association, objects[0]) == [SUCCESS]
        (first,) = sizes(disk)
        kept = sizes(disk)[first]
        assert statuses(association, *objects[1:]) == [OUT_OF_RESOURCES, SUCCESS]
        assert sizes(disk)[first] == kept
        assert len(sizes(disk)) == 2

    assert_recovered(node, disk, [objects[0], objects[2]])


def assert_taken_in(node: Node, disk: SmallDisk, objects: list[WireObject]) -> None:
    """Intake takes in exactly these, whatever state the segments are in."""
    node.start("work")
    seen = Archive(node.archive.directory, mounted=disk.seen)
    seen.wait_holds(objects)
    seen.wait_taken_in()
    assert seen.answers() == {"Registered": len(objects)}
    assert not seen.rows("held")
    assert not list(disk.seen.glob("*.damaged"))


def assert_recovered(node: Node, disk: SmallDisk, objects: list[WireObject]) -> None:
    """After the end of the receiving processes, recovery hands over exactly these."""
    node["receive"].kill_all()
    segments = SpoolReader(disk.seen)
    wait_until(lambda: is_all_recovered(segments, disk), what="no segment is open")
    found = [
        sha256_of(b"".join(segments.read(name, offset=record.offset, length=record.length)))
        for name in segments.ready()
        for record in segments.records(name)
    ]
    assert sorted(found) == sorted(map(digest, objects))


def is_all_recovered(segments: SpoolReader, disk: SmallDisk) -> bool:
    """Recover what is not locked: a thread of a killed process may live a moment longer."""
    assert not [one for one in segments.recover() if one.damaged]
    return not list(disk.seen.glob("*.open"))


def sha256_of(part10: bytes) -> str:
    return hashlib.sha256(part10[data_set_offset(part10) :]).hexdigest()
