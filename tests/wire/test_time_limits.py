"""Peers that stop in the middle of something: each is aborted in time, and leaves nothing half."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from archive.dimse.limits import DoorLimits
from archive.words.statuses import StoreStatus
from tests.wire import octets, table
from tests.wire.bare_door import BareDoor, bare_door
from tests.wire.octets import noise, p_data, plain, store
from tests.wire.scripted import Peer, names

HUGE = 9 * 1024 * 1024


@pytest.fixture
def impatient(tmp_path: Path) -> Iterator[BareDoor]:
    """A door that bears a moment of silence."""
    with bare_door(tmp_path, DoorLimits(idle_seconds=0.4)) as running:
        yield running


@pytest.fixture
def hurried(tmp_path: Path) -> Iterator[BareDoor]:
    """A door that serves no association for long."""
    with bare_door(tmp_path, DoorLimits(total_seconds=0.6)) as running:
        yield running


SECOND = store("1.2.826.2", 2, noise(2, 90_000))
COMMAND = b"".join(map(p_data, itertools.islice(SECOND.fragments(100), 1)))
HALF = b"".join(map(p_data, itertools.islice(SECOND.fragments(100), 300)))
STREAMED = plain(store("1.2.826.2", 2, noise(2, HUGE)))[:-20_000]

STOPS = {
    "between messages": b"",
    "within the header of a PDU": octets.p_data()[:3],
    "within a command": COMMAND,
    "within a Data Set": HALF,
    "within a value": HALF[:-50],
    "within a huge Data Set": STREAMED,
}


@pytest.mark.parametrize("said", STOPS.values(), ids=list(STOPS))
def test_a_peer_that_falls_silent_is_aborted_and_keeps_what_was_acknowledged(
    impatient: BareDoor, said: bytes
) -> None:
    with Peer(impatient.endpoint) as peer:
        peer.associate()
        peer.say(plain(store("1.2.826.1", 1, noise(1, 900))))
        assert peer.answer().status == StoreStatus.SUCCESS
        peer.say(said)
        heard = names(peer.farewell())

    assert heard == (table.BY_SERVICE_USER,)
    assert impatient.kept(1) == ["1.2.826.1"]


def test_a_peer_that_says_something_now_and_then_is_not_silent(impatient: BareDoor) -> None:
    message = store("1.2.826.3", 1, noise(3, 2_000))
    with Peer(impatient.endpoint) as peer:
        peer.associate()
        for pdu in map(p_data, message.fragments(300)):
            assert peer.quiet(seconds=0.1)
            peer.say(pdu)
        assert peer.answer().status == StoreStatus.SUCCESS
        assert peer.released()

    assert impatient.kept(1) == ["1.2.826.3"]


def test_an_association_that_never_ends_is_ended(hurried: BareDoor) -> None:
    with Peer(hurried.endpoint) as peer:
        peer.associate()
        peer.say(plain(store("1.2.826.4", 1, noise(4, 900))))
        assert peer.answer().status == StoreStatus.SUCCESS
        peer.say(HALF)
        heard = names(peer.farewell())

    assert heard == (table.BY_SERVICE_USER,)
    assert hurried.kept(1) == ["1.2.826.4"]


def test_a_peer_that_dribbles_for_ever_is_ended(hurried: BareDoor) -> None:
    with Peer(hurried.endpoint) as peer:
        peer.associate()
        for at in range(len(HALF)):
            peer.say(HALF[at : at + 1])
            if not peer.quiet(seconds=0.02):
                break
        heard = names(peer.farewell())

    assert heard == (table.BY_SERVICE_USER,)
    assert hurried.kept(0) == []
