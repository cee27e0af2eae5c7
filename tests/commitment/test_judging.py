"""What an AE has sent is committed to it when it is safe here, and nothing else is."""

from dataclasses import replace
from pathlib import Path

import pytest

from archive.index.arrivals import copies_of
from archive.index.copies import move_copy, note_copy
from archive.index.directory import place_id
from archive.index.findings import held_objects, settle
from archive.states import CopyState
from archive.words.commitment import CommitmentEvent, Proof
from tests.commitment.house import WAIT_SECONDS, Committing, failures, reasons
from tests.intake.house import Cold, octets_of
from tests.intake.samples import CT, RLE, SR, image, note, sent

UID = "1.2.3.1.1"
OURS = (CT, UID)
ABSENT = (CT, "1.2.3.1.99")

PROCESSING_FAILURE, NO_SUCH_INSTANCE, OTHER_CLASS, DUPLICATE = 0x0110, 0x0112, 0x0119, 0x0131


@pytest.fixture
def house(cold: Cold) -> Committing:
    return Committing(cold)


@pytest.fixture
def proven_by_centre(cold: Cold) -> Committing:
    return Committing(cold, Proof.CENTRE)


def confirm_at_centre(house: Committing) -> None:
    with house.cold.index.writing() as conn:
        note_copy(conn, (1, 1, 1), kind="centre", name="centre", state=CopyState.CONFIRMED, at_ms=1)


# --- what is committed ----------------------------------------------------------------------


@pytest.mark.parametrize("sealed", [False, True], ids=["loose", "sealed"])
def test_what_it_has_sent_is_committed_loose_and_sealed(house: Committing, *, sealed: bool) -> None:
    house.cold.store(sent(image()))
    house.take_in()
    if sealed:
        house.cold.seal()

    assert house.answers(OURS) == {}
    assert house.result().event is CommitmentEvent.ALL_COMMITTED
    assert [(one.calling_ae, one.transaction_uid) for one in house.told] == [("CT1", "1.2.9")]


@pytest.mark.parametrize("sealed", [False, True], ids=["loose", "sealed"])
def test_octets_of_another_ae_are_not_its_own_until_it_sends_them_too(
    house: Committing, *, sealed: bool
) -> None:
    house.cold.store(sent(image()), calling_ae="CT2")
    house.take_in()
    if sealed:
        house.cold.seal()

    assert house.answers(OURS) == {UID: NO_SUCH_INSTANCE}
    for _ in range(2):
        house.cold.store(sent(image()))
        house.take_in()
    house.request(OURS, transaction="1.2.10")
    house.take_in()
    house.look()

    assert failures(house.result(2)) == {}
    assert len(house.cold.rows("sighting")) == 1, "the second sender is noted once"


def test_each_of_the_same_content_in_two_syntaxes_is_kept_and_committed(house: Committing) -> None:
    house.cold.store(sent(image()), calling_ae="CT2")
    house.cold.store(sent(image(), RLE))

    assert house.answers(OURS) == {}


def test_a_revised_instance_is_committed_beside_the_first(house: Committing) -> None:
    house.cold.store(sent(image()), calling_ae="CT2")
    house.cold.store(sent(image(StudyDescription="Head")))

    assert house.answers(OURS) == {}


# --- what is not ----------------------------------------------------------------------------


def test_what_never_came_is_no_such_instance(house: Committing) -> None:
    house.cold.store(sent(image()))

    assert house.answers(OURS, ABSENT) == {ABSENT[1]: NO_SUCH_INSTANCE}
    assert house.result().event is CommitmentEvent.FAILURES_EXIST


def test_another_class_than_the_one_that_came_conflicts(house: Committing) -> None:
    house.cold.store(sent(image()))

    assert house.answers((SR, UID)) == {UID: OTHER_CLASS}


def test_what_a_note_rejects_is_a_processing_failure(house: Committing) -> None:
    house.cold.store(sent(image()), note(image()))

    assert house.answers(OURS) == {UID: PROCESSING_FAILURE}
    assert reasons(house.result()) == {UID: "REJECTED"}


def test_what_conflicts_is_not_committed_to_its_sender_and_the_first_is(house: Committing) -> None:
    house.cold.store(sent(image()))
    house.take_in()
    house.cold.store(sent(image(pixels=9)), calling_ae="CT2")

    assert house.answers(OURS) == {}
    house.request(OURS, calling_ae="CT2")
    house.take_in()
    house.look()
    assert failures(house.result(2)) == {UID: PROCESSING_FAILURE}
    assert reasons(house.result(2)) == {UID: "QUARANTINED"}


def test_what_lies_in_held_is_a_processing_failure_until_a_person_has_settled_it(
    house: Committing,
) -> None:
    torn = replace(sent(image()), data_set=octets_of(sent(image()))[:-9])
    house.cold.store(torn)
    house.cold.store(sent(image()))

    assert house.answers(OURS) == {UID: PROCESSING_FAILURE}
    assert reasons(house.result()) == {UID: "HELD_TRUNCATED"}
    with house.cold.index.writing() as conn:
        (held,) = held_objects(conn, limit=2)
        settle(conn, held.key, actor="ada", at_ms=1)
    house.request(OURS, transaction="1.2.10")
    house.take_in()
    house.look()
    assert failures(house.result(2)) == {}


def test_a_pack_that_is_damaged_here_commits_nothing(house: Committing) -> None:
    house.cold.store(sent(image()))
    house.take_in()
    house.cold.seal()
    with house.cold.index.writing() as conn:
        here = place_id(conn, kind="node", name="RXA")
        assert copies_of(conn, [(1, 1, 1)]) == {(1, 1, 1): {"node": CopyState.CONFIRMED}}
        move_copy(
            conn,
            (1, 1, 1),
            place=here,
            before=CopyState.CONFIRMED,
            after=CopyState.DAMAGED,
            at_ms=1,
        )

    assert house.answers(OURS) == {UID: PROCESSING_FAILURE}


def test_what_may_have_lain_in_a_harmed_segment_is_not_said_to_be_absent(
    house: Committing,
) -> None:
    house.cold.store(sent(image("1.2.3.1.2")), sent(image()))
    (segment,) = Path(house.cold.directory / "spool").glob("*.ready")
    octets = bytearray(segment.read_bytes())
    octets[-100] ^= 1
    segment.write_bytes(octets)

    assert house.answers((CT, "1.2.3.1.2"), OURS) == {UID: PROCESSING_FAILURE}
    assert reasons(house.result())[UID] == "SEGMENT_DAMAGED"


# --- waiting --------------------------------------------------------------------------------


def test_a_request_waits_for_what_another_association_still_writes(house: Committing) -> None:
    writer = house.cold.spool.writer()
    house.cold.append(writer, sent(image()))
    house.request(OURS)
    house.take_in()

    assert not house.look()
    writer.hand_over()
    assert not house.look()
    house.take_in()
    assert house.look()
    assert failures(house.result()) == {}


def test_what_comes_later_delays_nothing(house: Committing) -> None:
    house.cold.store(sent(image()))
    house.request(OURS)
    house.take_in()
    house.cold.append(house.cold.spool.writer(), sent(image("1.2.3.1.2")))

    assert house.look()


def test_a_request_waits_so_long_and_then_the_rest_has_failed(house: Committing) -> None:
    house.cold.store(sent(image("1.2.3.1.2")))
    house.cold.append(house.cold.spool.writer(), sent(image()))
    house.request(OURS, (CT, "1.2.3.1.2"))
    house.take_in()
    house.cold.clock.advance(WAIT_SECONDS - 60)
    assert not house.look()

    house.cold.clock.advance(60)
    assert house.look()
    assert failures(house.result()) == {UID: PROCESSING_FAILURE}
    assert reasons(house.result())[UID] == "STILL_IN_SPOOL"


def test_two_judges_settle_a_request_once(house: Committing) -> None:
    other = Committing(house.cold)
    house.cold.store(sent(image()))
    house.request(OURS)
    house.take_in()

    assert [house.look(), other.look()] == [True, False]
    assert (len(house.told), len(other.told)) == (1, 0)


# --- the centre's proof ---------------------------------------------------------------------


def test_where_the_centre_proves_it_a_request_waits_for_its_confirmation(
    proven_by_centre: Committing,
) -> None:
    house = proven_by_centre
    house.cold.store(sent(image()))
    house.request(OURS)
    house.take_in()
    assert not house.look()
    house.cold.seal()
    assert not house.look()

    confirm_at_centre(house)
    assert house.look()
    assert failures(house.result()) == {}


def test_what_the_centre_has_not_confirmed_in_time_has_failed(proven_by_centre: Committing) -> None:
    house = proven_by_centre
    house.cold.store(sent(image()))
    house.request(OURS, ABSENT)
    house.take_in()
    house.cold.clock.advance(WAIT_SECONDS)

    assert house.look()
    assert failures(house.result()) == {UID: PROCESSING_FAILURE, ABSENT[1]: NO_SUCH_INSTANCE}
    assert reasons(house.result())[UID] == "NOT_PROVEN_IN_TIME"


# --- one transaction, one result ------------------------------------------------------------


def test_the_same_request_again_is_the_same_row_and_told_again_only_when_it_had_arrived(
    house: Committing,
) -> None:
    house.cold.store(sent(image()))
    assert house.answers(OURS, ABSENT) == {ABSENT[1]: NO_SUCH_INSTANCE}
    house.request(ABSENT, OURS)
    house.take_in()
    assert [one.commitment_id for one in house.told] == [1, 1]
    house.acknowledge()
    house.acknowledge()
    house.request(OURS, ABSENT)
    house.take_in()

    assert [one.commitment_id for one in house.told] == [1, 1, 1]
    assert not house.look(), "nothing is judged twice"
    assert house.cold.number("commitment") == 1


@pytest.mark.parametrize("answered", [False, True], ids=["open", "answered"])
def test_another_request_under_a_transaction_uid_in_use_fails_for_every_item(
    house: Committing, *, answered: bool
) -> None:
    house.cold.store(sent(image()))
    house.request(OURS)
    house.take_in()
    if answered:
        house.look()
        house.acknowledge()
    house.request(OURS, ABSENT)
    house.take_in()

    assert failures(house.result(2)) == {UID: DUPLICATE, ABSENT[1]: DUPLICATE}
    house.look()
    assert failures(house.result()) == {}


def test_two_aes_may_use_one_transaction_uid(house: Committing) -> None:
    house.cold.store(sent(image()), calling_ae="CT1")
    house.cold.store(sent(image()), calling_ae="CT2")
    house.request(OURS)
    house.request(OURS, calling_ae="CT2")
    house.take_in()
    house.look()

    assert failures(house.result(1)) == failures(house.result(2)) == {}


def test_a_request_is_taken_in_with_the_segment_that_it_came_in(house: Committing) -> None:
    writer = house.cold.spool.writer()
    house.cold.append(writer, sent(image()))
    house.request(OURS, writer=writer)
    house.cold.append(writer, sent(image("1.2.3.1.2")))
    writer.hand_over()
    house.take_in()

    assert house.look()
    assert failures(house.result()) == {}
    assert house.cold.counts().instances == 2


def test_a_request_at_a_tier_that_commits_nothing_is_held_for_a_person(house: Committing) -> None:
    house.request(OURS)
    house.cold.take_in()

    assert [row["reason"] for row in house.cold.rows("held")] == ["NOT_EXPECTED"]
    assert house.cold.number("commitment") == 0
