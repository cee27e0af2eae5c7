"""What an asker finds, and under whose numbers."""

import pytest

from archive.errors import InvalidQuery, NoAuthority, UnknownIssuer
from archive.index.overlay import ANY_OCTETS, StateRow, set_state
from archive.reader import Level, Selection
from archive.states import InstanceState, LinkState
from tests.index.builders import (
    ASKS_RXA,
    ASKS_RXB,
    ASKS_RXC,
    OPERATOR,
    RXA,
    RXB,
    Rows,
    arrived,
)


@pytest.fixture
def shared(rows: Rows) -> Rows:
    """RXA holds a study of a person whom RXB numbers too, and RXC does not know."""
    source = rows.source(RXA)
    rows.take(
        arrived(
            source,
            "1.1",
            PatientID="7",
            PatientName="Doe^Archibald",
            AccessionNumber="A1",
            StudyDate="20010101",
            InstanceNumber="1",
        ),
        arrived(source, "1.2", PatientID="7", PatientName="Doe^Archibald", InstanceNumber="2"),
    )
    ours = rows.patient("7", RXA, "Doe^Archibald")
    theirs = rows.patient("B9", RXB, "DOE^ARCHIE", birth_date="19500101", sex="M")
    rows.link(ours, theirs, LinkState.CONFIRMED)
    return rows


def test_a_linked_trust_asks_by_its_own_number_and_sees_it(shared: Rows) -> None:
    (match,) = shared.reader.search(ASKS_RXB, Level.STUDY, {"PatientID": "B9"})

    assert match.attributes["PatientID"] == "B9"
    assert match.attributes["PatientName"] == "DOE^ARCHIE"
    assert match.attributes["AccessionNumber"] != "A1"
    assert match.custodian == "RXA"
    assert match.local_number


def test_the_alias_of_an_accession_number_finds_the_study(shared: Rows) -> None:
    from archive.index.aliases import save_alias
    from archive.index.directory import ensure_organisation

    with shared.index.writing() as conn:
        custodian = ensure_organisation(conn, "RXA")
        save_alias(
            conn,
            custodian="RXA",
            custodian_id=custodian,
            issuer_id=None,
            accession_number="A1",
        )
    (match,) = shared.reader.search(ASKS_RXB, Level.STUDY, {"PatientID": "B9"})
    alias = str(match.attributes["AccessionNumber"])

    assert len(alias) == 16
    assert list(shared.reader.search(ASKS_RXB, Level.STUDY, {"AccessionNumber": alias}))
    assert not list(shared.reader.search(ASKS_RXB, Level.STUDY, {"AccessionNumber": "A1"}))
    assert list(shared.reader.search(ASKS_RXA, Level.STUDY, {"AccessionNumber": "A1"}))


def test_a_foreign_number_means_nobody_to_another_trust(shared: Rows) -> None:
    assert not list(shared.reader.search(ASKS_RXB, Level.STUDY, {"PatientID": "7"}))


def test_a_trust_without_a_number_sees_whose_number_it_is_and_may_not_move_it(
    shared: Rows,
) -> None:
    (match,) = shared.reader.search(ASKS_RXC, Level.STUDY, {"PatientName": "DOE*"})
    selected = shared.reader.select(ASKS_RXC, Selection(study_uids=("1.2.3",)))

    assert not match.local_number
    assert match.attributes["IssuerOfPatientID"] == "RXA"
    assert all(outgoing.refusal is not None for outgoing in selected)


def test_only_confirmed_links_join_people(rows: Rows) -> None:
    rows.take(arrived(rows.source(RXA), "1.1", PatientID="7"))
    ours, theirs = rows.patient("7", RXA), rows.patient("B9", RXB)
    rows.link(ours, theirs, LinkState.PROVISIONAL)

    assert not list(rows.reader.search(ASKS_RXB, Level.STUDY, {"PatientID": "B9"}))


def test_an_asker_of_no_authority_names_the_issuer(shared: Rows) -> None:
    with pytest.raises(NoAuthority):
        list(shared.reader.search(OPERATOR, Level.STUDY, {"PatientID": "7"}))
    nobody = {"PatientID": "7", "IssuerOfPatientID": "NOBODY"}
    with pytest.raises(UnknownIssuer):
        list(shared.reader.search(OPERATOR, Level.STUDY, nobody))

    named = {"PatientID": "7", "IssuerOfPatientID": "RXA"}
    assert len(list(shared.reader.search(OPERATOR, Level.STUDY, named))) == 1


def test_a_custodian_sees_its_own_study_as_it_stored_it(shared: Rows) -> None:
    (match,) = shared.reader.search(ASKS_RXA, Level.STUDY, {"PatientID": "7"})
    (first, _) = shared.reader.select(ASKS_RXA, Selection(study_uids=("1.2.3",)))

    assert match.attributes["AccessionNumber"] == "A1"
    assert match.attributes["NumberOfStudyRelatedInstances"] == 2
    assert first.stamping is None
    assert first.refusal is None


@pytest.mark.parametrize(
    ("keys", "count"),
    [
        ({"StudyDate": "20010101"}, 1),
        ({"StudyDate": "20000101-20011231"}, 1),
        ({"StudyDate": "20020101-"}, 0),
        ({"StudyDate": "-20001231"}, 0),
        ({"PatientName": "doe^arch*"}, 1),
        ({"PatientName": "Roe*"}, 0),
        ({"ModalitiesInStudy": "CT"}, 1),
        ({"ModalitiesInStudy": "MR"}, 0),
        ({"StudyInstanceUID": "1.9\\1.2.3"}, 1),
        ({"SeriesInstanceUID": "9.9"}, 1),
        ({"AccessionNumber": "A?"}, 1),
        ({"PatientID": "*"}, 1),
    ],
)
def test_keys_match_as_the_standard_says(shared: Rows, keys: dict[str, str], count: int) -> None:
    assert len(list(shared.reader.search(ASKS_RXA, Level.STUDY, keys))) == count


def test_instances_come_in_the_order_of_their_numbers(shared: Rows) -> None:
    found = shared.reader.search(ASKS_RXA, Level.IMAGE, {"StudyInstanceUID": "1.2.3"})

    assert [match.attributes["InstanceNumber"] for match in found] == ["1", "2"]


@pytest.mark.parametrize("pattern", ["ab1", "ab*", "a?1"])
def test_a_patient_number_means_its_own_letters(rows: Rows, pattern: str) -> None:
    source = rows.source(RXA)
    rows.take(arrived(source, "1.1", PatientID="ab1", study="1.5"))
    rows.take(arrived(source, "1.2", PatientID="AB1", study="1.6"))
    rows.patient("ab1", RXA)
    rows.patient("AB1", RXA)

    found = rows.reader.search(ASKS_RXA, Level.STUDY, {"PatientID": pattern})

    assert [match.attributes["StudyInstanceUID"] for match in found] == ["1.5"]


def test_a_range_without_dates_is_refused(shared: Rows) -> None:
    with pytest.raises(InvalidQuery):
        list(shared.reader.search(ASKS_RXA, Level.STUDY, {"StudyDate": "soon"}))


def test_what_is_rejected_is_nowhere_and_a_study_of_it_alone_neither(shared: Rows) -> None:
    for uid in ("1.1", "1.2"):
        with shared.index.writing() as conn:
            row = StateRow(
                sop_instance_uid=uid,
                sha256=ANY_OCTETS,
                state=InstanceState.REJECTED,
                serves=True,
                code="113001",
                actor="test",
                at_ms=0,
                numbered_by="RXA",
            )
            set_state(conn, custodian="RXA", row=row)
        found = list(shared.reader.search(ASKS_RXA, Level.IMAGE, {"PatientID": "7"}))
        assert uid not in [match.attributes["SOPInstanceUID"] for match in found]

    assert not list(shared.reader.search(ASKS_RXA, Level.STUDY, {"PatientID": "7"}))
    assert not shared.reader.select(ASKS_RXB, Selection(study_uids=("1.2.3",)))
