"""What register() answers, and what it leaves behind."""

import pytest
from sqlalchemy import select

from archive.index import tables
from archive.index.packs import read_unsealed
from archive.index.register import Answer, Verdict, preliminary
from archive.reader import Level
from tests.index.builders import ASKS_RXA, RXA, RXA_WEST, RXB, Rows, arrived


def _verdict(answer: Answer, of: bytes) -> Verdict:
    return Verdict(answer=answer, of_sha256=of)


def test_a_new_instance_is_registered_and_found(rows: Rows) -> None:
    one = arrived(rows.source(RXA), "1.1", PatientID="7")

    assert rows.take(one) == [Answer.REGISTERED]

    found = list(rows.reader.search(ASKS_RXA, Level.IMAGE, {"PatientID": "7"}))
    assert [match.attributes["SOPInstanceUID"] for match in found] == ["1.1"]


def test_the_same_octets_again_change_nothing(rows: Rows) -> None:
    one = arrived(rows.source(RXA), "1.1")
    rows.take(one)

    assert rows.take(one) == [Answer.ALREADY_HELD]


def test_other_octets_wait_for_a_comparison(rows: Rows) -> None:
    first = arrived(rows.source(RXA), "1.1")
    rows.take(first)
    other = arrived(rows.source(RXA), "1.1", octets=b"other")

    assert rows.take(other) == [Answer.UNDECIDED]
    with rows.index.reading() as conn:
        to_compare = preliminary(conn, other)
    assert [holding.member.sha256 for holding in to_compare] == [first.digest.sha256]


@pytest.mark.parametrize("answer", [Answer.SAME_CONTENT, Answer.REVISED])
def test_of_equal_or_revised_octets_the_first_serves_and_both_may_leave(
    rows: Rows, answer: Answer
) -> None:
    first = arrived(rows.source(RXA), "1.1")
    other = arrived(rows.source(RXA), "1.1", octets=b"other")
    rows.take(first)

    assert rows.take(other, verdicts={other.key: _verdict(answer, first.digest.sha256)}) == [answer]

    shown = rows.reader.stored(ASKS_RXA, study_uid="1.2.3", series_uid="1.2.3.1", sop_uid="1.1")
    assert shown.digest == first.digest
    with rows.index.reading() as conn:
        unsealed = read_unsealed(conn, 1, 1)
    assert len(unsealed.open) == 2
    assert not unsealed.withheld


def test_of_conflicting_octets_neither_leaves_and_a_person_is_asked(rows: Rows) -> None:
    first = arrived(rows.source(RXA), "1.1")
    other = arrived(rows.source(RXA), "1.1", octets=b"other")
    rows.take(first)
    rows.take(other, verdicts={other.key: _verdict(Answer.CONFLICTING, first.digest.sha256)})

    shown = rows.reader.stored(ASKS_RXA, study_uid="1.2.3", series_uid="1.2.3.1", sop_uid="1.1")
    assert shown.digest == first.digest
    with rows.index.reading() as conn:
        unsealed = read_unsealed(conn, 1, 1)
        alarms = conn.execute(select(tables.data_quality.c.code)).scalars().all()
    assert len(unsealed.withheld) == 2
    assert not unsealed.open
    assert alarms == ["CONFLICTING_INSTANCE"]


def test_an_echo_is_a_sighting_and_not_the_trusts_own(rows: Rows) -> None:
    original = arrived(rows.source(RXA), "1.1", PatientID="7")
    rows.take(original)
    outgoing = rows.reader.stored(ASKS_RXA, study_uid="1.2.3", series_uid="1.2.3.1", sop_uid="1.1")
    asks = ASKS_RXA.__class__("RXB", RXB, "PACS")
    rows.reader.note_delivery(asks, outgoing, destination="PACS", means="C-MOVE")
    back = arrived(rows.source(RXB), "1.1", octets=b"stamped", PatientID="B1")

    assert rows.take(back) == [Answer.UNDECIDED]
    verdict = _verdict(Answer.ECHO, original.digest.sha256)
    assert rows.take(back, verdicts={back.key: verdict}) == [Answer.ECHO]

    with rows.index.reading() as conn:
        custodians = conn.execute(select(tables.study.c.custodian_id)).scalars().all()
        sightings = conn.execute(select(tables.sighting.c.answer)).scalars().all()
    assert len(custodians) == 1
    assert sightings == ["Echo"]


def test_an_object_of_another_patient_stays_within_its_trust(rows: Rows) -> None:
    rows.take(arrived(rows.source(RXA), "1.1", PatientID="7"))

    assert rows.take(arrived(rows.source(RXA), "1.2", PatientID="8")) == [Answer.REGISTERED]

    with rows.index.reading() as conn:
        unsealed = read_unsealed(conn, 1, 1)
    assert [each.sop_instance_uid for each in unsealed.withheld] == ["1.2"]
    assert [each.sop_instance_uid for each in unsealed.open] == ["1.1"]


def test_two_trusts_may_hold_the_same_uids_under_their_own_identities(rows: Rows) -> None:
    rows.take(arrived(rows.source(RXA), "1.1", PatientID="7"))

    answer = rows.take(arrived(rows.source(RXB), "1.1", octets=b"cd", PatientID="9"))

    assert answer == [Answer.REGISTERED]


def test_one_number_of_two_authorities_of_a_trust_is_two_people(rows: Rows) -> None:
    rows.take(arrived(rows.source(RXA), "1.1", PatientID="7", study="1.5"))
    rows.take(arrived(rows.source(RXA_WEST), "1.2", PatientID="7", study="1.6"))

    found = list(rows.reader.search(ASKS_RXA, Level.STUDY, {"PatientID": "7"}))

    assert [match.attributes["StudyInstanceUID"] for match in found] == ["1.5"]
