"""The PAS of the demo: what its messages say, and its MLLP client against small receivers."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import hl7
import pytest

from deploy.demo.mllp import framed, read_ack
from deploy.demo.pas import (
    ConnectionEnded,
    Feed,
    Identifier,
    Message,
    MllpClient,
    NoAnswer,
    NotAnAck,
    Person,
    Report,
    adt,
    oru,
)
from tests.peers.processes import LOOPBACK, free_port, wait_until

ARCHIBALD = Person(
    mrn="A1000",
    authority="RXA",
    name="Doe^Archibald^^Dr",
    birth_date="19500102",
    sex="M",
    postcode="AB1 2CD",
    nhs_number="9990000018",
)


def parsed(message: Message) -> hl7.Message:
    return hl7.parse(message.octets.decode(message.codec))


def test_pid_3_repeats_the_trusts_number_and_the_nhs_number() -> None:
    pid = parsed(adt("A28", ARCHIBALD)).segment("PID")
    assert str(pid(3)) == "A1000^^^RXA^MR~9990000018^^^NHS^NH"
    assert str(pid(32)) == "NSTS01"
    assert str(pid(5)) == "Doe^Archibald^^^Dr"
    assert (str(pid(7)), str(pid(8))) == ("19500102", "M")
    assert str(pid(11)) == "^^^^AB1 2CD^GBR^H"


@pytest.mark.parametrize(
    ("event", "structure", "patient_class"),
    [("A28", "ADT_A05", "N"), ("A01", "ADT_A01", "I"), ("A04", "ADT_A01", "O")],
)
def test_an_event_has_its_structure_and_patient_class(
    event: str, structure: str, patient_class: str
) -> None:
    message = adt(event, ARCHIBALD, feed=Feed(sending_facility="RXA"), ward="W1")
    msh = parsed(message).segment("MSH")
    assert str(msh(9)) == f"ADT^{event}^{structure}"
    assert (str(msh(3)), str(msh(4))) == ("PAS", "RXA")
    assert str(msh(10)) == message.control_id
    assert str(parsed(message).segment("EVN")(1)) == event
    assert str(parsed(message).segment("PV1")(2)) == patient_class
    assert str(parsed(message).segment("PV1")(3)) == "W1"


def test_a_person_of_whom_no_number_is_known_has_no_pid_3() -> None:
    pid = parsed(adt("A28", Person(mrn="", authority="", name="Doe^John"))).segment("PID")
    assert str(pid(3)) == ""


def test_further_identifiers_are_further_repeats() -> None:
    person = replace(ARCHIBALD, other_identifiers=(Identifier("7", "RXAW", "MR"),))
    assert "~7^^^RXAW^MR" in str(parsed(adt("A28", person)).segment("PID")(3))


@pytest.mark.parametrize(
    ("character_set", "codec"), [("8859/1", "latin-1"), ("UNICODE UTF-8", "utf-8")]
)
def test_accents_are_encoded_as_msh_18_says(character_set: str, codec: str) -> None:
    person = replace(ARCHIBALD, name="Müller^Renée")
    message = adt("A28", person, feed=Feed(character_set=character_set))
    assert "Müller^Renée".encode(codec) in message.octets
    assert str(parsed(message).segment("MSH")(18)) == character_set


def test_a_message_can_belie_its_msh_18() -> None:
    person = replace(ARCHIBALD, name="Müller^Renée")
    with pytest.raises(UnicodeEncodeError):
        _ = adt("A28", person).octets
    assert b"M\xfcller" in replace(adt("A28", person), codec="latin-1").octets


def test_delimiters_within_a_value_are_escaped() -> None:
    message = oru(ARCHIBALD, Report(text="a|b^c&d~e\\f\nend", accession="ACC"))
    assert "a\\F\\b\\S\\c\\T\\d\\R\\e\\E\\f\\.br\\end" in message.text


def test_a_report_names_its_study_its_accession_and_its_status() -> None:
    report = Report(text="No change.", accession="ACC0001", study_instance_uid="1.2.3")
    message = parsed(oru(ARCHIBALD, report))
    study, text = message.segments("OBX")
    assert str(message.segment("MSH")(9)) == "ORU^R01^ORU_R01"
    assert str(message.segment("OBR")(3)) == "ACC0001"
    assert str(message.segment("OBR")(18)) == "ACC0001"
    assert str(message.segment("OBR")(25)) == "F"
    assert (str(study(3)), str(study(5))) == ("113014^DICOM Study^DCM", "1.2.3")
    assert (str(text(2)), str(text(5)), str(text(11))) == ("FT", "No change.", "F")


def test_the_acknowledgement_of_each_message_is_read_on_one_connection() -> None:
    with receiving(acknowledging) as (port, received), MllpClient(LOOPBACK, port) as client:
        for message in (adt("A28", ARCHIBALD), adt("A04", ARCHIBALD)):
            ack = client.send(message)
            assert (ack.code, ack.control_id, ack.text) == ("AA", message.control_id, "taken")
    assert len(received) == 2


def test_a_message_in_two_segments_arrives_whole() -> None:
    message = adt("A28", ARCHIBALD)
    with receiving(acknowledging) as (port, received), MllpClient(LOOPBACK, port) as client:
        assert client.send_in_two(message, at=40).code == "AA"
    assert received == [message.octets]


def test_half_a_message_then_silence_has_no_answer() -> None:
    with receiving(silent) as (port, received):
        client = MllpClient(LOOPBACK, port, timeout=0.2)
        client.send_octets(framed(adt("A28", ARCHIBALD))[:50])
        with pytest.raises(NoAnswer):
            client.receive()
        client.close()
    assert len(b"".join(received)) == 50


def test_garbage_is_sent_as_it_is() -> None:
    with receiving(silent) as (port, received), MllpClient(LOOPBACK, port) as client:
        client.send_octets(b"GET / HTTP/1.1\r\n\r\n")
        client.close()
    assert b"".join(received) == b"GET / HTTP/1.1\r\n\r\n"


def test_a_receiver_that_goes_away_is_told() -> None:
    with receiving(hanging_up) as (port, _), pytest.raises(ConnectionEnded):
        MllpClient(LOOPBACK, port).send(adt("A28", ARCHIBALD))
    with pytest.raises(ConnectionEnded):
        MllpClient(LOOPBACK, free_port(), timeout=1).send(b"MSH|")


@pytest.mark.parametrize("answer", [b"MSA|AA|1", b"\x0bMSH|^~\\&|\r", b"\x0bHTTP/1.1 400"])
def test_what_is_no_acknowledgement_is_told(answer: bytes) -> None:
    with pytest.raises(NotAnAck):
        read_ack(answer)


Script = Callable[[socket.socket, list[bytes]], None]


def acknowledging(connected: socket.socket, received: list[bytes]) -> None:
    unread = b""
    while chunk := connected.recv(65_536):
        unread += chunk
        while b"\x1c\r" in unread:
            message, _, unread = unread.partition(b"\x1c\r")
            received.append(message[1:])
            control_id = message.split(b"|")[9]
            msa = b"MSA|AA|" + control_id + b"|taken\r"
            connected.sendall(b"\x0bMSH|^~\\&|X\r" + msa + b"\x1c\r")


def silent(connected: socket.socket, received: list[bytes]) -> None:
    def ended() -> bool:
        received.append(connected.recv(65_536))
        return received[-1] == b""

    wait_until(ended, what="the client gives up")


def hanging_up(connected: socket.socket, received: list[bytes]) -> None:
    received.append(connected.recv(10))


@contextmanager
def receiving(script: Script) -> Iterator[tuple[int, list[bytes]]]:
    """Give a port where one connection meets the script, and what it received."""
    received: list[bytes] = []
    server = socket.create_server((LOOPBACK, 0))
    server.settimeout(10)

    def serve() -> None:
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
