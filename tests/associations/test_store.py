"""C-STORE: whatever comes is kept as it came, and answered clearly."""

import hashlib
import itertools
import socket
import threading
from dataclasses import replace

import pytest

from archive.dimse import commands
from archive.store.part10 import data_set_offset
from archive.words.statuses import StoreStatus
from deploy.demo.command_set import echo_request
from deploy.demo.modality import AssociationAborted, AssociationRejected, ContextNotAccepted
from deploy.demo.upper_layer import PresentationContext, p_data
from tests.associations.door import CT, EXPLICIT, IMPLICIT, Archive, wire
from tests.peers.corpus import corpus_files, needs_corpus
from tests.peers.processes import wait_until

JPEG_LOSSLESS = "1.2.840.10008.1.2.4.70"
JPEG_BASELINE = "1.2.840.10008.1.2.4.50"


def handed_over(archive: Archive, count: int) -> list[tuple[str, bytes]]:
    """Return (SOP Instance UID of the command, Data Set digest) once there are so many."""
    wait_until(lambda: len(archive.records()) >= count, what=f"{count} records")
    return [
        (
            record.envelope.sop_instance_uid,
            hashlib.sha256(part10[data_set_offset(part10) :]).digest(),
        )
        for _, record, part10 in archive.records()
    ]


def test_verification_is_answered(archive: Archive) -> None:
    assert archive.modality().echo() == 0


def test_what_is_answered_with_success_lies_in_the_spool_as_it_was_sent(archive: Archive) -> None:
    objects = [wire(f"1.2.3.1.{n}") for n in range(1, 6)]

    stored = archive.modality().store(objects)

    assert [one.status for one in stored] == [StoreStatus.SUCCESS] * 5
    assert handed_over(archive, 5) == [
        (one.sop_instance_uid, bytes.fromhex(one.sha256)) for one in stored
    ]
    (envelope,) = {
        replace(record.envelope, sop_instance_uid="", arrived_at=record.envelope.arrived_at)
        for _, record, _ in archive.records()[:1]
    }
    assert (envelope.calling_ae, envelope.called_ae) == ("CT1", "RXA")
    assert envelope.transfer_syntax == EXPLICIT


@pytest.mark.parametrize(
    "uid", ["1." + "2" * 63, "../../etc/passwd", "", "1..2", "1.2.a", "1.2.3\\1.2.4", "é1.2"]
)
def test_an_impossible_uid_is_kept_and_named_in_the_answer(archive: Archive, uid: str) -> None:
    odd = replace(wire("1.2.3.1.1"), sop_instance_uid=uid)

    with archive.modality().open([odd, wire("1.2.3.1.2")]) as association:
        answer = association.store(odd)
        after = association.store(wire("1.2.3.1.2"))

    assert answer.status == StoreStatus.INVALID_SOP_INSTANCE
    assert "SOP Instance UID" in answer.error_comment
    assert after.status == StoreStatus.SUCCESS
    kept = handed_over(archive, 2)
    assert kept[0][1] == bytes.fromhex(answer.sha256)


def test_private_and_unknown_classes_are_kept(archive: Archive) -> None:
    objects = [
        wire("1.2.3.1.1", sop_class="1.3.12.2.1107.5.9.1"),
        wire("1.2.3.1.2", sop_class="1.2.840.10008.5.1.4.1.1.9999"),
        wire("1.2.3.1.3", sop_class="1.2.840.10008.5.1.4.38.1"),
    ]

    assert all(one.success for one in archive.modality().store(objects))
    assert len(handed_over(archive, 3)) == 3


@pytest.mark.parametrize("syntax", ["1.2.840.113619.5.2", "1.2.840.10008.1.2.4.111", "2.25.1"])
def test_any_transfer_syntax_is_kept(archive: Archive, syntax: str) -> None:
    odd = replace(wire("1.2.3.1.1"), transfer_syntax=syntax)

    (stored,) = archive.modality().store([odd])

    assert stored.success
    assert len(handed_over(archive, 1)) == 1
    assert archive.records()[0][1].envelope.transfer_syntax == syntax


@pytest.mark.parametrize(
    ("proposed", "accepted"),
    [
        ((IMPLICIT, EXPLICIT), EXPLICIT),
        ((IMPLICIT, JPEG_BASELINE, JPEG_LOSSLESS), JPEG_LOSSLESS),
        ((JPEG_BASELINE, IMPLICIT), IMPLICIT),
        ((JPEG_BASELINE,), JPEG_BASELINE),
    ],
)
def test_the_syntax_that_keeps_most_is_accepted(
    archive: Archive, proposed: tuple[str, ...], accepted: str
) -> None:
    from pynetdicom import AE

    entity = AE("CT1")
    entity.add_requested_context(CT, list(proposed))
    association = entity.associate(archive.endpoint.host, archive.endpoint.port)

    (context,) = association.accepted_contexts
    association.release()
    assert context.transfer_syntax == [accepted]


def test_each_context_of_one_class_is_judged_by_itself(archive: Archive) -> None:
    objects = [
        replace(wire(f"1.{n}"), transfer_syntax=s) for n, s in enumerate((IMPLICIT, EXPLICIT))
    ]

    with archive.modality().open(objects) as association:
        assert {one.transfer_syntax for one in association.accepted} >= {IMPLICIT, EXPLICIT}


def test_other_services_are_not_taken_for_storage(archive: Archive) -> None:
    worklist = PresentationContext("1.2.840.10008.5.1.4.31", EXPLICIT)

    with archive.modality().open_contexts([worklist]) as association:
        assert worklist not in association.accepted


def test_an_unknown_calling_ae_is_rejected_for_good_and_told_of(archive: Archive) -> None:
    with pytest.raises(AssociationRejected) as rejected:
        archive.modality("STRANGER").echo()

    assert (rejected.value.result, rejected.value.source, rejected.value.reason) == (1, 1, 3)
    assert [ae_title for ae_title, _ in archive.refused] == ["STRANGER"]


def test_a_store_cut_off_by_an_abort_leaves_nothing(archive: Archive) -> None:
    association = archive.modality().open([wire("1.2.3.1.1")])
    association.store(wire("1.2.3.1.1"))
    association.begin_store(wire("1.2.3.1.2"), octets=900)
    association.abort()

    assert [uid for uid, _ in handed_over(archive, 1)] == ["1.2.3.1.1"]


def test_a_connection_that_breaks_loses_nothing_that_was_answered(archive: Archive) -> None:
    association = archive.modality().open([wire("1.2.3.1.1")])
    association.store(wire("1.2.3.1.1"))
    association.cut()

    assert [uid for uid, _ in handed_over(archive, 1)] == ["1.2.3.1.1"]


def test_without_space_the_sender_is_told_to_come_again(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = archive.spool._ground.disk
    monkeypatch.setattr(type(disk), "free_bytes", lambda _self, _path: -1)
    (stored,) = archive.modality().store([wire("1.2.3.1.1")])

    assert stored.status == StoreStatus.OUT_OF_RESOURCES
    assert archive.records() == []


def test_an_empty_data_set_is_not_taken_for_an_object(archive: Archive) -> None:
    (stored,) = archive.modality().store([replace(wire("1.2.3.1.1"), data_set=b"")])

    assert stored.status == StoreStatus.CANNOT_UNDERSTAND


def test_a_context_that_was_not_accepted_ends_the_association(archive: Archive) -> None:
    worklist = replace(wire("1.2.3"), sop_class_uid="1.2.840.10008.5.1.4.31")

    with archive.modality().open([worklist]) as association, pytest.raises(ContextNotAccepted):
        association.store(worklist)


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(p_data(1, b"garbage!", command=True, last=True), id="no command"),
        pytest.param(p_data(1, b"garbage!", command=False, last=True), id="data before a command"),
        pytest.param(
            b"".join(p_data(1, bytes(16_000), command=True, last=False) for _ in range(8)),
            id="a command without end",
        ),
        pytest.param(b"\x04\0\0\0\0\x05\0\0\0\x01\x01", id="an empty fragment"),
        pytest.param(p_data(99, echo_request(message_id=1), command=True, last=True), id="context"),
        pytest.param(
            p_data(
                1,
                commands.coded_command(
                    {
                        commands.COMMAND_FIELD: commands.us(0x0140),
                        commands.MESSAGE_ID: commands.us(1),
                        commands.COMMAND_DATA_SET_TYPE: commands.us(commands.NO_DATA_SET),
                    }
                ),
                command=True,
                last=True,
            ),
            id="a service that is not offered",
        ),
    ],
)
def test_a_message_that_makes_no_sense_ends_its_association_and_no_other(
    archive: Archive, message: bytes
) -> None:
    with archive.modality().open() as other:
        association = archive.modality().open()
        association._connection.send(message)
        with pytest.raises(AssociationAborted):
            association._connection.receive()
        association.abort()
        assert other.echo() == 0


@pytest.mark.parametrize("octets", [b"GET / HTTP/1.1\r\n\r\n", b"\x01\0\xff\xff\xff\xff", b""])
def test_what_is_no_association_request_leaves_nothing_behind(
    archive: Archive, octets: bytes
) -> None:
    for _ in range(5):
        with socket.create_connection((archive.endpoint.host, archive.endpoint.port)) as connection:
            connection.sendall(octets)
    wait_until(lambda: not associations(), what="the associations ended")
    assert archive.modality().echo() == 0


def associations() -> list[str]:
    return [one.name for one in threading.enumerate() if "AcceptorThread" in one.name]


@needs_corpus
def test_every_shared_file_is_kept_bit_for_bit(archive: Archive) -> None:
    chosen = [one.on_the_wire().wire_object for one in itertools.islice(corpus_files(), 0, None, 6)]

    stored = archive.modality().store(chosen)

    assert {one.status for one in stored} <= {
        StoreStatus.SUCCESS,
        StoreStatus.INVALID_SOP_INSTANCE,
        StoreStatus.DATA_SET_DOES_NOT_MATCH_SOP_CLASS,
    }
    kept = handed_over(archive, len(stored))
    assert sorted(digest.hex() for _, digest in kept) == sorted(one.sha256 for one in stored)
