"""PS3.8 Table 9-10: what an acceptor says on the wire, cell by cell."""

import itertools
import threading
from collections.abc import Iterator, Sequence

import pytest
from pynetdicom.fsm import TRANSITION_TABLE

from archive.dimse.limits import DoorLimits
from archive.words.statuses import StoreStatus
from tests.peers.processes import Endpoint, wait_until
from tests.wire import octets, table
from tests.wire.bare_door import bare_door
from tests.wire.octets import Message, PduType, echo, noise, p_data, plain, store
from tests.wire.scripted import Heard, Peer, names
from tests.wire.spooled import Kept, Spooled
from tests.wire.table import Acceptor, permitted

pytestmark = pytest.mark.usefixtures("served")


IDLE, IN_COMMAND, IN_DATA_SET = "between messages", "within a command", "within a Data Set"
PLACES = (IDLE, IN_COMMAND, IN_DATA_SET)

SAID = {
    table.ASSOCIATE_RQ: octets.association_request(),
    table.ASSOCIATE_AC: octets.association_answer(),
    table.ASSOCIATE_RJ: octets.association_rejection(),
    table.P_DATA_TF: plain(echo(77)),
    table.RELEASE_RQ: octets.release(),
    table.RELEASE_RP: octets.pdu(PduType.RELEASE_RP, bytes(4)),
    table.ABORT: octets.abort(),
    table.UNRECOGNISED: octets.pdu(0x08, bytes(4)),
}
"""A PDU for each event that a peer can bring about."""

NAMES = {
    table.ASSOCIATE_RQ: "A-ASSOCIATE-RQ",
    table.ASSOCIATE_AC: "A-ASSOCIATE-AC",
    table.ASSOCIATE_RJ: "A-ASSOCIATE-RJ",
    table.P_DATA_TF: "P-DATA-TF",
    table.RELEASE_RQ: "A-RELEASE-RQ",
    table.RELEASE_RP: "A-RELEASE-RP",
    table.ABORT: "A-ABORT",
    table.CLOSED: "closed",
    table.UNRECOGNISED: "unrecognised",
}

each_event = pytest.mark.parametrize("event", NAMES, ids=lambda one: NAMES[one])


def bring_about(peer: Peer, *events: int) -> None:
    """Say what the events are, in one write; the end of this side's half comes last."""
    peer.say(b"".join(SAID[event] for event in events if event != table.CLOSED))
    if table.CLOSED in events:
        peer.end_sending()


def after(before: Sequence[Heard], peer: Peer) -> tuple[str, ...]:
    """Return all that was heard until the connection ended, by name."""
    return names([*before, *peer.farewell()])


@pytest.mark.parametrize("state", table.STATES, ids="Sta{}".format)
@pytest.mark.parametrize("event", table.EVENTS, ids="Evt{}".format)
def test_the_state_machine_under_the_door_acts_by_the_table(event: int, state: int) -> None:
    assert TRANSITION_TABLE.get((f"Evt{event}", f"Sta{state}")) == table.TABLE.get((event, state))


def test_sta1_a_connection_is_waited_for_and_told_nothing(peer: Peer) -> None:
    assert peer.quiet()


@pytest.mark.parametrize("event", [one for one in NAMES if one != table.ASSOCIATE_RQ])
def test_sta2_only_a_request_is_expected(peer: Peer, event: int) -> None:
    bring_about(peer, event)

    assert after([], peer) in permitted(Acceptor(state=2), event)


def test_sta2_a_request_is_accepted_and_the_association_can_be_released(peer: Peer) -> None:
    assert peer.associate().accepted == set(octets.CONTEXTS) - {octets.NOT_ACCEPTED}
    assert peer.released()


@each_event
def test_sta3_while_the_user_decides_every_pdu_is_unexpected(
    spooled: Spooled, peer: Peer, monkeypatch: pytest.MonkeyPatch, event: int
) -> None:
    asked, decided = threading.Event(), threading.Event()
    tables = spooled.archive.tables
    answer = tables.caller("CT1")

    def undecided(_calling: str) -> object:
        asked.set()
        decided.wait(10)
        return answer

    monkeypatch.setattr(tables, "caller", undecided)
    bring_about(peer, table.ASSOCIATE_RQ)
    wait_until(asked.is_set, what="the user was asked")
    bring_about(peer, event)
    peer.quiet(seconds=0.1)
    decided.set()
    monkeypatch.undo()
    bring_about(peer, *([table.RELEASE_RQ] if event == table.P_DATA_TF else []))

    then = [event, table.RELEASE_RQ] if event == table.P_DATA_TF else [event]
    assert after([], peer) in permitted(Acceptor(state=3), *then)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    "event", [one for one in NAMES if one != table.P_DATA_TF], ids=lambda one: NAMES[one]
)
def test_sta6_what_ends_an_association_leaves_nothing_half_written(
    spooled: Spooled, peer: Peer, place: str, event: int
) -> None:
    under = f"1.2.826.6.{PLACES.index(place)}.{event}."
    message = store(under + "1", 1, noise(event, 90_000))
    peer.associate()
    begin(peer, message, place)
    bring_about(peer, event)

    assert after([], peer) in permitted(Acceptor(state=6), event)
    assert spooled.kept(under, 0) == []


@pytest.mark.parametrize("place", PLACES)
def test_sta6_data_goes_on_where_it_was(spooled: Spooled, peer: Peer, place: str) -> None:
    uid, data_set = f"1.2.826.7.{PLACES.index(place)}", noise(10, 90_000)
    message = store(uid, 1, data_set)
    peer.associate()
    begin(peer, message, place)
    assert peer.quiet(seconds=0.02)
    peer.say(*map(p_data, itertools.islice(message.fragments(100), begun(place), None)))

    assert peer.answer().status == StoreStatus.SUCCESS
    assert peer.released()
    assert spooled.kept(uid, 1) == [Kept(uid, octets.CT_EXPLICIT, octets.EXPLICIT, data_set)]


@pytest.mark.parametrize("place", PLACES)
def test_sta6_a_connection_that_breaks_leaves_nothing_half_written(
    spooled: Spooled, peer: Peer, place: str
) -> None:
    uid = f"1.2.826.8.{PLACES.index(place)}"
    message = store(uid, 1, noise(17, 90_000))
    peer.associate()
    begin(peer, message, place)
    peer.reset()

    assert spooled.kept(uid, 0) == []


@each_event
def test_sta8_after_a_release_request_every_pdu_is_unexpected(peer: Peer, event: int) -> None:
    peer.associate()
    bring_about(peer, table.RELEASE_RQ, event)

    assert after([], peer) in permitted(Acceptor(state=6), table.RELEASE_RQ, event)


@each_event
def test_sta8_while_the_user_still_answers_every_pdu_is_unexpected(
    spooled: Spooled, peer: Peer, event: int
) -> None:
    peer.associate()
    with spooled.reader_held() as asked:
        peer.say(plain(octets.find(1)))
        wait_until(asked.is_set, what="the user was asked")
        bring_about(peer, table.RELEASE_RQ, event)
        peer.quiet(seconds=0.1)

    allowed = permitted(Acceptor(state=6, owed=1), table.RELEASE_RQ, event)
    assert after([], peer) in allowed


def test_sta8_what_was_asked_before_the_release_request_is_answered_before_it_is(
    spooled: Spooled, peer: Peer
) -> None:
    peer.associate()
    with spooled.reader_held() as asked:
        peer.say(plain(octets.find(1)))
        wait_until(asked.is_set, what="the user was asked")
        bring_about(peer, table.RELEASE_RQ)
        assert peer.quiet(seconds=0.05)

    assert after([], peer) == ("P-DATA-TF", "A-RELEASE-RP")


@each_event
def test_sta13_after_a_release_a_pdu_is_ignored_or_refused(peer: Peer, event: int) -> None:
    peer.associate()
    heard = told(peer, table.RELEASE_RQ, answer="A-RELEASE-RP")
    bring_about(peer, event)

    assert after([heard], peer) in behind(heard, permitted(Acceptor(state=13), event))


@each_event
def test_sta13_after_a_rejection_a_pdu_is_ignored_or_refused(peer: Peer, event: int) -> None:
    peer.say(octets.association_request(calling="STRANGER"))
    heard = peer.hear()
    assert heard is not None
    assert heard.named() == "A-ASSOCIATE-RJ 1/1/3"
    bring_about(peer, event)

    assert after([heard], peer) in behind(heard, permitted(Acceptor(state=13), event))


@each_event
@pytest.mark.parametrize("state", [2, 6], ids="Sta{}".format)
def test_sta13_after_an_abort_a_pdu_is_ignored_or_refused(
    peer: Peer, state: int, event: int
) -> None:
    if state == 6:
        peer.associate()
    expected = table.BY_SERVICE_USER if state == 2 else table.UNEXPECTED_PDU
    heard = told(peer, table.RELEASE_RP, answer=expected)
    bring_about(peer, event)

    assert after([heard], peer) in behind(heard, permitted(Acceptor(state=13), event))


@pytest.mark.parametrize("first", [*NAMES], ids=lambda one: NAMES[one])
@pytest.mark.parametrize("second", [*NAMES], ids=lambda one: NAMES[one])
def test_two_events_in_one_write_are_taken_one_after_the_other(
    peer: Peer, first: int, second: int
) -> None:
    peer.associate()
    bring_about(peer, first, second, table.RELEASE_RQ, table.CLOSED)

    events = [one for one in (first, second) if one != table.CLOSED]
    allowed = permitted(Acceptor(state=6), *events, table.RELEASE_RQ, table.CLOSED)
    assert after([], peer) in allowed


@pytest.mark.parametrize("said", [b"", octets.association_request()[:40]], ids=["nothing", "half"])
def test_sta2_who_asks_for_nothing_is_closed_without_a_word(
    impatient: Endpoint, said: bytes
) -> None:
    with Peer(impatient) as peer:
        peer.say(said)
        assert peer.hear() is None


@pytest.mark.parametrize(
    ("said", "last_word"),
    [
        (octets.association_request(calling="STRANGER"), "A-ASSOCIATE-RJ 1/1/3"),
        (octets.release(), table.BY_SERVICE_USER),
    ],
)
def test_sta13_a_peer_that_does_not_close_is_closed(
    impatient: Endpoint, said: bytes, last_word: str
) -> None:
    with Peer(impatient) as peer:
        peer.say(said)
        heard = peer.hear()
        assert heard is not None
        assert heard.named() == last_word
        assert peer.hear() is None


def test_sta13_a_released_peer_that_does_not_close_is_closed(impatient: Endpoint) -> None:
    with Peer(impatient) as peer:
        peer.associate()
        told(peer, table.RELEASE_RQ, answer="A-RELEASE-RP")
        assert peer.hear() is None


def told(peer: Peer, event: int, *, answer: str) -> Heard:
    """Bring an event about and return the one PDU that answers it."""
    bring_about(peer, event)
    heard = peer.hear()
    assert heard is not None
    assert heard.named() == answer
    return heard


def behind(heard: Heard, traces: frozenset[table.Trace]) -> frozenset[table.Trace]:
    """Return what may be said in all when this was said first."""
    return frozenset((heard.named(), *trace) for trace in traces)


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    """A door that waits only a moment for what has to come (ARTIM, PS3.8 Section 9.1.5)."""
    with bare_door(tmp_path_factory.mktemp("door"), DoorLimits(artim_seconds=0.3)) as bare:
        yield bare.endpoint


def begin(peer: Peer, message: Message, place: str) -> None:
    """Say the beginning of a message up to a place in it."""
    peer.say(b"".join(map(p_data, itertools.islice(message.fragments(100), begun(place)))))


def begun(place: str) -> int:
    """Return how many fragments of 100 octets lead to a place in a C-STORE request."""
    return {IDLE: 0, IN_COMMAND: 1, IN_DATA_SET: 400}[place]
