"""What every implementation of a node's port to the central store promises."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from archive.errors import (
    Damaged,
    EncodingChanged,
    NotFound,
    NotPermitted,
    NotYetHeld,
    Unavailable,
)
from archive.states import InstanceState
from central_store.orders import give_order
from sync.transfer.messages import (
    ArrivalMessage,
    IssuerPart,
    OutcomeMessage,
    PatientPart,
    PatientsMessage,
    ReceiptMessage,
    StatePart,
    StatesMessage,
    StatesOrder,
)
from sync.transfer.peer import Centre
from tests.central.fixtures import MakeNode
from tests.central.nodes import NodeStand, PackFile
from tests.central.stands import CentreStand, count_rows, ct
from tests.contracts.centre.in_process import InProcessCentre

CallAs = Callable[[str], Centre]
DONE = OutcomeMessage(done=True, evidence="1 pack")


class Stopped(Exception):
    """Somebody wants the transfer to end."""


@pytest.fixture(params=["http", "in process"])
def call_as(request: pytest.FixtureRequest, centre: CentreStand) -> CallAs:
    if request.param == "http":
        over_http: CallAs = request.getfixturevalue("calls")
        return over_http
    return lambda trust: InProcessCentre(centre.tiers, trust)


@pytest.fixture
def peer(call_as: CallAs) -> Centre:
    return call_as("RXA")


@pytest.fixture
def node(make_node: MakeNode, peer: Centre) -> NodeStand:
    return make_node("RXA", peer)


@pytest.fixture
def pack(node: NodeStand) -> PackFile:
    """A pack of three images that the centre has been told of."""
    (key,) = node.archives(ct(1), ct(2), ct(3))
    node.centre.announce(node.announcement(key))
    return node.pack(key)


def put(peer: Centre, pack: PackFile) -> ReceiptMessage:
    return peer.put_pack(
        content=pack.content, encoding=pack.encoding, length=pack.length, read=pack.read
    )


def put_in_time(peer: Centre, pack: PackFile) -> ReceiptMessage:
    """Put a pack; the far end may take a moment to notice that an earlier attempt is over."""
    until = time.monotonic() + 10
    while True:
        try:
            return put(peer, pack)
        except Unavailable:
            assert time.monotonic() < until


def get(peer: Centre, pack: PackFile, target: Path, **other: str) -> None:
    peer.get_pack(
        content=other.get("content", pack.content),
        encoding=other.get("encoding", pack.encoding),
        length=pack.length,
        target=target,
        check=lambda: None,
    )


def offer(centre: CentreStand, trust: str, key: str = "k1") -> None:
    body = StatesOrder(custodian="RXC", states=())
    with centre.archive.index.writing() as conn:
        give_order(
            conn,
            node_id=centre.node_id(trust),
            subject="RXC",
            order_class="urgent",
            body=body,
            key=key,
            at_ms=1,
        )


def patient(trust: str, mrn: str = "100") -> PatientPart:
    issuer = IssuerPart(organisation=trust, namespace=trust)
    return PatientPart(issuer=issuer, mrn=mrn, name="Doe^Jane", birth_date="19700101", sex="F")


def arrival(trust: str) -> ArrivalMessage:
    issuer = IssuerPart(organisation=trust, namespace=trust)
    return ArrivalMessage(issuer=issuer, mrn="100", event="A01", message_key="f:1", at_ms=1)


def test_an_announcement_is_answered_with_what_is_lacking(node: NodeStand) -> None:
    (key,) = node.archives(ct(1), ct(2))
    told = node.centre.announce(node.announcement(key))
    assert told.packs == (node.pack(key).content,)
    assert sorted(told.lacking) == list(node.pack(key).digests)


def test_what_was_put_is_not_lacking_any_more(node: NodeStand) -> None:
    (key,) = node.archives(ct(1), ct(2))
    node.centre.announce(node.announcement(key))
    put(node.centre, node.pack(key))
    told = node.centre.announce(node.announcement(key))
    assert (told.lacking, told.packs) == ((), ())


def test_a_receipt_names_every_digest_of_the_pack(peer: Centre, pack: PackFile) -> None:
    receipt = put(peer, pack)
    assert (receipt.content, receipt.encoding) == (pack.content, pack.encoding)
    assert receipt.digests == pack.digests


def test_a_pack_that_is_held_is_receipted_without_being_sent(peer: Centre, pack: PackFile) -> None:
    first = put(peer, pack)

    def unread(_offset: int) -> Iterator[bytes]:
        raise AssertionError("nothing is to be read")

    again = peer.put_pack(
        content=pack.content, encoding=pack.encoding, length=pack.length, read=unread
    )
    assert again == first


def test_an_upload_that_broke_off_goes_on_behind_what_has_come(
    peer: Centre, pack: PackFile
) -> None:
    def broken(offset: int) -> Iterator[bytes]:
        yield pack.octets[offset : offset + 1000]
        raise Stopped

    with pytest.raises(Stopped):
        peer.put_pack(content=pack.content, encoding=pack.encoding, length=pack.length, read=broken)
    assert put_in_time(peer, pack).digests == pack.digests


def test_a_pack_that_was_not_announced_is_not_found(
    peer: Centre, pack: PackFile, call_as: CallAs
) -> None:
    with pytest.raises(NotFound):
        peer.put_pack(content="0" * 64, encoding=pack.encoding, length=9, read=pack.read)
    with pytest.raises(NotFound):
        put(call_as("RXB"), pack)


def test_octets_that_are_not_the_pack_are_damage_and_are_forgotten(
    peer: Centre, pack: PackFile
) -> None:
    def spoilt(offset: int) -> Iterator[bytes]:
        yield pack.octets[offset:-1] + bytes([pack.octets[-1] ^ 1])

    with pytest.raises(Damaged):
        peer.put_pack(content=pack.content, encoding=pack.encoding, length=pack.length, read=spoilt)
    assert put(peer, pack).digests == pack.digests


def test_a_pack_comes_back_octet_for_octet(peer: Centre, pack: PackFile, tmp_path: Path) -> None:
    put(peer, pack)
    get(peer, pack, tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == pack.octets


def test_a_fetch_goes_on_behind_what_is_there(peer: Centre, pack: PackFile, tmp_path: Path) -> None:
    put(peer, pack)
    (tmp_path / "back").write_bytes(pack.octets[:777])
    get(peer, pack, tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == pack.octets


def test_a_fetch_that_is_stopped_keeps_what_has_come(
    peer: Centre, pack: PackFile, tmp_path: Path
) -> None:
    put(peer, pack)

    def stop() -> None:
        raise Stopped

    with pytest.raises(Stopped):
        peer.get_pack(
            content=pack.content,
            encoding=pack.encoding,
            length=pack.length,
            target=tmp_path / "back",
            check=stop,
        )
    assert pack.octets.startswith((tmp_path / "back").read_bytes())
    get(peer, pack, tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == pack.octets


def test_another_encoding_than_is_held_is_refused(
    peer: Centre, pack: PackFile, tmp_path: Path
) -> None:
    put(peer, pack)
    with pytest.raises(EncodingChanged):
        get(peer, pack, tmp_path / "back", encoding="e" * 64)


def test_a_pack_whose_octets_are_on_their_way_is_not_yet_held(
    peer: Centre, pack: PackFile, tmp_path: Path
) -> None:
    with pytest.raises(NotYetHeld):
        get(peer, pack, tmp_path / "back")


def test_nobody_fetches_what_he_was_not_ordered_to(
    peer: Centre, pack: PackFile, call_as: CallAs, tmp_path: Path
) -> None:
    put(peer, pack)
    with pytest.raises(NotPermitted):
        get(call_as("RXB"), pack, tmp_path / "back")
    with pytest.raises(NotFound):
        get(call_as("RXB"), pack, tmp_path / "back", content="0" * 64)


def test_a_node_announces_for_its_own_trust_alone(node: NodeStand, call_as: CallAs) -> None:
    (key,) = node.archives(ct(1))
    with pytest.raises(NotPermitted):
        call_as("RXB").announce(node.announcement(key))


def test_a_node_tells_of_its_own_trust_alone(peer: Centre, centre: CentreStand) -> None:
    with pytest.raises(NotPermitted):
        peer.tell_states(StatesMessage(custodian="RXB", states=()))
    with pytest.raises(NotPermitted):
        peer.tell_patients(PatientsMessage(patients=(patient("RXA"), patient("RXB"))))
    with pytest.raises(NotPermitted):
        peer.tell_arrival(arrival("RXB"))
    assert count_rows(centre.archive, "local_patient") == 0
    assert count_rows(centre.archive, "arrival") == 0


def test_facts_told_twice_are_told_once(peer: Centre, centre: CentreStand) -> None:
    state = StatePart(
        sop_instance_uid="1.2.3.1.1",
        sha256="",
        state=InstanceState.REJECTED,
        serves=True,
        code="113001",
        actor="CT1",
        at_ms=1,
        numbered_by="RXA",
        seq=1,
    )
    for _ in range(2):
        peer.tell_states(StatesMessage(custodian="RXA", states=(state,)))
        peer.tell_patients(PatientsMessage(patients=(patient("RXA"),)))
        peer.tell_arrival(arrival("RXA"))
    for name in ("instance_state", "local_patient", "arrival"):
        assert count_rows(centre.archive, name) == 1


def test_orders_are_offered_until_they_are_acknowledged(peer: Centre, centre: CentreStand) -> None:
    assert peer.orders(wait_seconds=0).orders == ()
    offer(centre, "RXA")
    (order,) = peer.orders(wait_seconds=0).orders
    assert peer.orders(wait_seconds=0).orders == (order,)
    peer.acknowledge(order.order_id)
    peer.acknowledge(order.order_id)
    assert peer.orders(wait_seconds=0).orders == ()
    peer.finish(order.order_id, DONE)
    peer.finish(order.order_id, DONE)
    assert centre.orders("RXA") == [("states", "DONE")]


def test_orders_are_one_nodes_alone(peer: Centre, centre: CentreStand, call_as: CallAs) -> None:
    offer(centre, "RXA")
    (order,) = peer.orders(wait_seconds=0).orders
    other = call_as("RXB")
    assert other.orders(wait_seconds=0).orders == ()
    with pytest.raises(NotFound):
        other.acknowledge(order.order_id)
    with pytest.raises(NotFound):
        other.finish(order.order_id, DONE)
    assert centre.orders("RXA") == [("states", "OFFERED")]


def test_a_question_for_orders_is_answered_as_soon_as_there_is_one(
    peer: Centre, centre: CentreStand
) -> None:
    later = threading.Timer(0.3, offer, args=(centre, "RXA"))
    later.start()
    assert len(peer.orders(wait_seconds=30).orders) == 1
    later.join()
