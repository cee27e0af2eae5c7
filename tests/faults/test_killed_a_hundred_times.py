"""A hundred times `kill -9` at a random instant, while dcmtk's storescu stores.

`KILL_ROUNDS` sets another number of rounds, `KILL_SEED` another seed: what a failure prints.
"""

import os
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from deploy.demo.modality import WireObject
from tests.faults.objects import image, new_mrn, new_uid
from tests.faults.storescu import OnFile, Sending, on_file
from tests.faults.tiers import Node
from tests.peers.dcmtk import needs_dcmtk
from tests.peers.processes import LOOPBACK, Endpoint, wait_until
from tests.peers.valkey import ValkeyPeer

pytestmark = needs_dcmtk

ROUNDS = int(os.environ.get("KILL_ROUNDS", "100"))
ROUNDS_PER_TEST = 10
SEED = int(os.environ.get("KILL_SEED", "20261124"))

BETWEEN_ANSWERS_SECONDS = 0.006
"""About what one object takes."""

HUGE_SIDE = 2200
"""So many rows of so many pixels are 9.7 million octets."""

OPTIONS: Sequence[Sequence[str]] = ((), ("--max-send-pdu", "4096"))
"""As it is, and in many small PDUs."""


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory, broker: ValkeyPeer) -> Iterator[Node]:
    mortal = Node(tmp_path_factory.mktemp("hundredfold"), "RXA", broker=broker.url(8))
    mortal.start("receive", "work")
    yield mortal
    mortal.stop()


@dataclass
class Round:
    """What one life of the receiving processes was given, and what it acknowledged."""

    number: int
    files: list[OnFile]
    acknowledged: list[WireObject] = field(default_factory=list)
    senders: int = 1

    @property
    def objects(self) -> list[WireObject]:
        return [one.wire_object for one in self.files]


def play(node: Node, number: int, directory: Path) -> Round:
    """Send, kill at an instant by chance, start again, and tell what had been acknowledged."""
    chance = random.Random(SEED + number)
    played = Round(number, [on_file(one, directory) for one in of_mixed_sizes(chance)])
    played.senders = chance.choice((1, 1, 2))
    options = chance.choice(OPTIONS)
    sendings = [
        Sending(
            door(node), played.files[n :: played.senders], directory / f"{number}.{n}.log", options
        )
        for n in range(played.senders)
    ]
    await_instant(sendings, chance)
    kill(node, chance)
    for sending in sendings:
        sending.ended()
        played.acknowledged += sending.acknowledged()
    return played


def await_instant(sendings: Sequence[Sending], chance: random.Random) -> None:
    """Wait until one has some number of answers, then to any instant about the next ones."""
    sending = chance.choice(sendings)
    sending.await_answers(chance.randrange(len(sending.files)))
    time.sleep(chance.uniform(0, 2 * BETWEEN_ANSWERS_SECONDS))


def of_mixed_sizes(chance: random.Random) -> list[WireObject]:
    mrn, study, series = new_mrn(), new_uid(), new_uid()
    sides = [64] * 24 + [512] * 2 + [HUGE_SIDE] * (chance.random() < 0.2)
    chance.shuffle(sides)
    return [
        image(mrn=mrn, study=study, series=series, side=side, number=at)
        for at, side in enumerate(sides, 1)
    ]


def door(node: Node) -> Endpoint:
    return Endpoint(LOOPBACK, node.port("dicom"), "RXA")


def kill(node: Node, chance: random.Random) -> None:
    """Kill all receiving processes at once; or one that serves; or the one that accepts."""
    receive = node["receive"]
    children = receive.children()
    fate = chance.random()
    if children and fate < 0.25:
        chance.choice(children).kill()
        return
    if fate < 0.4:
        receive.kill()
    else:
        receive.kill_all()
    node.start("receive")


@pytest.mark.parametrize("first", range(0, ROUNDS, ROUNDS_PER_TEST))
def test_killed_at_any_instant_nothing_acknowledged_is_lost_torn_or_doubled(
    node: Node, tmp_path: Path, first: int
) -> None:
    print(f"KILL_SEED={SEED}, rounds from {first} on")
    before = node.archive.answers()
    rounds = [play(node, first + n, tmp_path) for n in range(min(ROUNDS_PER_TEST, ROUNDS - first))]

    node.archive.wait_holds([one for played in rounds for one in played.acknowledged])
    node.archive.wait_taken_in()
    found = sum(len(found_of(node, played)) for played in rounds)
    everything = [one for played in rounds for one in played.files]
    assert gained(node, before) == {"Registered": found}
    assert_nothing_is_damaged(node)

    send_all(node, everything, tmp_path / "again.log")

    node.archive.wait_holds([one.wire_object for one in everything])
    node.archive.wait_taken_in()
    assert gained(node, before) == {"Registered": len(everything), "AlreadyHeld": found}


def found_of(node: Node, played: Round) -> list[WireObject]:
    """Return what is in the archive of a round: all that was acknowledged, or is under way."""
    found = [one for one in played.objects if node.archive.holds(one)]
    more = len(found) - len(played.acknowledged)
    assert 0 <= more <= played.senders, f"round {played.number} of seed {SEED}"
    return found


def gained(node: Node, before: dict[str, int]) -> dict[str, int]:
    """Return how often register() gave each answer since."""
    gains = {name: n - before.get(name, 0) for name, n in node.archive.answers().items()}
    return {name: gain for name, gain in gains.items() if gain}


def assert_nothing_is_damaged(node: Node) -> None:
    assert not node.archive.rows("held")
    assert not node.archive.rows("data_quality")
    assert not list((node.archive.directory / "spool").glob("*.damaged"))


def send_all(node: Node, files: Sequence[OnFile], log: Path) -> None:
    sending = Sending(door(node), files, log)
    assert sending.ended() == 0, sending.said()
    assert len(sending.acknowledged()) == len(files)


def test_what_is_sent_again_after_all_that_changes_nothing(node: Node, tmp_path: Path) -> None:
    files = [on_file(one, tmp_path) for one in of_mixed_sizes(random.Random(SEED))]
    send_all(node, files, tmp_path / "once.log")
    node.archive.wait_holds([one.wire_object for one in files])
    wait_until(lambda: not node.archive.rows("instance"), what="all is sealed", seconds=30)
    rows = everything_held(node)
    before = node.archive.answers()

    send_all(node, files, tmp_path / "again.log")

    node.archive.wait_taken_in()
    assert gained(node, before) == {"AlreadyHeld": len(files)}
    assert everything_held(node) == rows


def everything_held(node: Node) -> dict[str, list[dict[str, object]]]:
    return {name: node.archive.rows(name) for name in ("study", "series", "pack", "sop")}
