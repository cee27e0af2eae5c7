"""The line between a modality and its node breaks, anywhere: it sends again, and all is there once.

Where the answer was lost on its way, the object is there before it is sent again.
"""

import random
from collections.abc import Iterator, Sequence

import pytest

from deploy.demo.modality import Modality, PeerError, WireObject
from tests.faults.line import Cuts, CutsAtPdu, Line, Way
from tests.faults.objects import image, images
from tests.faults.tiers import Node
from tests.peers.processes import LOOPBACK

ATTEMPTS = 200
HUGE_SIDE = 2200
"""9.7 million octets, which stream to the disk while they come."""


@pytest.fixture
def line(lone_node: Node) -> Iterator[Line]:
    with Line(lambda: lone_node.port("dicom")) as line:
        yield line


def send_until_acknowledged(line: Line, objects: Sequence[WireObject]) -> int:
    """Send as a modality with a queue does; return how many associations it took."""
    modality = Modality("CT1", LOOPBACK, line.port, "RXA", timeout=10)
    left = list(objects)
    for attempt in range(1, ATTEMPTS):
        try:
            with modality.open(left) as association:
                while left:
                    assert association.store(left[0]).success
                    left.pop(0)
                return attempt
        except PeerError:
            continue
    raise AssertionError(f"{len(left)} objects are left after {ATTEMPTS} associations")


def assert_each_is_there_once(
    node: Node, objects: Sequence[WireObject], before: dict[str, int]
) -> dict[str, int]:
    """Return what register() answered about these."""
    node.archive.wait_holds(objects)
    node.archive.wait_taken_in()
    gains = {name: n - before.get(name, 0) for name, n in node.archive.answers().items()}
    gains = {name: n for name, n in gains.items() if n}
    assert gains["Registered"] == len(objects)
    assert set(gains) <= {"Registered", "AlreadyHeld"}
    assert not [reason for one in objects for reason in node.archive.held_reasons(one)]
    return gains


# For two objects of one PDU each there go up: the request, twice a command and a Data Set, the
# release; and come down: the acceptance, two answers, the release.
PDUS = [(Way.UP, number) for number in range(6)] + [(Way.DOWN, number) for number in range(4)]


@pytest.mark.parametrize("behind", [False, True], ids=["inside", "behind"])
@pytest.mark.parametrize(("way", "number"), PDUS)
def test_a_line_cut_at_any_pdu_costs_nothing_that_is_sent_again(
    lone_node: Node, line: Line, way: Way, number: int, behind: bool
) -> None:
    cuts = CutsAtPdu(way, number, behind=behind)
    line.fault = cuts
    objects = images(2)
    before = lone_node.archive.answers()

    attempts = send_until_acknowledged(line, objects)

    gains = assert_each_is_there_once(lone_node, objects, before)
    ends = (way is Way.UP and number == 5) or (way is Way.DOWN and number == 3)
    assert cuts.done
    assert attempts == (1 if ends or (way is Way.DOWN and number == 2 and behind) else 2)
    lost_answer = way is Way.DOWN and number in {1, 2} and not behind
    assert gains.get("AlreadyHeld", 0) <= 1
    assert gains.get("AlreadyHeld", 0) == 1 or not lost_answer


@pytest.mark.parametrize("number", [2, 30, 60])
def test_a_huge_object_cut_off_leaves_nothing_and_is_there_when_it_is_sent_again(
    lone_node: Node, line: Line, number: int
) -> None:
    line.fault = CutsAtPdu(Way.UP, number, behind=False)
    huge = image(side=HUGE_SIDE)
    before = lone_node.archive.answers()

    assert send_until_acknowledged(line, [huge]) == 2

    assert assert_each_is_there_once(lone_node, [huge], before) == {"Registered": 1}


def test_over_a_flapping_line_all_arrives_once(lone_node: Node, line: Line) -> None:
    cuts = Cuts(random.Random(20261124), most=60_000)
    line.fault = cuts
    objects = [*images(20), *images(3, side=100), *images(20)]
    before = lone_node.archive.answers()

    send_until_acknowledged(line, objects)

    assert_each_is_there_once(lone_node, objects, before)
    assert cuts.done >= 5
