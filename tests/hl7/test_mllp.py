import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from archive.errors import ConfigurationInvalid
from archive.store.segment import RecordKind
from deploy.demo.mllp import MllpClient
from deploy.demo.pas import Feed, Person, adt
from local_node.hl7.framing import framed
from local_node.hl7.mllp import MllpLimits
from tests.hl7.listening import HOST, CommandedDisk, Listening, listening
from tests.peers.processes import wait_until

PERSON = Person(mrn="4711", authority="RXA", name="Müller^Zoë", birth_date="19560402", sex="F")
UTF8 = Feed(sending_facility="RXA", character_set="UNICODE UTF-8")
LATIN_1 = Feed(sending_facility="RXA", character_set="8859/1")


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Listening]:
    with listening(tmp_path) as running:
        yield running


def message(number: int = 1, feed: Feed = UTF8) -> bytes:
    return adt("A28", PERSON, feed=feed, control_id=str(number)).octets


def connected(node: Listening) -> socket.socket:
    connection = socket.create_connection((HOST, node.port), timeout=20)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def until_closed(connection: socket.socket) -> bytes:
    received = b""
    while chunk := connection.recv(65536):
        received += chunk
    return received


def answers(received: bytes) -> list[tuple[str, str]]:
    """MSA-1 and MSA-2 of each acknowledgement in what was received."""
    told = []
    for answer in received.split(b"\x1c\r")[:-1]:
        assert answer.startswith(b"\x0bMSH|")
        msa = answer.split(b"\r")[1].decode().split("|")
        told.append((msa[1], msa[2] if len(msa) > 2 else ""))
    return told


@pytest.mark.parametrize("feed", [UTF8, LATIN_1])
def test_a_message_is_accepted_and_kept_octet_for_octet(node: Listening, feed: Feed) -> None:
    sent = adt("A28", PERSON, feed=feed, control_id="77")
    with MllpClient(HOST, node.port) as client:
        ack = client.send(sent)
    assert (ack.code, ack.control_id) == ("AA", "77")
    assert node.waits_for(1) == [sent.octets]


def test_the_record_says_who_sent_what(node: Listening) -> None:
    with MllpClient(HOST, node.port) as client:
        client.send(message(5))
    node.waits_for(1)
    ((record, _),) = node.records()
    assert record.kind is RecordKind.HL7
    envelope = record.envelope
    assert envelope.calling_ae == "PAS|RXA"
    assert envelope.called_ae == "IMAGESTORE"
    assert envelope.sop_instance_uid == "5"
    assert envelope.transfer_syntax == "x-application/hl7-v2+er7"
    assert envelope.peer.startswith("127.0.0.1:")


def test_a_message_in_two_tcp_segments_is_one_message(node: Listening) -> None:
    octets = message()
    with MllpClient(HOST, node.port) as client:
        for at in (1, len(octets) // 2, len(octets) + 2):
            assert client.send_in_two(octets, at=at).code == "AA"
    assert node.waits_for(3) == [octets] * 3


def test_many_messages_in_one_segment_are_answered_in_order(node: Listening) -> None:
    messages = [message(number) for number in range(40)]
    with connected(node) as connection:
        connection.sendall(b"".join(map(framed, messages)))
        connection.shutdown(socket.SHUT_WR)
        received = until_closed(connection)
    assert answers(received) == [("AA", str(number)) for number in range(40)]
    assert node.waits_for(40) == messages


def test_a_sender_without_the_last_carriage_return_is_answered(node: Listening) -> None:
    with MllpClient(HOST, node.port) as client:
        client.send_octets(framed(message())[:-1])
        assert client.receive().code == "AA"


def test_half_a_message_then_silence_closes_the_connection_and_keeps_nothing(
    tmp_path: Path,
) -> None:
    with (
        capture_logs() as lines,
        listening(tmp_path, limits=MllpLimits(idle_seconds=0.05)) as node,
        connected(node) as connection,
    ):
        connection.sendall(framed(message())[:40])
        assert until_closed(connection) == b""
        wait_until(lambda: any(line["event"] == "mllp.closed" for line in lines), what="a log line")
    (line,) = [line for line in lines if line["event"] == "mllp.closed"]
    assert (line["why"], line["octets_dropped"], line["log_level"]) == ("silent", 40, "warning")
    assert line["association"].startswith("mllp-")
    assert line["peer"].startswith("127.0.0.1:")
    assert node.bodies() == []


def test_half_a_message_then_the_end_keeps_nothing(node: Listening) -> None:
    with capture_logs() as lines, connected(node) as connection:
        connection.sendall(framed(message())[:40])
        connection.shutdown(socket.SHUT_WR)
        assert until_closed(connection) == b""
        wait_until(lambda: any(line.get("why") == "cut_off" for line in lines), what="a log line")
    assert node.bodies() == []


def test_a_quiet_connection_stays_open_between_messages(tmp_path: Path) -> None:
    limits = MllpLimits(idle_seconds=0.05, hand_over_seconds=0.02)
    with listening(tmp_path, limits=limits) as node, MllpClient(HOST, node.port) as client:
        for number in range(3):
            assert client.send(message(number)).code == "AA"
            node.waits_for(number + 1)


def test_a_connection_that_is_quiet_for_long_is_closed(tmp_path: Path) -> None:
    with (
        listening(tmp_path, limits=MllpLimits(quiet_seconds=0.05)) as node,
        connected(node) as connection,
    ):
        assert until_closed(connection) == b""


@pytest.mark.parametrize(
    "octets",
    [
        b"This is not HL7.",
        b"",
        b"PID|1||4711",
        b"MSH",
        b"MSH|^^^^|",
        bytes(range(0x20, 0x100)),
        message() + message(),
    ],
)
def test_what_is_not_hl7_by_its_msh_is_rejected_and_the_next_message_is_taken(
    node: Listening, octets: bytes
) -> None:
    with MllpClient(HOST, node.port) as client:
        ack = client.send(octets)
        assert ack.code == "AR"
        assert ack.text
        assert client.send(message(8)).code == "AA"
    (kept,) = node.waits_for(1)
    assert b"ADT^A28" in kept


def test_a_rejection_names_the_message_where_it_can_be_read(node: Listening) -> None:
    with MllpClient(HOST, node.port) as client:
        assert client.send(message(31) + message(32)).control_id == "31"


@pytest.mark.parametrize(
    "octets", [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x00" * 10, message(), b"\x1c\rgarbage"]
)
def test_octets_without_a_frame_are_rejected_and_the_connection_is_closed(
    node: Listening, octets: bytes
) -> None:
    with connected(node) as connection:
        connection.sendall(octets)
        assert answers(until_closed(connection)) == [("AR", "")]
    assert node.bodies() == []


def test_endless_garbage_is_not_read_for_ever(tmp_path: Path) -> None:
    with (
        listening(tmp_path, limits=MllpLimits(message_octets=100_000)) as node,
        connected(node) as connection,
    ):
        with pytest.raises(ConnectionError):
            _sends_for_ever(connection, b"garbage " * 10_000)
        assert node.bodies() == []


def _sends_for_ever(connection: socket.socket, octets: bytes) -> None:
    while True:
        connection.sendall(octets)


@pytest.mark.parametrize("end", [b"\x1c\r", b""])
def test_a_message_over_the_limit_is_rejected_by_its_control_id(tmp_path: Path, end: bytes) -> None:
    octets = message(9) + b"OBX|1|TX|||" + b"x" * 300_000
    with (
        listening(tmp_path, limits=MllpLimits(message_octets=200_000)) as node,
        connected(node) as connection,
    ):
        connection.sendall(b"\x0b" + octets + end)
        assert answers(until_closed(connection)) == [("AR", "9")]
        assert node.bodies() == []


def test_a_message_up_to_the_limit_is_taken(node: Listening) -> None:
    octets = message() + b"OBX|1|TX|||" + b"x" * 5_000_000 + b"\r"
    with MllpClient(HOST, node.port) as client:
        assert client.send(octets).code == "AA"
    assert node.waits_for(1) == [octets]


def test_an_acknowledgement_is_not_answered(node: Listening) -> None:
    with MllpClient(HOST, node.port, timeout=20) as client:
        client.send_octets(framed(b"MSH|^~\\&|X|Y|||||ACK^A28^ACK|1|P|2.5\rMSA|AA|1\r"))
        assert client.send(message(2)).control_id == "2"
    node.waits_for(1)
    assert len(node.bodies()) == 1


def test_nothing_is_answered_before_the_message_is_on_the_disk(tmp_path: Path) -> None:
    disk = CommandedDisk()
    with listening(tmp_path, disk=disk) as node, connected(node) as connection:
        disk.may_sync.clear()
        connection.sendall(framed(message()))
        assert disk.syncing.wait(20)
        connection.setblocking(False)
        with pytest.raises(BlockingIOError):
            connection.recv(1)
        connection.settimeout(20)
        disk.may_sync.set()
        assert connection.recv(1) == b"\x0b"


def test_a_broken_disk_is_an_error_to_send_again_and_its_mending_is_noticed(
    tmp_path: Path,
) -> None:
    disk = CommandedDisk()
    with listening(tmp_path, disk=disk) as node, MllpClient(HOST, node.port) as client:
        assert client.send(message(1)).code == "AA"
        disk.broken = True
        for number in (2, 3):
            ack = client.send(message(number))
            assert (ack.code, ack.control_id) == ("AE", str(number))
            assert "Send again" in ack.text
            assert b"\rERR|||207^" in ack.octets
        disk.broken = False
        assert client.send(message(4)).code == "AA"


def test_below_the_disk_floor_nothing_is_written_and_the_answer_is_an_error(
    tmp_path: Path,
) -> None:
    disk = CommandedDisk()
    disk.full = True
    with listening(tmp_path, disk=disk) as node, MllpClient(HOST, node.port) as client:
        assert client.send(message()).code == "AE"
    assert list(tmp_path.iterdir()) == []


def test_many_senders_at_once_lose_nothing(node: Listening) -> None:
    def sends(sender: int) -> list[tuple[str, str]]:
        with MllpClient(HOST, node.port) as client:
            acks = [client.send(message(sender * 100 + number)) for number in range(10)]
        return [(ack.code, ack.control_id) for ack in acks]

    with ThreadPoolExecutor(20) as pool:
        told = list(pool.map(sends, range(1, 21)))
    assert told == [
        [("AA", str(sender * 100 + number)) for number in range(10)] for sender in range(1, 21)
    ]
    assert len(node.waits_for(200)) == 200


def test_senders_that_stall_do_not_hold_up_others(tmp_path: Path) -> None:
    disk = CommandedDisk()
    with listening(tmp_path, disk=disk) as node:
        stalled = [connected(node) for _ in range(30)]
        for connection in stalled:
            connection.sendall(framed(message())[:30])
        deaf = connected(node)
        threading.Thread(target=_floods, args=(deaf,), daemon=True).start()
        with MllpClient(HOST, node.port) as client:
            assert client.send(message(7)).code == "AA"
        for connection in (*stalled, deaf):
            connection.close()


def _floods(connection: socket.socket) -> None:
    """Send and never read."""
    with suppress(OSError):
        _sends_for_ever(connection, framed(message()) * 100)


def test_more_connections_than_allowed_are_closed_at_once(tmp_path: Path) -> None:
    with (
        listening(tmp_path, limits=MllpLimits(connections=1)) as node,
        MllpClient(HOST, node.port) as first,
    ):
        assert first.send(message(1)).code == "AA"
        with connected(node) as second:
            assert until_closed(second) == b""
        assert first.send(message(2)).code == "AA"


def test_intake_sees_messages_while_the_connection_is_held_open(tmp_path: Path) -> None:
    limits = MllpLimits(hand_over_seconds=0.02)
    with listening(tmp_path, limits=limits) as node, MllpClient(HOST, node.port) as client:
        client.send(message(1))
        node.waits_for(1)
        for number in range(2, 1000):
            client.send(message(number))
            if len(node.bodies()) > 1:
                break
        assert len(node.bodies()) > 1, "a steady feed must not hide its messages"


def test_stop_answers_what_is_being_written_and_closes_the_rest(tmp_path: Path) -> None:
    disk = CommandedDisk()
    with listening(tmp_path, disk=disk) as node:
        idle, half, busy = connected(node), connected(node), connected(node)
        half.sendall(framed(message(1))[:20])
        disk.may_sync.clear()
        busy.sendall(framed(message(2)))
        assert disk.syncing.wait(20)
        stopping = threading.Thread(target=node.listener.stop)
        stopping.start()
        assert until_closed(idle) == b""
        assert until_closed(half) == b""
        disk.may_sync.set()
        assert answers(until_closed(busy)) == [("AA", "2")]
        stopping.join(20)
        assert not stopping.is_alive()
        assert len(node.bodies()) == 1
        with pytest.raises(ConnectionRefusedError):
            connected(node)


def test_stop_before_start_and_twice_is_nothing(node: Listening) -> None:
    node.listener.stop()
    node.listener.stop()


def test_an_address_that_is_taken_is_said_at_start(node: Listening) -> None:
    twin = node.listener.__class__(
        spool=node.listener.spool, clock=node.listener.clock, host=HOST, port=node.port
    )
    with pytest.raises(ConfigurationInvalid) as refused:
        twin.start()
    assert refused.value.facts["port"] == node.port
