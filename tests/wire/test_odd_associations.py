"""Association requests that are legal and rare, and those that are refused in the right words."""

from collections.abc import Callable, Mapping

import pytest

from tests.wire import octets, table
from tests.wire.octets import CONTEXTS, CT, CT_EXPLICIT, EXPLICIT, IMPLICIT, association_request
from tests.wire.scripted import Peer, names

pytestmark = pytest.mark.usefixtures("served")


def _with_reserved_octets() -> bytes:
    request = bytearray(association_request())
    request[1] = 0xFF
    request[8:10] = b"\xff\xff"
    request[42:74] = b"\xff" * 32
    return bytes(request)


def _with_unknown_items() -> bytes:
    request = association_request()
    body = request[6:] + octets.item(0x7A, b"what is this?")
    return octets.pdu(octets.PduType.ASSOCIATE_RQ, body)


LEGAL: Mapping[str, Callable[[], bytes]] = {
    "more versions than one": lambda: association_request(version=0x8001),
    "another called AE title": lambda: association_request(called="SOMEBODY"),
    "spaces before the AE title": lambda: association_request(calling="  CT1"),
    "no maximum length": lambda: association_request(maximum_length=0),
    "reserved octets": _with_reserved_octets,
    "an unknown item": _with_unknown_items,
}


@pytest.mark.parametrize("request_of", LEGAL.values(), ids=list(LEGAL))
def test_a_legal_request_is_accepted(peer: Peer, request_of: Callable[[], bytes]) -> None:
    granted = peer.associate(request_of())

    assert granted.accepted == set(CONTEXTS) - {octets.NOT_ACCEPTED}
    assert granted.maximum_length == octets.LIMIT
    assert peer.released()


def test_a_request_longer_than_any_p_data_is_accepted(peer: Peer) -> None:
    """Its length is not bounded by the maximum length, which is for P-DATA-TF (PS3.8 D.1)."""
    syntaxes = (EXPLICIT, IMPLICIT, *(f"1.2.826.0.1.3680043.2.1143.1.{n}" for n in range(60)))
    proposed = dict.fromkeys(range(1, 256, 2), (CT, syntaxes))
    request = association_request(contexts=proposed)
    assert len(request) > 2 * octets.LIMIT

    assert peer.associate(request).accepted == set(proposed)
    assert peer.released()


def test_no_context_need_be_acceptable(peer: Peer) -> None:
    only = {octets.NOT_ACCEPTED: CONTEXTS[octets.NOT_ACCEPTED]}

    assert peer.associate(association_request(contexts=only)).accepted == set()
    assert peer.released()


REFUSED: Mapping[str, tuple[bytes, str]] = {
    "a calling AE title that nobody knows": (
        association_request(calling="STRANGER"),
        "A-ASSOCIATE-RJ 1/1/3",
    ),
    "an application context that nobody knows": (
        association_request(application_context="1.2.3"),
        "A-ASSOCIATE-RJ 1/1/2",
    ),
    "no version that is known": (association_request(version=2), "A-ASSOCIATE-RJ 1/2/2"),
}


@pytest.mark.parametrize(("request_pdu", "answer"), REFUSED.values(), ids=list(REFUSED))
def test_a_request_is_refused_with_source_and_reason(
    peer: Peer, request_pdu: bytes, answer: str
) -> None:
    peer.say(request_pdu)

    assert names(peer.farewell()) == (answer,)


def _cut_short() -> bytes:
    return octets.pdu(octets.PduType.ASSOCIATE_RQ, association_request()[6:-3])


def _shorter_than_its_fixed_part() -> bytes:
    return octets.pdu(octets.PduType.ASSOCIATE_RQ, association_request()[6:50])


def _four_gigabytes() -> bytes:
    return octets.pdu(octets.PduType.ASSOCIATE_RQ, association_request()[6:], length=0xFFFF_FFFF)


def _even_context() -> bytes:
    return association_request(contexts={2: CONTEXTS[CT_EXPLICIT]})


INVALID: Mapping[str, Callable[[], bytes]] = {
    "items cut short": _cut_short,
    "no room for the AE titles": _shorter_than_its_fixed_part,
    "4 GB": _four_gigabytes,
    "an even context identifier": _even_context,
    "no octets": lambda: octets.pdu(octets.PduType.ASSOCIATE_RQ, b""),
}


@pytest.mark.parametrize("request_of", INVALID.values(), ids=list(INVALID))
def test_an_invalid_request_is_aborted_as_by_a_service_user(
    peer: Peer, request_of: Callable[[], bytes]
) -> None:
    """PS3.8 Table 9-10: Sta2 and Evt19 (invalid PDU) is AA-1."""
    peer.say(request_of())

    assert names(peer.farewell()) == (table.BY_SERVICE_USER,)
