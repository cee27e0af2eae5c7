"""What no peer may send: the right A-ABORT, nothing half-written, and everybody else is served."""

import struct
from collections.abc import Mapping

import pytest

from archive.words.statuses import StoreStatus
from tests.wire import table
from tests.wire.messages import expected
from tests.wire.octets import (
    CT_EXPLICIT,
    CT_IMPLICIT,
    ECHO,
    LIMIT,
    NEVER_PROPOSED,
    NOT_ACCEPTED,
    PDV_OVERHEAD,
    Message,
    PduType,
    Pdv,
    echo,
    element,
    noise,
    p_data,
    pdu,
    plain,
    store,
)
from tests.wire.scripted import Peer, names
from tests.wire.spooled import Bystander, Spooled

pytestmark = pytest.mark.usefixtures("served")


INVALID = frozenset({table.INVALID_PARAMETER})
UNRECOGNISED = frozenset({table.UNRECOGNISED_PDU})
MEANINGLESS = frozenset({table.INVALID_PARAMETER, "A-ABORT 2/5", table.BY_SERVICE_USER})
"""A message that DIMSE cannot take: PS3.7 leaves it open which side of the boundary aborts."""

HALF = store("1.2.826.1.1", 7, noise(7, 50_000))


def half(context_id: int = CT_EXPLICIT, size: int = 20_000) -> bytes:
    """Return a C-STORE command and the beginning of its Data Set."""
    message = store("1.2.826.1.1", 7, noise(7, 50_000), context_id=context_id)
    begun = Pdv(context_id, noise(7, size), command=False, last=False)
    return plain(Message(context_id, message.command)) + p_data(begun)


def raw_value(length: int, octets_behind: bytes) -> bytes:
    """Return a P-DATA-TF whose one value says that it has ``length`` octets."""
    return pdu(PduType.P_DATA_TF, struct.pack(">I", length) + octets_behind)


def data(context_id: int, fragment: bytes, *, last: bool = True) -> bytes:
    """Return a P-DATA-TF with a fragment of a Data Set."""
    return p_data(Pdv(context_id, fragment, command=False, last=last))


def data_value(fragment: bytes) -> bytes:
    """Return the last fragment of a Data Set as a value without its PDU."""
    return Pdv(CT_EXPLICIT, fragment, command=False, last=True).encoded()


def command(context_id: int, fragment: bytes, *, last: bool = True) -> bytes:
    """Return a P-DATA-TF with a fragment of a Command Set."""
    return p_data(Pdv(context_id, fragment, command=True, last=last))


ILLEGAL: Mapping[str, tuple[bytes, frozenset[str]]] = {
    "no PDU type, 00H": (pdu(0x00, bytes(4)), UNRECOGNISED),
    "no PDU type, 08H": (pdu(0x08, bytes(4)), UNRECOGNISED),
    "no PDU type, FFH": (pdu(0xFF, bytes(4)), UNRECOGNISED),
    "HTTP": (b"GET / HTTP/1.1\r\nHost: archive\r\n\r\n", UNRECOGNISED),
    "TLS": (bytes.fromhex("16030100c8010000c40303") + noise(1, 190), UNRECOGNISED),
    "4 GB of P-DATA": (pdu(PduType.P_DATA_TF, bytes(100), length=0xFFFF_FFFF), INVALID),
    "4 GB of a release": (pdu(PduType.RELEASE_RQ, bytes(100), length=0xFFFF_FFFF), INVALID),
    "a release without its octets": (
        pdu(PduType.RELEASE_RQ, b""),
        frozenset({table.INVALID_PARAMETER, "A-RELEASE-RP"}),
    ),
    "P-DATA without values": (pdu(PduType.P_DATA_TF, b""), INVALID),
    "a value of 0 octets": (raw_value(0, b""), INVALID),
    "a value of 1 octet": (raw_value(1, b"\x01"), INVALID),
    "a value of 1 octet before a whole one": (
        pdu(PduType.P_DATA_TF, struct.pack(">IB", 1, 1) + plain(echo(1))[6:]),
        INVALID,
    ),
    "a value longer than its PDU": (raw_value(1_000, b"\x03\x00" + bytes(900)), INVALID),
    "a value of 4 GB": (raw_value(0xFFFF_FFFF, b"\x03\x00" + bytes(900)), INVALID),
    "less than a value behind one": (
        pdu(PduType.P_DATA_TF, plain(echo(1))[6:] + b"\0\0\0"),
        INVALID,
    ),
    "random values": (pdu(PduType.P_DATA_TF, noise(3, 4_000)), INVALID),
    "a command on a context never proposed": (
        command(NEVER_PROPOSED, echo(1).command),
        MEANINGLESS,
    ),
    "a command on a context not accepted": (command(NOT_ACCEPTED, echo(1).command), MEANINGLESS),
    "data on a context not accepted": (data(NOT_ACCEPTED, b"data"), MEANINGLESS),
    "a store on a context not accepted": (
        plain(Message(NOT_ACCEPTED, HALF.command, b"data")),
        MEANINGLESS,
    ),
    "data without a command": (data(CT_EXPLICIT, noise(2, 900)), MEANINGLESS),
    "an empty fragment without a command": (data(CT_EXPLICIT, b""), MEANINGLESS),
    "data behind an echo": (plain(echo(1)) + data(ECHO, b"data"), MEANINGLESS),
    "data behind a store that has none": (
        plain(store("1.2.826.1.2", 1, None)) + data(CT_EXPLICIT, b"data"),
        MEANINGLESS,
    ),
    "a command that is none": (command(CT_EXPLICIT, b"garbage!"), MEANINGLESS),
    "random octets as a command": (command(CT_EXPLICIT, noise(4, 200)), MEANINGLESS),
    "an empty command": (command(CT_EXPLICIT, b""), MEANINGLESS),
    "a command cut short": (command(CT_EXPLICIT, HALF.command[:-3]), MEANINGLESS),
    "a command of another group": (
        command(CT_EXPLICIT, struct.pack("<HHI", 8, 0x18, 4) + b"1.2."),
        MEANINGLESS,
    ),
    "a command without a command field": (command(CT_EXPLICIT, element(2, b"1.2 ")), MEANINGLESS),
    "a command over its limit": (
        b"".join(command(CT_EXPLICIT, bytes(16_000), last=False) for _ in range(8)),
        MEANINGLESS,
    ),
    "a command that goes on in another context": (
        command(CT_EXPLICIT, HALF.command[:50], last=False)
        + command(CT_IMPLICIT, HALF.command[50:]),
        MEANINGLESS,
    ),
    "data within a command": (
        command(CT_EXPLICIT, HALF.command[:50], last=False) + data(CT_EXPLICIT, b"data"),
        MEANINGLESS,
    ),
    "a command within a Data Set": (half() + plain(echo(1)), MEANINGLESS),
    "a part of a command within a Data Set": (
        half() + command(CT_EXPLICIT, HALF.command[:40], last=False),
        MEANINGLESS,
    ),
    "a Data Set that goes on in another context": (
        half() + data(CT_IMPLICIT, b"data"),
        MEANINGLESS,
    ),
    "a Data Set that goes on in a context never proposed": (
        half() + data(NEVER_PROPOSED, b"data"),
        MEANINGLESS,
    ),
    "no PDU type within a Data Set": (half() + pdu(0x08, bytes(4)), UNRECOGNISED),
    "P-DATA without values within a Data Set": (half() + pdu(PduType.P_DATA_TF, b""), INVALID),
    "a value of 1 octet within a Data Set": (half() + raw_value(1, b"\x03"), INVALID),
    "a value of 1 octet before a whole one within a Data Set": (
        half() + pdu(PduType.P_DATA_TF, struct.pack(">IB", 1, CT_EXPLICIT) + data_value(b"data")),
        INVALID,
    ),
    "a value of 0 octets before a whole one within a Data Set": (
        half() + pdu(PduType.P_DATA_TF, struct.pack(">I", 0) + data_value(b"data")),
        INVALID,
    ),
    "a value longer than its PDU within a Data Set": (
        half() + raw_value(1_000, b"\x03\x00" + bytes(900)),
        INVALID,
    ),
    "4 GB within a Data Set": (
        half() + pdu(PduType.P_DATA_TF, bytes(100), length=0xFFFF_FFFF),
        INVALID,
    ),
}


@pytest.mark.parametrize(("said", "aborted"), ILLEGAL.values(), ids=list(ILLEGAL))
def test_what_is_illegal_is_aborted_and_only_what_was_whole_is_kept(
    spooled: Spooled, bystander: Bystander, peer: Peer, said: bytes, aborted: frozenset[str]
) -> None:
    under = f"1.2.826.2.{list(ILLEGAL.values()).index((said, aborted))}."
    whole = store(under + "1", 1, noise(1, 3_000))
    peer.associate()
    peer.say(plain(whole))
    assert peer.answer().status == StoreStatus.SUCCESS
    peer.say(said)
    assert bystander.is_served()

    *answered, last_word = names(peer.farewell())
    assert last_word in aborted
    assert set(answered) <= {"P-DATA-TF"}
    assert spooled.kept(under, 1) == expected([whole])
    assert spooled.kept("1.2.826.1.", 0) == []


def test_a_pdu_over_the_maximum_is_taken_up_to_twice_its_size(spooled: Spooled, peer: Peer) -> None:
    room = LIMIT - PDV_OVERHEAD
    sizes = (room, room + 2, room + LIMIT // 2, room + LIMIT)
    messages = [store(f"1.2.826.3.{n}", n, noise(n, size)) for n, size in enumerate(sizes, 1)]
    assert peer.associate().maximum_length == LIMIT
    for message in messages:
        peer.say(*map(p_data, message.fragments(2 * LIMIT)))
        assert peer.answer().status == StoreStatus.SUCCESS

    assert peer.released()
    assert spooled.kept("1.2.826.3.", 4) == expected(messages)


@pytest.mark.parametrize("over", [1, 2, LIMIT, 64 * LIMIT, 2**31], ids="by {}".format)
@pytest.mark.parametrize("size", [0, 20_000], ids="after {} octets".format)
def test_a_pdu_over_twice_the_maximum_is_aborted_before_it_has_come(
    spooled: Spooled, peer: Peer, size: int, over: int
) -> None:
    length = 2 * LIMIT + over
    beginning = struct.pack(">IBB", length - 4, CT_EXPLICIT, 0) + noise(6, 3_000)
    peer.associate()
    peer.say(half(size=size))
    peer.say(pdu(PduType.P_DATA_TF, beginning, length=length))

    assert names(peer.farewell()) == (table.INVALID_PARAMETER,)
    assert spooled.kept("1.2.826.1.", 0) == []


def test_the_abort_reaches_a_peer_that_is_still_sending(spooled: Spooled, peer: Peer) -> None:
    peer.associate()
    peer.say(half())
    peer.say(pdu(PduType.P_DATA_TF, noise(5, 8 * LIMIT), length=8 * LIMIT))

    assert names(peer.farewell()) == (table.INVALID_PARAMETER,)
    assert spooled.kept("1.2.826.1.", 0) == []


@pytest.mark.parametrize("seed", range(12))
def test_random_octets_end_the_association_they_came_on(
    spooled: Spooled, bystander: Bystander, peer: Peer, seed: int
) -> None:
    peer.associate()
    peer.say(half() if seed % 2 else b"")
    peer.say(bytes([seed]) + noise(seed, 5_000))
    assert bystander.is_served()
    peer.end_sending()

    allowed = {(), *((one,) for one in INVALID | UNRECOGNISED | {table.UNEXPECTED_PDU})}
    assert names(peer.farewell())[:1] in allowed
    assert spooled.kept("1.2.826.1.", 0) == []


@pytest.mark.parametrize("seed", range(6))
def test_random_octets_instead_of_a_request_are_no_association(peer: Peer, seed: int) -> None:
    peer.say(bytes([8 + seed]) + noise(seed, 5_000))

    assert names(peer.farewell())[:1] == (table.BY_SERVICE_USER,)


def test_a_peer_that_floods_with_nonsense_holds_up_nobody(
    spooled: Spooled, bystander: Bystander
) -> None:
    for seed in range(20):
        with Peer(spooled.archive.endpoint) as peer:
            if seed % 2:
                peer.associate()
            peer.say(noise(seed, 50_000))
            assert bystander.is_served()
