"""Any cutting of any messages leaves the same octets on the disk and gets the same answers."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.wire.messages import expected
from tests.wire.octets import (
    LIMIT,
    PDV_OVERHEAD,
    STORING,
    Message,
    Pdv,
    echo,
    noise,
    p_data,
    plain,
    release,
    store,
)
from tests.wire.scripted import Answer, Peer, names
from tests.wire.spooled import Kept, Spooled

MOST = 400
"""Fragments, and writes, that one conversation is cut into; what is left goes as it is."""


@dataclass(frozen=True, slots=True)
class Cutting:
    """Lengths that are used over and over: of fragments, of PDUs in fragments, of writes."""

    fragments: Sequence[int]
    values: Sequence[int]
    writes: Sequence[int]
    releases_at_once: bool


lengths = st.integers(0, 40_000) | st.sampled_from([0, 1, 2, 100, 16_378, LIMIT - PDV_OVERHEAD])
stores = st.tuples(
    st.sampled_from(STORING), st.integers(0, 300) | st.integers(0, 200_000) | st.none()
)
conversations = st.lists(stores | st.just("echo"), min_size=1, max_size=6)
cuttings = st.builds(
    Cutting,
    fragments=st.lists(lengths, min_size=1, max_size=5).filter(any),
    values=st.lists(st.integers(1, 40), min_size=1, max_size=4),
    writes=st.lists(st.integers(1, 70_000), min_size=1, max_size=5),
    releases_at_once=st.booleans(),
)


def messages_of(drawn: Sequence[tuple[int, int | None] | str]) -> list[Message]:
    """Return the requests of a conversation; a size of None is a store without a Data Set."""
    messages = []
    for number, one in enumerate(drawn, start=1):
        if isinstance(one, str):
            messages.append(echo(number))
        else:
            context_id, size = one
            data_set = None if size is None else noise(number, size)
            messages.append(store(f"1.2.3.{number}", number, data_set, context_id=context_id))
    return messages


def values_of(messages: Sequence[Message], cutting: Cutting) -> Iterator[Pdv]:
    """Give the fragments of messages, some of them empty, also before and as the last one."""
    sizes = itertools.chain(
        itertools.islice(itertools.cycle(cutting.fragments), MOST), itertools.repeat(LIMIT)
    )
    for message in messages:
        for part, command in ((message.command, True), (message.data_set, False)):
            if part is not None:
                yield from _cut(message.context_id, part, sizes, command=command)


def _cut(context_id: int, part: bytes, sizes: Iterator[int], *, command: bool) -> Iterator[Pdv]:
    at, last = 0, False
    while not last:
        size = min(next(sizes), LIMIT - PDV_OVERHEAD)
        fragment, at = part[at : at + size], at + size
        last = at >= len(part)
        yield Pdv(context_id, fragment, command, last)


def pdus_of(values: Iterator[Pdv], cutting: Cutting) -> Iterator[bytes]:
    """Give PDUs of several values each, none longer than the door takes."""
    counts = itertools.cycle(cutting.values)
    gathered: list[Pdv] = []
    count = next(counts)
    for value in values:
        if gathered and (len(gathered) == count or sum(map(len, gathered)) + len(value) > LIMIT):
            yield p_data(*gathered)
            gathered, count = [], next(counts)
        gathered.append(value)
    yield p_data(*gathered)


def writes_of(octets: bytes, cutting: Cutting) -> Iterator[bytes]:
    """Give the octets in writes of their own."""
    at = 0
    for size in itertools.islice(itertools.cycle(cutting.writes), MOST):
        yield octets[at : at + size]
        at += size
    yield octets[at:]


def plainly(spooled: Spooled, messages: Sequence[Message]) -> tuple[list[Answer], list[Kept]]:
    """Send one message after the other as most senders do, waiting for each answer."""
    answers = []
    with Peer(spooled.archive.endpoint) as peer:
        peer.associate()
        for message in messages:
            peer.say(plain(message))
            answers.append(peer.answer())
        assert peer.released()
    return answers, spooled.taken(len(expected(messages)))


def cut_up(
    spooled: Spooled, messages: Sequence[Message], cutting: Cutting
) -> tuple[list[Answer], list[Kept]]:
    """Send all messages cut as drawn, not waiting for any answer."""
    octets = b"".join(pdus_of(values_of(messages, cutting), cutting))
    with Peer(spooled.archive.endpoint) as peer:
        peer.associate()
        peer.say(*writes_of(octets + release() * cutting.releases_at_once, cutting))
        answers = peer.answers(len(messages))
        peer.say(b"" if cutting.releases_at_once else release())
        assert names(peer.farewell()) == ("A-RELEASE-RP",)
    return answers, spooled.taken(len(expected(messages)))


@settings(
    max_examples=100,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@example(
    drawn=[(3, 5), "echo", (5, 200_000), (7, None), (9, 0), (3, 1)],
    cutting=Cutting([1, 0, 100], [40], [3], releases_at_once=True),
)
@given(drawn=conversations, cutting=cuttings)
def test_any_cutting_leaves_the_same_octets_and_gets_the_same_answers(
    spooled: Spooled, drawn: Sequence[tuple[int, int | None] | str], cutting: Cutting
) -> None:
    messages = messages_of(drawn)
    answers, kept = plainly(spooled, messages)
    assert kept == expected(messages)
    assert cut_up(spooled, messages, cutting) == (answers, kept)
