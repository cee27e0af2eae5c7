import random

import pytest

from local_node.hl7.framing import Event, Framed, Framer, Oversized, Unframed, framed

ADT = b"MSH|^~\\&|PAS|RXA\rPID|1\r"
ORU = b"MSH|^~\\&|RIS|RXA\rOBR|1\r"


def bodies(events: list[Event]) -> list[bytes]:
    return [event.octets for event in events if isinstance(event, Framed)]


def fed(framer: Framer, *chunks: bytes) -> list[Event]:
    return [event for chunk in chunks for event in framer.feed(chunk)]


def test_a_message_is_found_however_tcp_cuts_it() -> None:
    octets = framed(ADT) + framed(ORU)
    for size in range(1, len(octets) + 1):
        chunks = [octets[at : at + size] for at in range(0, len(octets), size)]
        framer = Framer(1000)
        assert bodies(fed(framer, *chunks)) == [ADT, ORU]
        assert framer.pending == 0


def test_several_messages_in_one_segment_come_in_order() -> None:
    messages = [b"MSH|%d" % number for number in range(50)]
    assert bodies(Framer(1000).feed(b"".join(map(framed, messages)))) == messages


@pytest.mark.parametrize("between", [b"", b"\r", b"\r\n", b"\n\n", b"  ", b"\x1c\r"])
def test_blanks_between_messages_are_nothing(between: bytes) -> None:
    assert bodies(Framer(1000).feed(framed(ADT) + between + framed(ORU) + between)) == [ADT, ORU]


@pytest.mark.parametrize("end", [b"\x1c\r", b"\x1c\n", b"\x1c\x0b"])
def test_a_message_ends_at_fs_with_cr_lf_or_the_next_message(end: bytes) -> None:
    assert bodies(Framer(1000).feed(b"\x0b" + ADT + end)) == [ADT]


def test_a_message_without_its_last_carriage_return_ends_when_the_sender_is_quiet() -> None:
    framer = Framer(1000)
    assert framer.feed(b"\x0b" + ADT + b"\x1c") == []
    assert framer.may_be_whole
    whole = framer.quiet()
    assert whole is not None
    assert whole.octets == ADT
    assert framer.pending == 0
    assert framer.quiet() is None


def test_an_fs_inside_the_content_is_content() -> None:
    inside = b"MSH|^~\\&|\x1cPAS\r"
    assert bodies(Framer(1000).feed(framed(inside))) == [inside]
    octet_by_octet = [bytes([octet]) for octet in framed(inside)]
    assert bodies(fed(Framer(1000), *octet_by_octet)) == [inside]


def test_a_vertical_tab_inside_the_content_is_content() -> None:
    inside = b"MSH|^~\\&|PAS\rOBX|1|TX|||line\x0bline\r"
    assert bodies(Framer(1000).feed(framed(inside))) == [inside]


def test_a_message_begun_anew_is_taken_and_its_abandoned_half_is_counted() -> None:
    (event,) = Framer(1000).feed(b"\x0bMSH|^~\\&|PA" + framed(ADT))
    assert isinstance(event, Framed)
    assert (event.octets, event.abandoned) == (ADT, 11)


def test_half_a_message_is_nothing_yet() -> None:
    framer = Framer(1000)
    assert framer.feed(framed(ADT)[:10]) == []
    assert framer.pending == 10
    assert framer.quiet() is None


@pytest.mark.parametrize("garbage", [b"GET / HTTP/1.1\r\n", b"MSH|^~\\&|\r", b"\x00\x01", b"\r\nx"])
def test_octets_without_a_frame_are_told_at_once(garbage: bytes) -> None:
    assert Framer(1000).feed(garbage) == [Unframed()]


def test_garbage_behind_a_message_does_not_take_the_message_away() -> None:
    first, second = Framer(1000).feed(framed(ADT) + b"garbage")
    assert isinstance(first, Framed)
    assert second == Unframed()


def test_the_limit_holds_for_whole_and_for_endless_messages() -> None:
    assert bodies(Framer(len(ADT)).feed(framed(ADT))) == [ADT]
    for octets in (framed(ADT), framed(ADT)[:-2]):
        (event,) = Framer(len(ADT) - 1).feed(octets)
        assert isinstance(event, Oversized)
        assert event.head.startswith(b"MSH|^~\\&|PAS")


def test_an_endless_message_keeps_no_more_than_the_limit() -> None:
    framer = Framer(10_000)
    framer.feed(b"\x0bMSH")
    chunks = 0
    while not framer.feed(b"x" * 1000):
        chunks += 1
    assert chunks == 9


def test_random_cuts_and_random_content_come_back_whole() -> None:
    chance = random.Random(2)
    for _ in range(200):
        messages = [
            b"MSH" + bytes(chance.choice(range(0x20, 0x100)) for _ in range(chance.randrange(300)))
            for _ in range(chance.randrange(1, 6))
        ]
        octets = b"".join(map(framed, messages))
        framer, got = Framer(1000), []
        while octets:
            size = chance.randrange(1, 200)
            got += framer.feed(octets[:size])
            octets = octets[size:]
        assert bodies(got) == messages
