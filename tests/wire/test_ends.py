"""How a conversation may end at any place, and what is kept of it: whole messages only."""

import itertools

import pytest

from archive.words.statuses import StoreStatus
from tests.wire import octets, table
from tests.wire.messages import conversation, expected
from tests.wire.octets import LIMIT, PDV_OVERHEAD, echo, noise, p_data, plain, store
from tests.wire.scripted import Peer, names
from tests.wire.spooled import Spooled

pytestmark = pytest.mark.usefixtures("served")


HUGE = 9 * 1024 * 1024 + 1
"""Octets; past 8 MB a Data Set streams into a segment of its own."""

ENDINGS = ("abort", "close", "reset", "release", "command")


def test_an_abort_between_messages_keeps_what_was_acknowledged(
    spooled: Spooled, peer: Peer
) -> None:
    messages = [store("1.2.826.1.1", 1, noise(1, 900)), store("1.2.826.1.2", 2, noise(2, 90_000))]
    peer.associate()
    peer.say(*map(plain, messages))
    assert [one.status for one in peer.answers(2)] == [0, 0]
    peer.say(octets.abort())

    assert names(peer.farewell()) == ()
    assert spooled.kept("1.2.826.1.", 2) == expected(messages)


@pytest.mark.parametrize("ending", ENDINGS[:3])
@pytest.mark.parametrize("begun", [1, 2, 3, 150, 900], ids="after {} values".format)
def test_an_end_inside_a_message_keeps_the_messages_before_it(
    spooled: Spooled, peer: Peer, begun: int, ending: str
) -> None:
    under = f"1.2.826.2.{begun}.{ENDINGS.index(ending)}."
    first, second = store(under + "1", 1, noise(1, 900)), store(under + "2", 2, noise(2, 90_000))
    peer.associate()
    peer.say(plain(first))
    assert peer.answer().status == StoreStatus.SUCCESS
    peer.say(*map(p_data, itertools.islice(second.fragments(100), begun)))
    if ending == "reset":
        peer.reset()
    else:
        peer.say(octets.abort() if ending == "abort" else b"")
        peer.end_sending()
        assert names(peer.farewell()) == ()

    assert spooled.kept(under, 1) == expected([first])


def test_what_was_asked_before_this_half_was_closed_is_answered(
    spooled: Spooled, peer: Peer
) -> None:
    messages = [store(f"1.2.826.3.{n}", n, noise(n, 40_000)) for n in range(1, 6)]
    peer.associate()
    peer.say(b"".join(map(plain, messages)))
    peer.end_sending()

    assert [one.message_id for one in peer.answers(5)] == [1, 2, 3, 4, 5]
    assert names(peer.farewell()) == ()
    assert spooled.kept("1.2.826.3.", 5) == expected(messages)


def test_a_peer_that_reads_nothing_is_no_reason_to_lose_anything(
    spooled: Spooled, peer: Peer
) -> None:
    messages = conversation("1.2.826.4.")
    peer.associate()
    peer.say(b"".join(map(plain, messages)) + octets.abort())
    peer.end_sending()

    heard = [one for one in peer.farewell() if one.kind == octets.PduType.P_DATA_TF]
    kept = spooled.kept("1.2.826.4.", 0)
    wanted = expected(messages)
    assert kept == wanted[: len(kept)]
    assert len(heard) <= len(messages)


def test_a_huge_data_set_is_kept_beside_small_ones_in_a_segment_of_its_own(
    spooled: Spooled, peer: Peer
) -> None:
    sizes = (700, HUGE, 900, 1, HUGE + 1, 3)
    messages = [store(f"1.2.826.5.{n}", n, noise(n, size)) for n, size in enumerate(sizes, 1)]
    peer.associate()
    for message in messages:
        peer.say(*map(p_data, message.fragments(LIMIT - PDV_OVERHEAD)))
        peer.say(plain(echo(99)))
    answers = peer.answers(2 * len(messages))

    assert [one.message_id for one in answers] == [1, 99, 2, 99, 3, 99, 4, 99, 5, 99, 6, 99]
    assert {one.status for one in answers} == {StoreStatus.SUCCESS}
    assert peer.released()
    kept = spooled.kept("1.2.826.5.", len(messages))
    assert sorted(kept, key=lambda one: one.sop_instance_uid) == expected(messages)
    huge = [one.segment for one in kept if len(one.data_set) >= HUGE]
    assert [sum(one.segment == name for one in kept) for name in huge] == [1, 1]


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_huge_data_set_that_is_cut_off_leaves_nothing(
    spooled: Spooled, peer: Peer, ending: str
) -> None:
    under = f"1.2.826.6.{ENDINGS.index(ending)}."
    small, huge = store(under + "1", 1, noise(1, 900)), store(under + "2", 2, noise(2, HUGE))
    peer.associate()
    peer.say(plain(small))
    assert peer.answer().status == StoreStatus.SUCCESS
    peer.say(*itertools.islice(map(p_data, huge.fragments(LIMIT - PDV_OVERHEAD)), 70))
    if ending == "reset":
        peer.reset()
    else:
        said, last = {
            "abort": (octets.abort(), ()),
            "close": (b"", ()),
            "release": (octets.release(), ("A-RELEASE-RP",)),
            "command": (plain(echo(3)), (table.INVALID_PARAMETER,)),
        }[ending]
        peer.say(said)
        if ending == "close":
            peer.end_sending()
        assert names(peer.farewell()) == last

    assert spooled.kept(under, 1) == expected([small])
