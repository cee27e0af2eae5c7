"""The bit-preserving sender, against pynetdicom, against dcmtk, and against scripted peers."""

import hashlib
import io
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pydicom
import pytest
from pynetdicom import AE, evt
from pynetdicom.events import Event, EventHandlerType

from deploy.demo.images import bundled_patients
from deploy.demo.modality import (
    AnswerOverdue,
    AssociationAborted,
    AssociationLost,
    AssociationRejected,
    ContextNotAccepted,
    Modality,
    NotSendable,
    PeerUnreachable,
    ProtocolBroken,
    WireObject,
)
from deploy.demo.wire_object import read_file_meta
from tests.peers.corpus import corpus_files, needs_corpus
from tests.peers.dcmtk import needs_dcmtk, storescp
from tests.peers.processes import LOOPBACK, free_port, wait_until
from tests.peers.scp import RecordingScp

CT = "1.2.840.10008.5.1.4.1.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
UID = "2.25.1"


def modality_of(scp: RecordingScp, *, timeout: float = 10) -> Modality:
    endpoint = scp.endpoint
    return Modality("CT1", endpoint.host, endpoint.port, endpoint.ae_title, timeout=timeout)


def an_object(
    data_set: bytes = b"\x08\x00\x18\x00UI\x04\x001.2\0", *, uid: str = UID
) -> WireObject:
    return WireObject(CT, uid, EXPLICIT, data_set)


def bundled_objects() -> list[WireObject]:
    return [WireObject.from_file(path) for one in bundled_patients() for path in one.files]


def octets_of(wire_object: WireObject) -> bytes:
    with wire_object.opened() as stream:
        return stream.read()


def test_echo_answers_success() -> None:
    with RecordingScp() as scp:
        assert modality_of(scp).echo() == 0


def test_every_octet_arrives_under_the_uids_of_the_command() -> None:
    sent = bundled_objects()
    with RecordingScp() as scp:
        outcomes = modality_of(scp).store(sent)
        received = scp.wait_for(len(sent))
    assert all(outcome.success for outcome in outcomes)
    assert [one.data_set for one in received] == [octets_of(one) for one in sent]
    assert [one.sop_instance_uid for one in received] == [one.sop_instance_uid for one in sent]
    assert [one.sha256 for one in received] == [outcome.sha256 for outcome in outcomes]


@pytest.mark.parametrize("maximum_length", [0, 64, 4096])
def test_fragments_fit_the_peers_maximum_length(maximum_length: int) -> None:
    octets = bytes(range(256)) * 40
    with RecordingScp(maximum_length=maximum_length) as scp:
        with modality_of(scp).open([an_object()]) as association:
            assert association.maximum_length == maximum_length
            outcome = association.store(an_object(octets))
        assert outcome.success
        assert scp.wait_for(1)[0].data_set == octets


@pytest.mark.parametrize("length", [0, 57, 58, 116])
def test_a_data_set_that_fills_its_last_fragment_ends_with_it(length: int) -> None:
    octets = bytes(length)
    with RecordingScp(maximum_length=64) as scp:
        assert modality_of(scp).store([an_object(octets)])[0].octets == len(octets)
        assert scp.wait_for(1)[0].data_set == octets


def test_more_contexts_than_one_association_has_go_on_several_and_keep_their_order() -> None:
    classes = [f"1.2.826.0.1.3680043.9.9999.{n}" for n in range(150)]
    sent = [
        WireObject(sop_class, f"2.25.{n}", EXPLICIT, b"ab") for n, sop_class in enumerate(classes)
    ]
    sent.append(WireObject(classes[0], "2.25.999", EXPLICIT, b"cd"))
    with RecordingScp(private_classes=classes) as scp:
        outcomes = modality_of(scp).store(sent)
    assert [outcome.sop_instance_uid for outcome in outcomes] == [o.sop_instance_uid for o in sent]
    assert all(outcome.success for outcome in outcomes)


def test_a_refusal_is_told_with_its_status_and_comment() -> None:
    def refuse(event: Event) -> pydicom.Dataset:
        status = pydicom.Dataset()
        status.Status = 0xA700
        status.ErrorComment = "disk floor reached"
        return status

    ae = AE(ae_title="FULL")
    ae.add_supported_context(CT)
    with served(ae, (evt.EVT_C_STORE, refuse)) as port:
        [outcome] = Modality("CT1", LOOPBACK, port, "FULL", timeout=10).store([an_object()])
    assert (outcome.status, outcome.error_comment) == (0xA700, "disk floor reached")
    assert outcome.sha256 == hashlib.sha256(octets_of(an_object())).hexdigest()
    assert not outcome.success


def test_an_object_whose_context_is_not_accepted_is_told_and_the_rest_are_stored() -> None:
    unknown = WireObject("1.2.3.4", UID, EXPLICIT, b"ab")
    with RecordingScp() as scp:
        refused, stored = modality_of(scp).store([unknown, an_object()])
        with modality_of(scp).open([unknown]) as association, pytest.raises(ContextNotAccepted):
            association.store(unknown)
    assert refused.status is None
    assert "1.2.3.4" in refused.error_comment
    assert stored.success


@pytest.mark.parametrize("uid", ["../../etc/passwd", "1." + "2" * 63, "", "1.2.3 4"])
def test_odd_uids_reach_the_peer_as_given(uid: str) -> None:
    with listening(accept_once) as (port, received):
        modality = Modality("CT1", LOOPBACK, port, "ODD", timeout=5)
        with modality.open([an_object()]) as association, pytest.raises(AssociationLost):
            association.store(an_object(uid=uid))
    assert uid.encode() in b"".join(received)


def test_a_data_set_may_contradict_its_command_and_be_cut_short() -> None:
    whole = bundled_objects()[0]
    lying = replace(whole, sop_instance_uid="2.25.77")
    with RecordingScp() as scp:
        outcomes = modality_of(scp).store([lying, whole.truncated(100)])
        renamed, shortened = scp.wait_for(2)
    assert all(outcome.success for outcome in outcomes)
    assert renamed.sop_instance_uid == "2.25.77"
    assert renamed.data_set == octets_of(whole)
    assert shortened.data_set == octets_of(whole)[:100]


def test_one_association_stays_open_between_stores_and_echoes() -> None:
    with RecordingScp() as scp:
        with modality_of(scp).open([an_object()]) as association:
            assert association.store(an_object(uid="2.25.1")).success
            assert association.echo() == 0
            assert association.store(an_object(uid="2.25.2")).success
        assert len(scp.wait_for(2)) == 2


@pytest.mark.parametrize("how", ["abort", "cut"])
def test_what_ends_in_the_middle_of_a_data_set_is_not_received(how: str) -> None:
    with RecordingScp() as scp:
        association = modality_of(scp).open([an_object()])
        association.begin_store(an_object(bytes(100_000)), octets=50_001)
        getattr(association, how)()
        assert modality_of(scp).store([an_object()])[0].success
        assert [one.data_set for one in scp.wait_for(1)] == [octets_of(an_object())]


def test_a_rejection_tells_result_source_and_reason() -> None:
    ae = AE(ae_title="STRICT")
    ae.add_supported_context(CT)
    ae.require_calling_aet = ["SOMEBODY"]
    with served(ae) as port, pytest.raises(AssociationRejected) as rejected:
        Modality("CT1", LOOPBACK, port, "STRICT", timeout=10).echo()
    told = rejected.value
    assert (told.result, told.source, told.reason) == (1, 1, 3)


def test_nobody_listening_is_told_as_such() -> None:
    with pytest.raises(PeerUnreachable):
        Modality("CT1", LOOPBACK, free_port(), "GONE", timeout=5).echo()


def test_an_abort_in_place_of_a_response_is_told_and_the_rest_go_on_another_association() -> None:
    with listening(abort_after_command, accept_once) as (port, _):
        modality = Modality("CT1", LOOPBACK, port, "X", timeout=5)
        outcomes = modality.store([an_object(uid="2.25.1"), an_object(uid="2.25.2")])
    assert [outcome.status for outcome in outcomes] == [None, None]
    assert "aborted" in outcomes[0].error_comment


@pytest.mark.parametrize(
    ("script", "problem"),
    [
        ("silent", AnswerOverdue),
        ("closing", AssociationLost),
        ("aborting", AssociationAborted),
        ("babbling", ProtocolBroken),
    ],
)
def test_a_peer_that_does_not_answer_the_request_is_told(
    script: str, problem: type[Exception]
) -> None:
    with listening(SCRIPTS[script]) as (port, _), pytest.raises(problem):
        Modality("CT1", LOOPBACK, port, "X", timeout=0.3).echo()


def test_a_file_without_file_meta_needs_its_uids_and_syntax_given(tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    bare.write_bytes(octets_of(an_object()))
    with pytest.raises(NotSendable):
        WireObject.from_file(bare)
    given = WireObject.from_file(
        bare, sop_class_uid=CT, sop_instance_uid=UID, transfer_syntax=EXPLICIT
    )
    assert octets_of(given) == octets_of(an_object())


def test_a_part_10_file_in_memory_is_taken_like_one_on_disk() -> None:
    path = bundled_patients()[0].files[0]
    in_memory = WireObject.from_part10(path.read_bytes())
    on_disk = WireObject.from_file(path)
    assert replace(on_disk, data_set=octets_of(on_disk)) == in_memory


def test_a_file_meta_cut_short_is_not_sendable() -> None:
    meta = bytes(128) + b"DICM" + b"\x02\x00\x02\x00UI\x40\x001.2.3"
    with pytest.raises(NotSendable):
        read_file_meta(io.BytesIO(meta))


@needs_dcmtk
def test_dcmtk_writes_the_same_octets(tmp_path: Path) -> None:
    sent = bundled_objects()
    with storescp(tmp_path / "received") as scp:
        endpoint = scp.endpoint
        modality = Modality("CT1", endpoint.host, endpoint.port, endpoint.ae_title, timeout=10)
        outcomes = modality.store(sent)
        written = [octets_of(WireObject.from_file(path)) for path in scp.files]
    assert all(outcome.success for outcome in outcomes)
    assert sorted(written) == sorted(octets_of(one) for one in sent)


@needs_corpus
def test_every_file_of_the_corpus_goes_on_the_wire_unchanged() -> None:
    files = corpus_files()
    sendable = [file.on_the_wire() for file in files]
    sent = [one.wire_object for one in sendable]
    classes = sorted({one.sop_class_uid for one in sent})
    with RecordingScp(private_classes=classes, answer=lambda _: 0) as scp:
        outcomes = modality_of(scp, timeout=30).store(sent)
        received = {(one.sop_instance_uid, one.transfer_syntax, one.sha256) for one in scp.received}
    assert len(outcomes) == len(files)
    assert [outcome.error_comment for outcome in outcomes if not outcome.success] == []
    assert {(o.sop_instance_uid, o.transfer_syntax, o.sha256) for o in outcomes} == received
    made_up = [file.name for file, one in zip(files, sendable, strict=True) if one.made_up]
    assert all(name.startswith("malformed/") for name in made_up)


MEDIA_STORAGE_DIRECTORY = "1.2.840.10008.1.3.10"
SYNTAXES_DCMTK_DOES_NOT_KNOW = {
    "1.2.840.10008.1.2.4.53",
    "1.2.840.10008.1.2.4.55",
    "1.2.840.10008.1.2.4.57",
    "1.2.840.10008.1.2.4.111",
    "1.2.840.10008.1.2.4.201",
    "1.2.840.10008.1.2.4.203",
    "1.2.840.10008.1.2.8.1",
}


def dcmtk_takes(wire_object: WireObject) -> bool:
    """Tell whether storescp takes it; it aborts at a Data Set of odd length (PS3.8 Annex E.1)."""
    return (
        wire_object.transfer_syntax not in SYNTAXES_DCMTK_DOES_NOT_KNOW
        and wire_object.sop_class_uid != MEDIA_STORAGE_DIRECTORY
        and len(octets_of(wire_object)) % 2 == 0
    )


@needs_corpus
@needs_dcmtk
def test_dcmtk_writes_the_octets_of_every_file_of_the_corpus_that_it_can_take(
    tmp_path: Path,
) -> None:
    sent = [file.on_the_wire().wire_object for file in corpus_files()]
    with storescp(tmp_path / "received") as scp:
        endpoint = scp.endpoint
        modality = Modality("CT1", endpoint.host, endpoint.port, endpoint.ae_title, timeout=30)
        outcomes = modality.store(sent)
        written = [sha256_of_data_set(path) for path in scp.files]
    assert [outcome.success for outcome in outcomes] == [dcmtk_takes(one) for one in sent]
    assert sorted(written) == sorted(one.sha256 for one in outcomes if one.success)


def sha256_of_data_set(path: Path) -> str:
    with path.open("rb") as stream:
        stream.seek(read_file_meta(stream).end)
        return hashlib.sha256(stream.read()).hexdigest()


@contextmanager
def served(ae: AE, *handlers: EventHandlerType) -> Iterator[int]:
    server = ae.start_server((LOOPBACK, 0), block=False, evt_handlers=list(handlers))
    assert server is not None
    assert server.socket is not None
    try:
        yield server.socket.getsockname()[1]
    finally:
        ae.shutdown()


Script = Callable[[socket.socket, list[bytes]], None]


def receive_pdu(connected: socket.socket) -> bytes:
    """Take one PDU and not an octet more: the next may lie behind it already."""
    head = receive_exactly(connected, 6)
    return head + receive_exactly(connected, struct.unpack(">I", head[2:])[0])


def receive_exactly(connected: socket.socket, length: int) -> bytes:
    octets = b""
    while len(octets) < length:
        chunk = connected.recv(length - len(octets))
        assert chunk, "the modality ended the connection"
        octets += chunk
    return octets


def accept(connected: socket.socket) -> None:
    """Accept contexts 1 and 3 of whatever is proposed."""
    receive_pdu(connected)
    syntax = struct.pack(">BxH", 0x40, 18) + b"1.2.840.10008.1.2\0"
    items = b"".join(
        struct.pack(">BxHB3x", 0x21, 4 + len(syntax), context) + syntax for context in (1, 3)
    )
    length = struct.pack(">BxHBxHI", 0x50, 8, 0x51, 4, 16384)
    body = struct.pack(">HH64x", 1, 0) + items + length
    connected.sendall(struct.pack(">BxI", 2, len(body)) + body)


def accept_once(connected: socket.socket, received: list[bytes]) -> None:
    accept(connected)
    received.append(receive_pdu(connected))


def abort_after_command(connected: socket.socket, received: list[bytes]) -> None:
    accept_once(connected, received)
    receive_pdu(connected)
    connected.sendall(struct.pack(">BxIBBBB", 7, 4, 0, 0, 2, 0))


SCRIPTS: dict[str, Script] = {
    "silent": lambda connected, _: wait_until(
        lambda: connected.recv(65536) == b"", what="the modality gives up"
    ),
    "closing": lambda connected, _: None,
    "aborting": lambda connected, _: connected.sendall(struct.pack(">BxI4x", 7, 4)),
    "babbling": lambda connected, _: connected.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
}


@contextmanager
def listening(*scripts: Script) -> Iterator[tuple[int, list[bytes]]]:
    """Give a port where each connection in turn meets the next script."""
    received: list[bytes] = []
    server = socket.create_server((LOOPBACK, 0))
    server.settimeout(10)

    def serve() -> None:
        for script in scripts:
            connected, _ = server.accept()
            with connected:
                connected.settimeout(10)
                script(connected, received)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield server.getsockname()[1], received
    finally:
        thread.join(timeout=20)
        server.close()
