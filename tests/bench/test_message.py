from io import BytesIO
from pathlib import Path
from struct import unpack_from

import pytest
from pydicom import dcmread

from tests.bench.corpus import Corpus, corpus
from tests.bench.experiments import FULL, experiments
from tests.bench.message import Message, status_of
from tests.bench.sender import Task, Template, made
from tests.bench.sending import Workload, sent, storescu_environment, tasks
from tests.bench.sides import storescp
from tests.peers.dcmtk import needs_dcmtk
from tests.peers.processes import Endpoint

NOWHERE = Endpoint("127.0.0.1", 1, "NOBODY")


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return corpus(tmp_path_factory.mktemp("bench") / "corpus", {"ct": 1, "small": 102})


def fragments(message: Message) -> tuple[bytes, bytes]:
    """Return command set and Data Set of a message, and hold its PDUs to PS3.8 on the way."""
    command, data_set, at = b"", b"", 0
    while at < len(message.octets):
        kind, length, item, _, control = unpack_from(">BxIIBB", message.octets, at)
        assert (kind, item) == (4, length - 4)
        fragment = bytes(message.octets[at + 12 : at + 6 + length])
        command, data_set = (
            (command + fragment, data_set) if control & 1 else (command, data_set + fragment)
        )
        at += 6 + length
        assert bool(control & 2) == (bool(control & 1) or at == len(message.octets))
    return command, data_set


def task(images: Corpus, workload: Workload, run: int) -> Task:
    return next(iter(tasks(workload, images, NOWHERE, run)))


def template(images: Corpus, kind: str) -> Template:
    return task(images, Workload(kind, 1), run=1).templates[0]


@pytest.mark.parametrize("kind", ["ct", "small"])
@pytest.mark.parametrize("pdu_bytes", [16384, 131072])
def test_a_message_carries_the_data_set_of_its_file(
    images: Corpus, kind: str, pdu_bytes: int
) -> None:
    message = made(template(images, kind), context_id=1, pdu_bytes=pdu_bytes)
    image = images.images[kind][0]
    file = (images.directory / image.file).read_bytes()
    assert fragments(message)[1] == file[image.data_set_at :]


@pytest.mark.parametrize("number", [0, 1, 101, 102, 250])
def test_a_message_that_was_renewed_is_another_instance_in_command_and_data_set(
    images: Corpus, number: int
) -> None:
    of = task(images, Workload("small", 102), run=77)
    identity = of.identity(number)
    message = made(of.templates[0], context_id=1, pdu_bytes=16384)
    message.renew(identity, 513)
    command, data_set = fragments(message)
    assert identity.instance.encode() in command
    assert command.endswith(identity.instance.encode())
    assert b"\0\0\x10\x01\x02\0\0\0\x01\x02" in command
    header = dcmread(BytesIO(data_set), force=True)
    assert header.SOPInstanceUID == identity.instance
    assert header.StudyInstanceUID == identity.study
    assert header.SeriesInstanceUID == identity.series
    assert header.FrameOfReferenceUID == identity.frame
    assert header.PatientID == identity.patient
    assert header.AccessionNumber == identity.accession


def test_no_two_instances_of_a_long_stream_are_the_same(images: Corpus) -> None:
    of = task(images, Workload("small", 102), run=77)
    instances = [of.identity(number) for number in range(1000)]
    assert len({one.instance for one in instances}) == 1000
    assert all(len(one.instance) == 42 for one in instances)
    # 102 files are two series, one study; 1000 instances go through them nine times and a bit.
    assert len({one.series for one in instances}) == 19
    assert len({one.study for one in instances}) == 10


def test_the_second_series_lies_in_implicit_vr(images: Corpus) -> None:
    syntaxes = [image.syntax for image in images.images["small"]]
    assert syntaxes == ["1.2.840.10008.1.2.1"] * 100 + ["1.2.840.10008.1.2"] * 2


def test_octets_of_more_instances_than_files_are_counted_round_and_round(images: Corpus) -> None:
    each = [image.octets for image in images.images["small"]]
    assert images.octets("small", 103) == sum(each) + each[0]


def test_a_status_is_read_from_a_response() -> None:
    told = bytes.fromhex("0000 0009 02000000 00A7".replace(" ", ""))
    assert status_of(bytes(6) + told) == 0xA700


def test_nagle_is_left_on_by_taking_the_variable_away() -> None:
    given = {"TCP_NODELAY": "1", "PATH": "/bin"}
    assert "TCP_NODELAY" not in storescu_environment(given, nodelay=False)
    assert storescu_environment(given, nodelay=True)["TCP_NODELAY"] == "1"


def test_arms_take_turns_and_guests_leave_early() -> None:
    turns = [(number, arm.name) for number, arm in experiments(FULL)["ct4"].turns()]
    assert turns[:4] == [(0, "node"), (0, "orthanc"), (0, "storescp"), (1, "node")]
    of_nagle = [arm.side for _, arm in experiments(FULL)["nagle-ct"].turns()]
    assert (of_nagle.count("node"), of_nagle.count("orthanc")) == (14, 6)


@needs_dcmtk
def test_what_is_sent_arrives_as_it_is_on_every_association(images: Corpus, tmp_path: Path) -> None:
    with storescp(tmp_path) as receiver:
        sent(Workload("small", 6, associations=2), images, receiver.endpoint, run=5)
        assert receiver.searchable() == 6
    arrived = sorted(tmp_path.glob("files/*"))
    assert len({str(dcmread(path).StudyInstanceUID) for path in arrived}) == 2
    assert {path.stat().st_size > 34_000 for path in arrived} == {True}
