"""Storage Commitment Push Model as a modality meets it (PS3.4 Annex J)."""

import pytest
from pydicom.uid import generate_uid

from deploy.demo.modality import WireObject
from tests.commitment.modality import CommitmentScu
from tests.faults.objects import image, images, new_uid
from tests.faults.regions import assert_all_success
from tests.faults.tiers import Node
from tests.peers.processes import LOOPBACK, Endpoint, wait_until

SUCCESS = 0x0000
PROCESSING_FAILURE, NO_SUCH_OBJECT_INSTANCE = 0x0110, 0x0112
CLASS_INSTANCE_CONFLICT, DUPLICATE_TRANSACTION_UID = 0x0119, 0x0131
CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2"


def pairs(*objects: WireObject) -> list[tuple[str, str]]:
    return [(one.sop_class_uid, one.sop_instance_uid) for one in objects]


def stored(node: Node, *objects: WireObject, ae_title: str = "CT1") -> list[tuple[str, str]]:
    assert_all_success(node.modality(ae_title).store(list(objects)))
    return pairs(*objects)


def test_the_result_comes_on_the_association_that_asked_while_it_is_open(
    node: Node, ct1: CommitmentScu
) -> None:
    items = stored(node, *images(3))

    with ct1.association() as association:
        transaction, status = ct1.ask(association, items)
        told = ct1.hear()

    assert status == SUCCESS
    assert not told.on_new_association
    assert (told.event_type, told.transaction_uid) == (1, transaction)
    assert told.committed == {uid for _, uid in items}
    assert told.retrieve_aes == {"RXA"}
    assert told.failed == {}


def test_else_it_comes_on_a_new_one_to_the_peer_of_that_ae_title(
    node: Node, ct1: CommitmentScu, ct_port: int
) -> None:
    items = stored(node, *images(2))

    with ct1.listening(ct_port):
        with ct1.association() as association:
            node["work"].stop()
            transaction, _ = ct1.ask(association, items)
        node.start("work")
        told = ct1.hear()

    assert told.on_new_association
    assert (told.event_type, told.transaction_uid) == (1, transaction)
    assert told.committed == {uid for _, uid in items}
    assert told.retrieve_aes == {"RXA"}


def test_each_item_is_answered_by_what_that_ae_has_sent(node: Node, ct1: CommitmentScu) -> None:
    good, other_class, of_another, conflicting = (image() for _ in range(4))
    absent = (CT_IMAGE, new_uid())
    stored(node, good, other_class, conflicting)
    stored(node, of_another, ae_title="CT2")
    stored(node, image(sop=conflicting.sop_instance_uid, pixels=bytes(64 * 64 * 2)))
    items = [
        *pairs(good, of_another, conflicting),
        (CT_IMAGE, other_class.sop_instance_uid),
        absent,
    ]

    with ct1.association() as association:
        ct1.ask(association, items)
        told = ct1.hear()

    assert told.event_type == 2
    assert told.committed == {good.sop_instance_uid}
    assert told.failed == {
        of_another.sop_instance_uid: NO_SUCH_OBJECT_INSTANCE,
        conflicting.sop_instance_uid: PROCESSING_FAILURE,
        other_class.sop_instance_uid: CLASS_INSTANCE_CONFLICT,
        absent[1]: NO_SUCH_OBJECT_INSTANCE,
    }
    assert "QUARANTINED" in node.log(), "the log has the reason"


def test_the_same_octets_from_two_aes_are_committed_to_both(node: Node, ct1: CommitmentScu) -> None:
    both = image()
    items = stored(node, both, ae_title="CT2")
    stored(node, both)

    with ct1.association() as association:
        ct1.ask(association, items)
        told = ct1.hear()

    assert told.committed == {both.sop_instance_uid}


def test_a_transaction_uid_names_one_request_only(node: Node, ct1: CommitmentScu) -> None:
    first, second = image(), image()
    stored(node, first, second)
    transaction = str(generate_uid())

    with ct1.association() as association:
        ct1.ask(association, pairs(first), transaction_uid=transaction)
        assert ct1.hear().committed == {first.sop_instance_uid}
        ct1.ask(association, pairs(second), transaction_uid=transaction)
        assert ct1.hear().failed == {second.sop_instance_uid: DUPLICATE_TRANSACTION_UID}
        ct1.ask(association, pairs(first), transaction_uid=transaction)
        assert ct1.hear().committed == {first.sop_instance_uid}, "the same request, asked again"


def test_a_result_is_told_until_the_peer_acknowledges_it(
    node: Node, ct1: CommitmentScu, ct_port: int
) -> None:
    """The peer is away; then it fails; then it takes the result, which is told no more."""
    items = stored(node, image())
    ct1.answer.append(PROCESSING_FAILURE)
    node["work"].stop()
    with ct1.association() as association:
        transaction, _ = ct1.ask(association, items)
    node.start("work")
    wait_until(lambda: job_of(node, transaction)["attempt"] != 0, what="a try", seconds=20)

    with ct1.listening(ct_port):
        told = [ct1.hear(seconds=60), ct1.hear(seconds=60)]
        wait_until(
            lambda: job_of(node, transaction)["state"] == "COMPLETED", what="an end", seconds=20
        )

    assert [one.transaction_uid for one in told] == [transaction] * 2
    assert ct1.told.empty()


@pytest.mark.parametrize("killed", ["receive", "work"])
def test_a_request_that_was_answered_survives_a_kill(
    node: Node, ct1: CommitmentScu, ct_port: int, killed: str
) -> None:
    items = stored(node, *images(2))
    node["work"].stop()
    with ct1.listening(ct_port):
        with ct1.association() as association:
            transaction, status = ct1.ask(association, items)
            assert status == SUCCESS
            if killed == "receive":
                node["receive"].kill()
        if killed == "receive":
            node.start("receive")
        node.start("work")
        if killed == "work":
            node["work"].kill()
            node.start("work")
        told = ct1.hear(seconds=60)

    assert (told.transaction_uid, told.event_type) == (transaction, 1)


def test_what_is_still_in_the_spool_delays_the_answer(node: Node, ct1: CommitmentScu) -> None:
    node["work"].stop()
    items = stored(node, *images(20))
    with ct1.association() as association:
        ct1.ask(association, items)
        assert ct1.told.empty()
        node.start("work")
        told = ct1.hear()

    assert told.committed == {uid for _, uid in items}


def test_a_request_that_makes_no_sense_is_refused_at_once(ct1: CommitmentScu) -> None:
    with ct1.association() as association:
        _, status = ct1.ask(association, [])

        assert status != SUCCESS
    assert ct1.told.empty()


def test_an_ae_that_no_table_names_is_told_while_it_is_there_and_else_shown_to_a_person(
    node: Node,
) -> None:
    stranger = CommitmentScu("STRANGER", Endpoint(LOOPBACK, node.port("dicom"), "RXA"))
    items = stored(node, image(), ae_title="STRANGER")
    with stranger.association() as association:
        stranger.ask(association, items)
        assert stranger.hear().committed == {items[0][1]}
    node["work"].stop()
    with stranger.association() as association:
        stranger.ask(association, items)
    node.start("work")

    def is_shown() -> bool:
        rows = node.archive.rows("data_quality", code="COMMITMENT_UNANSWERED")
        return [row["subject"] for row in rows] == ["STRANGER"]

    wait_until(is_shown, what="a person sees it", seconds=20)


def job_of(node: Node, transaction_uid: str) -> dict[str, object]:
    jobs = node.archive.rows("job", subject=transaction_uid)
    return jobs[-1] if jobs else {"attempt": 0, "state": ""}
