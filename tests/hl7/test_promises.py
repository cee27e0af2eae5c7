"""What a node promises of its HL7 door as a whole: durable, private, needing nobody, documented."""

import logging
import random
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from archive.errors import MalformedMessage
from archive.store.spool import SpoolReader
from deploy.demo.mllp import MllpClient, MllpError
from deploy.demo.pas import Feed, Identifier, Person, Report, adt, oru
from local_node.hl7.findings import FindingCode
from local_node.hl7.message import IDENTITY_CHANGES, REGISTRATIONS
from local_node.hl7.mllp import MllpLimits
from tests.hl7.listening import HOST, CommandedDisk, listening
from tests.hl7.node import Node
from tests.house.source import ROOT
from tests.house.test_imports import BROKER, DATABASE, HTTP, import_without

SECRET = Person(
    mrn="QMRN471147",
    authority="RXA",
    name="Qgeheim^Qvorname^Qmitte",
    birth_date="19011213",
    sex="F",
    postcode="QZ9 9ZQ",
    nhs_number="9990000018",
    other_identifiers=(Identifier("QMRN881188", "XYZ", "MR"),),
)
VALUES = ("QMRN471147", "QMRN881188", "geheim", "vorname", "mitte", "19011213", "QZ9", "99900000")
REPORT = Report(text="Qgeheim has QMRN471147.", accession="QACC", study_instance_uid="Qgeheim")

LISTENER = """
import sys, threading
from pathlib import Path
from archive.clock import SystemClock
from archive.store.disk import RealDisk
from archive.store.spool import Spool
from local_node.hl7.mllp import MllpListener
clock = SystemClock()
spool = Spool(Path(sys.argv[1]), disk=RealDisk(), clock=clock, floor_bytes=1)
print(MllpListener(spool=spool, clock=clock, host="127.0.0.1", port=0).start(), flush=True)
threading.Event().wait()
"""


def corpus() -> list[bytes]:
    """Messages about one person: sound, strange, and broken in every place."""
    feeds = [Feed(sending_facility="RXA", character_set=name) for name in ("", "8859/1")]
    people = [
        SECRET,
        replace(SECRET, name="Qgeheim-Müller^Qvorname"),
        replace(SECRET, authority="XYZ"),
        replace(SECRET, nhs_number="9990000019", birth_date="1901-12-13", sex="Qgeheim"),
        replace(SECRET, nhs_status="Qgeheim"),
    ]
    sound = [
        message
        for feed in feeds
        for person in people
        for message in (adt("A28", person, feed=feed), oru(person, REPORT, feed=feed))
        if feed.character_set or person.name.isascii()
    ]
    octets = [message.octets for message in sound]
    broken = [
        octets[0].replace(b"\r", b"\rMSH|", 1),
        octets[0].replace(b"MSH", b"QSH"),
        b"Qgeheim^Qvorname|QMRN471147",
        octets[0].replace(b"^~\\&", b"^^^^"),
        octets[0].replace(b"ADT^A28^ADT_A05", b"ACK"),
        octets[0].replace(b"Qgeheim^", b"Qgeheim\\X\\\\Z\\\\Xzz\\^"),
    ]
    return [*octets, *broken, *_damaged(octets)]


def _damaged(messages: list[bytes]) -> list[bytes]:
    chance = random.Random(7)
    damaged = []
    for octets in messages * 10:
        head = octets.index(b"\r") + 1
        at = chance.randrange(head, len(octets))
        damaged.append(octets[:at] + octets[at + chance.randrange(1, 20) :])
        damaged.append(octets[:at] + bytes([chance.randrange(256)]) + octets[at:])
    return damaged


def assert_private(text: str) -> None:
    assert [value for value in VALUES if value.lower() in text.lower()] == []


def test_no_log_line_and_no_answer_of_the_listener_tells_of_a_patient(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    disk = CommandedDisk()
    limits = MllpLimits(idle_seconds=0.05, message_octets=20_000)
    answers = []
    with capture_logs() as lines, listening(tmp_path, limits=limits, disk=disk) as node:
        for disk.broken in (False, True):
            for octets in corpus():
                with MllpClient(HOST, node.port, timeout=2) as client:
                    client.send_octets(b"\x0b" + octets + b"\x1c\r")
                    client.send_octets(b"\x0b" + octets[:200])
                    answers.append(_answer(client))
        for octets in (corpus()[0], b"\x0b" + corpus()[0] * 100, b"\x0b" + corpus()[1][:-9]):
            with MllpClient(HOST, node.port, timeout=2) as client:
                client.send_octets(octets)
                answers.append(_answer(client))
    assert {line["event"] for line in lines} >= {
        "mllp.connected",
        "mllp.message",
        "mllp.closed",
        "mllp.acknowledgement_ignored",
    }
    assert "mllp.defect" not in {line["event"] for line in lines}
    assert_private(repr(lines) + caplog.text + "".join(capfd.readouterr()))
    assert {code for answer in answers for code in ("AA", "AE", "AR") if f"|{code}" in answer} == {
        "AA",
        "AE",
        "AR",
    }
    assert_private("".join(answers))


def _answer(client: MllpClient) -> str:
    try:
        return client.receive().octets.decode("latin-1")
    except MllpError:
        return ""


def test_no_log_line_and_no_row_of_intake_tells_of_a_patient(
    node: Node, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    applied = []
    with capture_logs() as lines:
        for octets in corpus():
            try:
                applied.append(node.takes(octets))
            except MalformedMessage:
                continue  # the test's own reading of MSH; the listener would have said AR
    assert_private(repr(lines) + caplog.text + "".join(capfd.readouterr()))
    assert_private(repr(node.rows()) + repr(applied) + repr(node.told))
    assert len(set(node.codes())) > 8


def test_an_acknowledged_message_survives_the_death_of_the_process(tmp_path: Path) -> None:
    sent = adt("A28", SECRET, feed=Feed(character_set="UNICODE UTF-8"))
    program = [sys.executable, "-c", LISTENER, str(tmp_path)]
    with subprocess.Popen(program, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        with MllpClient(HOST, port, timeout=20) as client:
            assert client.send(sent).code == "AA"
            client.send_octets(b"\x0b" + sent.octets[:50])
            process.send_signal(signal.SIGKILL)
        process.wait(20)
    spool = SpoolReader(tmp_path)
    spool.recover()
    kept = [
        b"".join(spool.read(name, offset=record.offset, length=record.length))
        for name in spool.ready()
        for record in spool.records(name)
    ]
    assert kept == [sent.octets]


def test_receiving_needs_no_database_no_broker_and_no_http() -> None:
    import_without(["local_node.hl7.mllp"], DATABASE + BROKER + HTTP)


def test_the_conformance_page_names_every_event_and_every_finding() -> None:
    page = (ROOT / "docs" / "hl7.md").read_text(encoding="utf-8")
    named = {*FindingCode, *REGISTRATIONS, *IDENTITY_CHANGES}
    assert [name for name in sorted(named) if f"`{name}`" not in page] == []
