"""C-FIND: what the asker may see, as he asked for it."""

from pathlib import Path

import pytest
from pydicom import Dataset

from archive.dimse import negotiation
from archive.errors import DatabaseUnavailable
from archive.reader import Reader
from archive.states import LinkState
from archive.words.statuses import FindStatus
from tests.associations.door import Archive, opened, wire
from tests.associations.test_store import handed_over
from tests.associations.workstation import workstation
from tests.index.builders import RXA, RXB
from tests.peers.dcmtk import findscu, needs_dcmtk


@pytest.fixture
def stocked(archive: Archive) -> Archive:
    """RXA holds two studies; RXB numbers one of the persons too."""
    objects = [
        wire("1.2.3.1.1"),
        wire("1.2.3.1.2", InstanceNumber="2"),
        wire(
            "1.2.4.1.1",
            StudyInstanceUID="1.2.4",
            SeriesInstanceUID="1.2.4.1",
            PatientID="8",
            PatientName="Müller^Zoë",
            SpecificCharacterSet="ISO_IR 100",
            StudyDate="20020202",
        ),
    ]
    assert all(one.success for one in archive.modality().store(objects))
    handed_over(archive, 3)
    archive.register()
    archive.rows.link(
        archive.rows.patient("7", RXA, "Doe^Archibald"),
        archive.rows.patient("B9", RXB, "DOE^ARCHIE", birth_date="19500101", sex="M"),
        LinkState.CONFIRMED,
    )
    return archive


def test_a_study_is_found_with_what_was_asked_for(stocked: Archive) -> None:
    with workstation(stocked.endpoint) as ws:
        status, (match,), _ = ws.find(
            "STUDY", PatientID="7", StudyInstanceUID="", NumberOfStudyRelatedInstances=""
        )

    assert status == FindStatus.SUCCESS
    assert match.StudyInstanceUID == "1.2.3"
    assert match.NumberOfStudyRelatedInstances == 2
    assert match.RetrieveAETitle == "RXA"
    assert match.InstanceAvailability == "ONLINE"
    assert match.QueryRetrieveLevel == "STUDY"
    assert "StudyDate" not in match
    assert "SpecificCharacterSet" not in match


def test_every_level_of_both_roots_answers(stocked: Archive) -> None:
    with workstation(stocked.endpoint) as ws:
        for root, levels in (
            (negotiation.PATIENT_ROOT_FIND, ("PATIENT", "STUDY", "SERIES", "IMAGE")),
            (negotiation.STUDY_ROOT_FIND, ("STUDY", "SERIES", "IMAGE")),
        ):
            counts = [len(ws.find(level, root=root, PatientID="7")[1]) for level in levels]
            assert counts == [1, 1, 1, 2][-len(levels) :]


def test_a_name_with_accents_is_told_in_unicode(stocked: Archive) -> None:
    with workstation(stocked.endpoint) as ws:
        _, (match,), _ = ws.find("STUDY", PatientName="müller*", StudyInstanceUID="")

    assert match.SpecificCharacterSet == "ISO_IR 192"
    assert str(match.PatientName) == "Müller^Zoë"


def test_keys_that_are_not_supported_come_back_empty_and_are_told(stocked: Archive) -> None:
    with workstation(stocked.endpoint) as ws:
        asked = Dataset()
        asked.QueryRetrieveLevel = "STUDY"
        asked.StudyInstanceUID = "1.2.3"
        asked.PatientMotherBirthName = ""
        asked.add_new(0x00091001, "LO", "")
        responses = list(ws.association.send_c_find(asked, negotiation.STUDY_ROOT_FIND))

    status, match = responses[0]
    assert status.Status == FindStatus.PENDING_KEYS_UNSUPPORTED
    assert match is not None
    assert match.PatientMotherBirthName == ""
    assert (0x0009, 0x1001) in match


def test_the_level_must_be_one_of_the_model(stocked: Archive) -> None:
    with workstation(stocked.endpoint) as ws:
        for level in ("", "FRAME", "PATIENT"):
            status, matches, last = ws.find(level, PatientID="7")
            assert status == FindStatus.IDENTIFIER_DOES_NOT_MATCH_SOP_CLASS
            assert matches == []
            assert last.ErrorComment


def test_another_trust_asks_by_its_own_number_and_sees_it(stocked: Archive) -> None:
    with workstation(stocked.endpoint, "WS_B") as ws:
        _, matches, _ = ws.find("STUDY", PatientID="B9", StudyInstanceUID="", PatientName="")
        _, none, _ = ws.find("STUDY", PatientID="7", StudyInstanceUID="")

    (match,) = matches
    assert (match.PatientID, str(match.PatientName)) == ("B9", "DOE^ARCHIE")
    assert none == []


def test_a_foreign_number_is_never_given_without_its_issuer(stocked: Archive) -> None:
    with workstation(stocked.endpoint, "WS_C") as ws:
        _, (bare,), _ = ws.find("STUDY", StudyInstanceUID="1.2.3", PatientID="")
        _, (named,), _ = ws.find(
            "STUDY", StudyInstanceUID="1.2.3", PatientID="", IssuerOfPatientID=""
        )

    assert (bare.PatientID, bare.IssuerOfPatientID) == ("", "RXA")
    assert (named.PatientID, named.IssuerOfPatientID) == ("7", "RXA")


def test_whoever_has_no_authority_must_name_one(stocked: Archive) -> None:
    with workstation(stocked.endpoint, "REGION") as ws:
        status, _, last = ws.find("STUDY", PatientID="7", StudyInstanceUID="")
        named, matches, _ = ws.find(
            "STUDY", PatientID="7", IssuerOfPatientID="RXA", StudyInstanceUID=""
        )

    assert status == FindStatus.IDENTIFIER_DOES_NOT_MATCH_SOP_CLASS
    assert last.ErrorComment
    assert named == FindStatus.SUCCESS
    assert len(matches) == 1


def test_a_cancel_ends_the_matches(stocked: Archive) -> None:
    many = [wire(f"1.5.{n}", StudyInstanceUID=f"1.5.{n}") for n in range(300)]
    stocked.modality().store(many)
    handed_over(stocked, 303)
    stocked.register()
    with workstation(stocked.endpoint) as ws:
        asked = Dataset()
        asked.QueryRetrieveLevel = "IMAGE"
        asked.SOPInstanceUID = ""
        responses = ws.association.send_c_find(asked, negotiation.STUDY_ROOT_FIND, msg_id=9)
        next(responses)
        ws.association.send_c_cancel(9, query_model=negotiation.STUDY_ROOT_FIND)
        rest = list(responses)

    assert rest[-1][0].Status == FindStatus.CANCEL
    assert len(rest) < 300


def test_without_a_database_storing_goes_on_and_a_query_says_so(
    tmp_path: Path, migrated: Path
) -> None:
    def no_database() -> Reader:
        raise DatabaseUnavailable("The database does not answer.")

    with opened(tmp_path, migrated, reader=no_database) as archive:
        assert archive.modality().store([wire("1.2.3.1.1")])[0].success
        with workstation(archive.endpoint) as ws:
            status, _, last = ws.find("STUDY", StudyInstanceUID="")
            assert status == FindStatus.OUT_OF_RESOURCES
            assert "database" in last.ErrorComment
            assert ws.association.send_c_echo().Status == 0


@needs_dcmtk
def test_dcmtk_finds_it(stocked: Archive) -> None:
    found = findscu(stocked.endpoint, "SERIES", {"StudyInstanceUID": "1.2.3", "Modality": ""})

    assert found.status == FindStatus.SUCCESS
    assert [match.Modality for match in found.matches] == ["CT"]
