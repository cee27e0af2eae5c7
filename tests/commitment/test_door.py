"""The door takes commitment requests with nothing but a disk, and sends what it is handed."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pydicom import Dataset
from pynetdicom import AE

from archive.clock import SystemClock
from archive.dimse.commitment import name_of
from archive.dimse.letterbox import Letterbox
from archive.dimse.receive import Receiver
from archive.dimse.scp import Door
from archive.dimse.tables import CallerTable, DestinationTable
from archive.errors import DatabaseUnavailable
from archive.reader import Reader
from archive.store.disk import RealDisk
from archive.store.segment import Record, RecordKind
from archive.store.spool import Spool, SpoolReader
from archive.view.commitment import read_action
from archive.words.commitment import (
    CommitmentRequest,
    CommitmentResult,
    FailureReason,
    Judgement,
    Referenced,
)
from tests.commitment.house import CT_ITEM
from tests.commitment.modality import PUSH_MODEL, PUSH_MODEL_INSTANCE, CommitmentScu
from tests.peers.processes import LOOPBACK, Endpoint, wait_until

SUCCESS, PROCESSING_FAILURE = 0x0000, 0x0110
NO_SUCH_INSTANCE, INVALID_VALUE, NO_SUCH_CLASS, NO_SUCH_ACTION = 0x0112, 0x0115, 0x0118, 0x0123
RESOURCE_LIMITATION = 0x0213
VERIFICATION = "1.2.840.10008.1.1"
TRANSACTION = "1.2.9"
ITEM = Referenced(*CT_ITEM)
RESULT = CommitmentResult(
    TRANSACTION, (Judgement(ITEM, FailureReason.NO_SUCH_OBJECT_INSTANCE, "NEVER_CAME_FROM_IT"),)
)
NAME = name_of("CT1", TRANSACTION, CommitmentRequest(TRANSACTION, (ITEM,)).content)


def no_reader() -> Reader:
    raise DatabaseUnavailable("There is no database.")


@contextmanager
def serving(
    directory: Path, *, floor_bytes: int = 0, commits: bool = True
) -> Iterator[CommitmentScu]:
    """Run a door that has only a disk, and give the modality that calls it."""
    spool = Spool(
        directory / "spool", disk=RealDisk(), clock=SystemClock(), floor_bytes=floor_bytes
    )
    door = Door(
        ae_title="RXA",
        host=LOOPBACK,
        port=0,
        receiver=Receiver(spool, SystemClock()),
        callers=CallerTable({}, anyone=("RXA", None)),
        destinations=DestinationTable({}),
        reader=no_reader,
        letterbox=Letterbox(directory / "letters") if commits else None,
    )
    port = door.start()
    try:
        yield CommitmentScu("CT1", Endpoint(LOOPBACK, port, "RXA"))
    finally:
        door.stop()


@pytest.fixture
def ct1(tmp_path: Path) -> Iterator[CommitmentScu]:
    with serving(tmp_path) as scu:
        yield scu


@pytest.fixture
def letters(tmp_path: Path) -> Letterbox:
    return Letterbox(tmp_path / "letters")


def records(directory: Path) -> list[tuple[Record, bytes]]:
    reader = SpoolReader(directory / "spool")
    return [
        (record, b"".join(reader.read(name, offset=record.offset, length=record.length)))
        for name in reader.ready()
        for record in reader.records(name)
    ]


def information(**changed: object) -> Dataset:
    """Return Action Information that is in order but for what is changed; None leaves it out."""
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = CT_ITEM
    whole = Dataset()
    whole.TransactionUID, whole.ReferencedSOPSequence = TRANSACTION, [item]
    for keyword, value in changed.items():
        if value is None:
            delattr(whole, keyword)
        else:
            setattr(whole, keyword, value)
    return whole


def without_class() -> Dataset:
    whole = information()
    del whole.ReferencedSOPSequence[0].ReferencedSOPClassUID
    return whole


# --- requests -------------------------------------------------------------------------------


def test_a_request_is_in_the_spool_as_it_came_without_any_database(
    ct1: CommitmentScu, tmp_path: Path
) -> None:
    with ct1.association() as association:
        _, status = ct1.ask(association, [CT_ITEM], transaction_uid=TRANSACTION)
    wait_until(lambda: len(records(tmp_path)) == 1, what="the segment", seconds=10)

    ((record, body),) = records(tmp_path)
    assert (status, record.kind) == (SUCCESS, RecordKind.COMMITMENT)
    assert record.envelope.calling_ae == "CT1"
    asked = read_action(body, record.envelope.transfer_syntax)
    assert asked == CommitmentRequest(TRANSACTION, (ITEM,))


@pytest.mark.parametrize(
    "asked",
    [
        lambda: information(TransactionUID=None),
        lambda: information(TransactionUID="1.2.x"),
        lambda: information(ReferencedSOPSequence=None),
        lambda: information(ReferencedSOPSequence=[]),
        without_class,
        lambda: None,
    ],
    ids=["no transaction", "no UID", "no sequence", "no item", "no class", "nothing"],
)
@pytest.mark.filterwarnings("ignore:Invalid value for VR UI")
def test_a_request_that_says_too_little_is_answered_at_once_and_leaves_nothing(
    ct1: CommitmentScu, tmp_path: Path, asked: Callable[[], Dataset | None]
) -> None:
    with ct1.association() as association:
        answer, _ = association.send_n_action(asked(), 1, PUSH_MODEL, PUSH_MODEL_INSTANCE)

        assert answer.Status == INVALID_VALUE
        assert answer.ErrorComment
        assert association.is_established, "the association goes on"
    assert records(tmp_path) == []


@pytest.mark.parametrize(
    ("action", "sop_class", "instance", "status"),
    [
        (2, PUSH_MODEL, PUSH_MODEL_INSTANCE, NO_SUCH_ACTION),
        (1, PUSH_MODEL, "1.2.3", NO_SUCH_INSTANCE),
        (1, VERIFICATION, PUSH_MODEL_INSTANCE, NO_SUCH_CLASS),
    ],
)
def test_another_action_instance_or_class_is_refused_by_its_status(
    ct1: CommitmentScu, action: int, sop_class: str, instance: str, status: int
) -> None:
    with ct1.association() as association:
        answer, _ = association.send_n_action(
            information(), action, sop_class, instance, meta_uid=PUSH_MODEL
        )

        assert answer.Status == status


def test_what_the_disk_does_not_take_is_not_promised(tmp_path: Path) -> None:
    with serving(tmp_path, floor_bytes=1 << 62) as ct1, ct1.association() as association:
        _, status = ct1.ask(association, [CT_ITEM])

    assert status == RESOURCE_LIMITATION
    assert records(tmp_path) == []


def test_a_tier_that_commits_nothing_refuses_the_class(tmp_path: Path) -> None:
    entity = AE("CT1")
    entity.add_requested_context(PUSH_MODEL)
    entity.add_requested_context(VERIFICATION)
    with serving(tmp_path, commits=False) as ct1:
        association = entity.associate(ct1.node.host, ct1.node.port)
        accepted = [context.abstract_syntax for context in association.accepted_contexts]
        association.release()

    assert accepted == [VERIFICATION]


# --- results on the association that asked --------------------------------------------------


def never() -> None:
    """Let nothing interrupt."""


def test_a_result_that_is_handed_over_goes_out_on_the_open_association(
    ct1: CommitmentScu, letters: Letterbox, tmp_path: Path
) -> None:
    with ct1.association() as association:
        ct1.ask(association, [CT_ITEM], transaction_uid=TRANSACTION)

        assert letters.deliver(NAME, RESULT.encoded(), never)
        told = ct1.hear()
        assert (told.event_type, told.transaction_uid) == (2, TRANSACTION)
        assert told.failed == {CT_ITEM[1]: NO_SUCH_INSTANCE}
        assert not letters.deliver(NAME, RESULT.encoded(), never), "told once on it"
    assert ct1.told.empty()
    assert list((tmp_path / "letters").iterdir()) == []


def test_two_requests_on_one_association_are_answered_each(
    ct1: CommitmentScu, letters: Letterbox
) -> None:
    other = CommitmentRequest("1.2.10", (ITEM,))
    with ct1.association() as association:
        ct1.ask(association, [CT_ITEM], transaction_uid=TRANSACTION)
        ct1.ask(association, [CT_ITEM], transaction_uid="1.2.10")
        result = CommitmentResult("1.2.10", (Judgement(ITEM),))

        assert letters.deliver(name_of("CT1", "1.2.10", other.content), result.encoded(), never)
        assert letters.deliver(NAME, RESULT.encoded(), never)
        assert [ct1.hear().transaction_uid for _ in range(2)] == ["1.2.10", TRANSACTION]


def test_a_result_that_the_peer_does_not_take_there_is_handed_back(
    ct1: CommitmentScu, letters: Letterbox
) -> None:
    ct1.answer.append(PROCESSING_FAILURE)
    with ct1.association() as association:
        ct1.ask(association, [CT_ITEM], transaction_uid=TRANSACTION)

        assert not letters.deliver(NAME, RESULT.encoded(), never)
        assert association.is_established


@pytest.mark.parametrize("ending", ["release", "abort"])
def test_an_association_that_has_ended_waits_for_nothing(
    ct1: CommitmentScu, letters: Letterbox, tmp_path: Path, ending: str
) -> None:
    with ct1.association() as association:
        ct1.ask(association, [CT_ITEM], transaction_uid=TRANSACTION)
        getattr(association, ending)()
    waiting = tmp_path / "letters" / f"{NAME}.open"
    wait_until(lambda: not waiting.exists(), what="the end of the association", seconds=10)

    assert not letters.deliver(NAME, RESULT.encoded(), never)
    assert ct1.told.empty()


def test_a_peer_that_ends_instead_of_acknowledging_has_not_acknowledged(
    ct1: CommitmentScu, letters: Letterbox
) -> None:
    heard = threading.Event()
    with ct1.association() as association:
        ct1.on_hearing = [heard.set, association.abort]
        ct1.ask(association, [CT_ITEM], transaction_uid=TRANSACTION)

        assert not letters.deliver(NAME, RESULT.encoded(), never)
    assert heard.is_set()


def test_what_the_peer_asks_before_it_acknowledges_is_served_meanwhile(
    ct1: CommitmentScu, letters: Letterbox
) -> None:
    """The peer's N-EVENT-REPORT response waits for the answer to its own request."""
    with ct1.association() as association:
        ct1.on_hearing = [_asking(ct1, association)]
        ct1.ask(association, [CT_ITEM], transaction_uid=TRANSACTION)

        assert letters.deliver(NAME, RESULT.encoded(), never)
        assert ct1.hear().transaction_uid == TRANSACTION


def _asking(ct1: CommitmentScu, association: object) -> Callable[[], object]:
    return lambda: ct1.ask(association, [CT_ITEM], transaction_uid="1.2.11")  # type: ignore[arg-type]
