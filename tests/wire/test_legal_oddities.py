"""What the Standard allows and few senders do: each is taken as the plain sending would be."""

from collections.abc import Callable, Iterator, Sequence

import pytest

from archive.words.statuses import StoreStatus
from tests.associations.door import wire
from tests.wire import octets
from tests.wire.messages import conversation, expected, message_ids
from tests.wire.octets import LIMIT, Message, Pdv, echo, in_pdus, noise, p_data, plain, store
from tests.wire.scripted import Peer, names
from tests.wire.spooled import Spooled

pytestmark = pytest.mark.usefixtures("served")


Cutting = Callable[[Sequence[Message]], Iterator[bytes]]


def cut(messages: Sequence[Message], length: int) -> Iterator[Pdv]:
    """Give the fragments of all messages, one message behind the other."""
    for message in messages:
        yield from message.fragments(length)


def a_value_of_100_octets_a_pdu(messages: Sequence[Message]) -> Iterator[bytes]:
    return map(p_data, cut(messages, 100))


def a_value_of_one_octet_a_pdu(messages: Sequence[Message]) -> Iterator[bytes]:
    return map(p_data, cut(messages, 1))


def many_values_in_one_pdu(messages: Sequence[Message]) -> Iterator[bytes]:
    for message in messages:
        yield from in_pdus(message.fragments(100), limit=LIMIT)


def several_messages_in_one_pdu(messages: Sequence[Message]) -> Iterator[bytes]:
    return in_pdus(cut(messages, 3_000), limit=LIMIT)


def the_command_in_three_pdus(messages: Sequence[Message]) -> Iterator[bytes]:
    for message in messages:
        third = len(message.command) // 3 + 1
        yield from map(p_data, Message(message.context_id, message.command).fragments(third))
        yield from map(p_data, (one for one in message.fragments(16_000) if not one.command))


def command_and_first_data_in_one_pdu(messages: Sequence[Message]) -> Iterator[bytes]:
    for message in messages:
        values = list(message.fragments(5_000))
        yield p_data(*values[:2])
        yield from map(p_data, values[2:])


def last_data_and_next_command_in_one_pdu(messages: Sequence[Message]) -> Iterator[bytes]:
    gathered: list[Pdv] = []
    for value in cut(messages, 5_000):
        gathered.append(value)
        if not (value.last and not value.command):
            yield p_data(*gathered)
            gathered = []
    if gathered:
        yield p_data(*gathered)


def empty_fragments_everywhere(messages: Sequence[Message]) -> Iterator[bytes]:
    for value in cut(messages, 5_000):
        nothing = Pdv(value.context_id, b"", value.command, last=False)
        yield p_data(nothing)
        yield p_data(nothing, value, nothing) if not value.last else p_data(nothing, value)


def an_empty_last_fragment(messages: Sequence[Message]) -> Iterator[bytes]:
    for value in cut(messages, 5_000):
        yield p_data(Pdv(value.context_id, value.fragment, value.command, last=False))
        if value.last:
            yield p_data(Pdv(value.context_id, b"", value.command, last=True))


def as_long_as_the_door_takes(messages: Sequence[Message]) -> Iterator[bytes]:
    return map(p_data, cut(messages, LIMIT - octets.PDV_OVERHEAD))


def reserved_octets_and_bits_set(messages: Sequence[Message]) -> Iterator[bytes]:
    for value in cut(messages, 16_000):
        said = bytearray(p_data(value))
        said[1] = 0xFF
        said[11] |= 0xFC
        yield bytes(said)


def one_write(messages: Sequence[Message]) -> Iterator[bytes]:
    yield b"".join(map(plain, messages))


CUTTINGS: Sequence[Cutting] = (
    a_value_of_100_octets_a_pdu,
    many_values_in_one_pdu,
    several_messages_in_one_pdu,
    the_command_in_three_pdus,
    command_and_first_data_in_one_pdu,
    last_data_and_next_command_in_one_pdu,
    empty_fragments_everywhere,
    an_empty_last_fragment,
    as_long_as_the_door_takes,
    reserved_octets_and_bits_set,
    one_write,
)


def exchange(peer: Peer, messages: Sequence[Message], writes: Iterator[bytes]) -> None:
    """Say the writes and hear each message of them answered with Success, in order."""
    peer.say(*writes)
    answers = peer.answers(len(messages))
    assert [one.message_id for one in answers] == message_ids(messages)
    assert {one.status for one in answers} == {StoreStatus.SUCCESS}


@pytest.mark.parametrize("cutting", CUTTINGS, ids=lambda one: one.__name__)
def test_messages_are_what_their_fragments_say_however_they_are_cut(
    spooled: Spooled, peer: Peer, cutting: Cutting
) -> None:
    under = f"1.2.826.1.{CUTTINGS.index(cutting)}."
    messages = conversation(under)
    peer.associate()
    exchange(peer, messages, cutting(messages))
    assert peer.released()
    assert spooled.kept(under, len(expected(messages))) == expected(messages)


def test_fragments_of_a_single_octet_are_a_message(spooled: Spooled, peer: Peer) -> None:
    messages = [store("1.2.826.2.1", 1, noise(1, 900)), echo(2)]
    peer.associate()
    exchange(peer, messages, a_value_of_one_octet_a_pdu(messages))
    assert peer.released()
    assert spooled.kept("1.2.826.2.1", 1) == expected(messages)


def test_a_conversation_may_come_octet_by_octet(spooled: Spooled, peer: Peer) -> None:
    messages = [
        echo(1),
        store("1.2.826.3.1", 2, noise(2, 700)),
        store("1.2.826.3.2", 3, noise(3, 1)),
    ]
    request = octets.association_request()
    peer.dribble(request[:-1])
    peer.associate(request[-1:])
    peer.dribble(b"".join(map(plain, messages)))
    assert [one.message_id for one in peer.answers(3)] == [1, 2, 3]
    peer.dribble(octets.release())
    assert names(peer.farewell()) == ("A-RELEASE-RP",)
    assert spooled.kept("1.2.826.3.", 2) == expected(messages)


@pytest.mark.parametrize("count", [1, 20], ids="{} stores".format)
def test_all_that_was_asked_in_one_write_is_answered_before_its_release(
    spooled: Spooled, peer: Peer, count: int
) -> None:
    under = f"1.2.826.4.{count}."
    messages = [store(f"{under}{n}", n, noise(n, 100 * n)) for n in range(1, count + 1)]
    messages += [echo(count + 1)]
    peer.associate()
    peer.say(b"".join(map(plain, messages)) + octets.release())
    answers = peer.answers(count + 1)
    assert [one.message_id for one in answers] == message_ids(messages)
    assert {one.status for one in answers} == {StoreStatus.SUCCESS}
    assert names(peer.farewell()) == ("A-RELEASE-RP",)
    assert spooled.kept(under, count) == expected(messages)


def test_the_request_and_all_behind_it_may_come_in_one_write(peer: Peer) -> None:
    """The requests come while the user decides (PS3.8 Sta3), so an abort may answer them."""
    peer.say(octets.association_request() + plain(echo(1)) + octets.release())

    heard = names(peer.farewell())
    assert heard in {
        ("A-ABORT 2/2",),
        ("A-ASSOCIATE-AC", "P-DATA-TF", "A-RELEASE-RP"),
    }


@pytest.mark.parametrize("maximum_length", [0, 16_384, 4_096, 128, 0xFFFF_FFFF])
def test_no_response_is_longer_than_the_peer_takes(
    spooled: Spooled, peer: Peer, maximum_length: int
) -> None:
    under = f"1.2.826.5.{maximum_length}."
    messages = [store(f"{under}{'9' * 30}.1", 1, b"ab"), echo(2), store(f"{under}2", 3, None)]
    peer.associate(octets.association_request(maximum_length=maximum_length))
    peer.say(*map(plain, messages))

    assert [one.message_id for one in peer.answers(3)] == [1, 2, 3]
    assert peer.released()
    assert peer.longest <= (maximum_length or LIMIT)
    assert spooled.kept(under, 1) == expected(messages)


@pytest.mark.parametrize("maximum_length", [0, 128])
def test_a_query_between_stores_is_answered_in_its_turn(
    spooled: Spooled, peer: Peer, maximum_length: int
) -> None:
    study = f"1.2.826.6.{maximum_length}.1"
    first = wire(f"{study}.1", StudyInstanceUID=study, SeriesInstanceUID=study)
    under = f"1.2.826.6.{maximum_length}.2."
    with Peer(spooled.archive.endpoint) as before:
        before.associate()
        before.say(plain(store(first.sop_instance_uid, 1, bytes(first.data_set))))  # type: ignore[arg-type]
        assert before.answer().status == StoreStatus.SUCCESS
    spooled.register(first.sop_instance_uid)

    stores = [store(f"{under}1", 2, noise(2, 5_000)), store(f"{under}2", 9, noise(3, 5_000))]
    peer.associate(octets.association_request(maximum_length=maximum_length))
    peer.say(plain(stores[0]) + plain(octets.find(5)) + plain(stores[1]))

    assert peer.answer().message_id == 2
    while (found := peer.answer()).status == 0xFF00:
        assert found.message_id == 5
        assert b"STUDY " in found.data_set
    assert (found.message_id, found.status) == (5, 0)
    assert peer.answer().message_id == 9
    assert peer.released()
    assert peer.longest <= (maximum_length or LIMIT)
    assert spooled.kept(under, 2) == expected(stores)


def test_a_store_without_a_data_set_is_answered_and_the_next_one_kept(
    spooled: Spooled, peer: Peer
) -> None:
    messages = [store("1.2.826.7.1", 1, None), store("1.2.826.7.2", 2, b""), echo(3)]
    messages.append(store("1.2.826.7.4", 4, noise(4, 300)))
    peer.associate()
    peer.say(*map(plain, messages))

    statuses = [one.status for one in peer.answers(4)]
    assert statuses == [StoreStatus.CANNOT_UNDERSTAND, StoreStatus.CANNOT_UNDERSTAND, 0, 0]
    assert peer.released()
    assert spooled.kept("1.2.826.7.", 1) == expected(messages[3:])
