"""C-GET and C-MOVE: bit for bit where nothing is stamped, and by name what must not leave."""

import hashlib
import io
import itertools
from collections.abc import Callable

import pydicom
import pytest
from pydicom import Dataset
from pydicom.filereader import read_dataset
from sqlalchemy import select

from archive.dimse import negotiation
from archive.dimse.scp import Destination
from archive.dimse.scu import CONTEXTS_LIMIT, batches, proposals
from archive.index import tables
from archive.states import LinkState
from archive.words.statuses import RetrieveStatus
from deploy.demo.modality import WireObject
from tests.associations.door import CT, EXPLICIT, IMPLICIT, Archive, wire
from tests.associations.test_store import handed_over
from tests.associations.workstation import identifier, workstation
from tests.index.builders import RXA, RXB
from tests.peers.corpus import corpus_files, needs_corpus
from tests.peers.dcmtk import getscu, movescu, needs_dcmtk
from tests.peers.orthanc import needs_orthanc, orthanc
from tests.peers.scp import RecordingScp

J2K = "1.2.840.10008.1.2.4.90"

Stock = Callable[..., Archive]


@pytest.fixture
def stock(archive: Archive) -> Stock:
    def store(*objects: WireObject) -> Archive:
        assert all(one.success for one in archive.modality().store(objects))
        handed_over(archive, len(objects))
        archive.register()
        return archive

    return store


@pytest.fixture
def shared(stock: Stock) -> Archive:
    """RXA holds a study of a person whom RXB numbers too, and RXC does not know."""
    archive = stock(
        wire("1.2.3.1.1", AccessionNumber="A1"),
        wire("1.2.3.1.2", AccessionNumber="A1", InstanceNumber="2"),
    )
    archive.rows.link(
        archive.rows.patient("7", RXA, "Doe^Archibald"),
        archive.rows.patient(
            "B9", RXB, "DOE^ARCHIE", birth_date="19500101", sex="M", nhs_number="9990000018"
        ),
        LinkState.CONFIRMED,
    )
    return archive


def deliveries(archive: Archive) -> list[tuple[str, str, str]]:
    columns = tables.delivery.c
    with archive.rows.index.reading() as conn:
        rows = conn.execute(select(columns.sop_instance_uid, columns.destination, columns.means))
        return [(row[0], row[1], row[2]) for row in rows]


def read(octets: bytes, syntax: str = EXPLICIT) -> Dataset:
    return read_dataset(io.BytesIO(octets), syntax == IMPLICIT, True)


def test_get_brings_the_stored_octets(shared: Archive) -> None:
    with workstation(shared.endpoint) as ws:
        final, failed = ws.get("STUDY", StudyInstanceUID="1.2.3")

    assert final.Status == RetrieveStatus.SUCCESS
    assert (final.NumberOfCompletedSuboperations, final.NumberOfFailedSuboperations) == (2, 0)
    assert failed is None
    sent = {
        one.sop_instance_uid: one.data_set
        for one in (
            wire("1.2.3.1.1", AccessionNumber="A1"),
            wire("1.2.3.1.2", AccessionNumber="A1", InstanceNumber="2"),
        )
    }
    assert {uid: octets for uid, _, octets in ws.received} == sent
    assert deliveries(shared) == [
        ("1.2.3.1.1", "WS_A", "C-GET"),
        ("1.2.3.1.2", "WS_A", "C-GET"),
    ]


def test_every_level_of_both_roots_is_retrieved(shared: Archive) -> None:
    study = {"StudyInstanceUID": "1.2.3"}
    series = {**study, "SeriesInstanceUID": "1.2.3.1"}
    with workstation(shared.endpoint) as ws:
        for keys, level, count in (
            ({"PatientID": "7"}, "PATIENT", 2),
            (study, "STUDY", 2),
            (series, "SERIES", 2),
            ({**series, "SOPInstanceUID": "1.2.3.1.2"}, "IMAGE", 1),
            ({**series, "SOPInstanceUID": "1.2.3.1.1\\1.2.3.1.2"}, "IMAGE", 2),
        ):
            roots = [negotiation.PATIENT_ROOT_GET, negotiation.STUDY_ROOT_GET]
            for root in roots[: 1 if level == "PATIENT" else 2]:
                final, _ = ws.get(level, root=root, **keys)
                assert final.NumberOfCompletedSuboperations == count


def test_an_identifier_without_its_unique_key_is_refused(shared: Archive) -> None:
    with workstation(shared.endpoint) as ws:
        for level, keys in (
            ("STUDY", {"PatientID": "7"}),
            ("STUDY", {"StudyInstanceUID": "1.2.*"}),
            ("PATIENT", {"PatientID": "7"}),
            ("", {"StudyInstanceUID": "1.2.3"}),
        ):
            final, _ = ws.get(level, **keys)
            assert final.Status == RetrieveStatus.IDENTIFIER_DOES_NOT_MATCH_SOP_CLASS
    assert ws.received == []


def test_another_trust_gets_its_own_numbers_and_the_same_pixels(shared: Archive) -> None:
    with workstation(shared.endpoint, "WS_B") as ws:
        final, _ = ws.get("STUDY", StudyInstanceUID="1.2.3")

    assert final.Status == RetrieveStatus.SUCCESS
    for uid, _, octets in ws.received:
        data_set = read(octets)
        assert (data_set.PatientID, data_set.IssuerOfPatientID) == ("B9", "RXB")
        assert (str(data_set.PatientName), data_set.PatientSex) == ("DOE^ARCHIE", "M")
        assert data_set.SOPInstanceUID == uid
        assert data_set.StudyInstanceUID == "1.2.3"
        assert data_set.PixelData == bytes(range(256)) * 8
        numbers = [
            (item.PatientID, item.IssuerOfPatientID) for item in data_set.OtherPatientIDsSequence
        ]
        assert numbers == [("7", "RXA"), ("9990000018", "NHS")]
        assert data_set.AccessionNumber != "A1"


def test_a_trust_without_a_number_for_the_person_gets_nothing_foreign(shared: Archive) -> None:
    with workstation(shared.endpoint, "WS_C") as ws:
        final, failed = ws.get("STUDY", StudyInstanceUID="1.2.3")

    assert ws.received == []
    assert final.Status == RetrieveStatus.UNABLE_TO_PERFORM_SUB_OPERATIONS
    assert final.NumberOfFailedSuboperations == 2
    assert final.ErrorComment
    assert failed is not None
    assert list(failed.FailedSOPInstanceUIDList) == ["1.2.3.1.1", "1.2.3.1.2"]
    assert deliveries(shared) == []


def test_some_that_cannot_be_sent_are_named_and_the_others_come(stock: Stock) -> None:
    archive = stock(wire("1.2.3.1.1"), wire("1.2.3.1.2", sop_class="1.2.840.10008.5.1.4.1.1.4"))
    with workstation(archive.endpoint) as ws:
        final, failed = ws.get("STUDY", StudyInstanceUID="1.2.3")

    assert final.Status == RetrieveStatus.SUB_OPERATIONS_COMPLETE_WITH_FAILURES
    assert [uid for uid, _, _ in ws.received] == ["1.2.3.1.1"]
    assert failed is not None
    assert failed.FailedSOPInstanceUIDList == "1.2.3.1.2"


def test_a_receiver_that_refuses_is_told_by_status(shared: Archive) -> None:
    with workstation(shared.endpoint, answer=0xA700) as ws:
        final, _ = ws.get("STUDY", StudyInstanceUID="1.2.3")

    assert final.Status == RetrieveStatus.UNABLE_TO_PERFORM_SUB_OPERATIONS
    assert "A700" in final.ErrorComment


def test_a_receiver_that_coerces_counts_as_warning(shared: Archive) -> None:
    with workstation(shared.endpoint, answer=0xB000) as ws:
        final, _ = ws.get("STUDY", StudyInstanceUID="1.2.3")

    assert final.NumberOfWarningSuboperations == 2
    assert final.Status == RetrieveStatus.SUB_OPERATIONS_COMPLETE_WITH_FAILURES


def test_only_implicit_accepted_is_made_of_explicit(shared: Archive) -> None:
    with workstation(shared.endpoint, storage={CT: (IMPLICIT,)}) as ws:
        final, _ = ws.get("IMAGE", SOPInstanceUID="1.2.3.1.1")

    assert final.Status == RetrieveStatus.SUCCESS
    ((_, syntax, octets),) = ws.received
    assert syntax == IMPLICIT
    assert read(octets, IMPLICIT).PixelData == bytes(range(256)) * 8


def test_a_cancel_ends_a_get(stock: Stock) -> None:
    archive = stock(*(wire(f"1.2.3.1.{n}") for n in range(1, 200)))
    with workstation(archive.endpoint) as ws:
        asked = identifier("STUDY", {"StudyInstanceUID": "1.2.3"})
        responses = ws.association.send_c_get(asked, negotiation.STUDY_ROOT_GET, msg_id=7)
        next(responses)
        ws.association.send_c_cancel(7, query_model=negotiation.STUDY_ROOT_GET)
        rest = list(responses)

    assert rest[-1][0].Status == RetrieveStatus.CANCEL
    assert rest[-1][0].NumberOfRemainingSuboperations > 0
    assert len(ws.received) < 199


def test_move_brings_the_stored_octets_and_names_who_asked(shared: Archive) -> None:
    with RecordingScp("STORE") as scp, workstation(shared.endpoint) as ws:
        shared.tables.destinations["STORE"] = Destination("STORE", *address(scp))
        final, _ = ws.move("STUDY", "STORE", StudyInstanceUID="1.2.3")
        received = scp.wait_for(2)

    assert final.Status == RetrieveStatus.SUCCESS
    assert final.NumberOfCompletedSuboperations == 2
    assert [one.data_set for one in received] == [
        wire("1.2.3.1.1", AccessionNumber="A1").data_set,
        wire("1.2.3.1.2", AccessionNumber="A1", InstanceNumber="2").data_set,
    ]
    assert {(one.calling_ae, one.move_originator) for one in received} == {("RXA", "WS_A")}
    assert ("1.2.3.1.1", "STORE", "C-MOVE") in deliveries(shared)


def address(scp: RecordingScp) -> tuple[str, int]:
    return scp.endpoint.host, scp.endpoint.port


def test_an_unknown_destination_is_told(shared: Archive) -> None:
    with workstation(shared.endpoint) as ws:
        final, _ = ws.move("STUDY", "NOWHERE", StudyInstanceUID="1.2.3")

    assert final.Status == RetrieveStatus.MOVE_DESTINATION_UNKNOWN


def test_a_destination_that_does_not_answer_fails_every_sub_operation(shared: Archive) -> None:
    shared.tables.destinations["DEAD"] = Destination("DEAD", "127.0.0.1", 1)
    with workstation(shared.endpoint) as ws:
        final, failed = ws.move("STUDY", "DEAD", StudyInstanceUID="1.2.3")

    assert final.Status == RetrieveStatus.UNABLE_TO_PERFORM_SUB_OPERATIONS
    assert failed is not None
    assert len(failed.FailedSOPInstanceUIDList) == 2


def test_a_destination_of_another_trust_gets_that_trusts_numbers(shared: Archive) -> None:
    with RecordingScp("WS_B") as scp, workstation(shared.endpoint) as ws:
        shared.tables.destinations["WS_B"] = Destination("WS_B", *address(scp), organisation="RXB")
        final, _ = ws.move("STUDY", "WS_B", StudyInstanceUID="1.2.3")
        received = scp.wait_for(2)

    assert final.Status == RetrieveStatus.SUCCESS
    assert {read(one.data_set).PatientID for one in received} == {"B9"}


def test_a_destination_of_a_trust_without_a_number_gets_nothing(shared: Archive) -> None:
    with RecordingScp("WS_C") as scp, workstation(shared.endpoint) as ws:
        shared.tables.destinations["WS_C"] = Destination("WS_C", *address(scp), organisation="RXC")
        final, _ = ws.move("STUDY", "WS_C", StudyInstanceUID="1.2.3")

        assert scp.received == []
    assert final.Status == RetrieveStatus.UNABLE_TO_PERFORM_SUB_OPERATIONS


def test_more_contexts_than_one_association_holds_are_spread_over_several() -> None:
    kinds = [(f"1.2.{n}", syntax) for n in range(100) for syntax in (J2K, "1.2.840.10008.1.2.5")]

    spread = batches(proposals(kinds))

    assert all(len(batch) <= CONTEXTS_LIMIT for batch in spread)
    proposed = list(itertools.chain(*spread))
    assert len(proposed) == 300
    assert {(one.sop_class_uid, one.syntaxes[0]) for one in proposed} >= set(kinds)


def test_move_crosses_associations_when_classes_are_many(stock: Stock) -> None:
    classes = [f"1.2.826.0.1.3680043.9.9.{n}" for n in range(90)]
    archive = stock(
        *(wire(f"1.2.3.1.{n}", sop_class=uid, SOPClassUID=uid) for n, uid in enumerate(classes))
    )
    with (
        RecordingScp("STORE", private_classes=classes) as scp,
        workstation(archive.endpoint) as ws,
    ):
        archive.tables.destinations["STORE"] = Destination("STORE", *address(scp))
        final, _ = ws.move("STUDY", "STORE", StudyInstanceUID="1.2.3")
        scp.wait_for(90)

    assert final.Status == RetrieveStatus.SUCCESS
    assert final.NumberOfCompletedSuboperations == 90


@needs_dcmtk
def test_dcmtk_gets_and_moves(shared: Archive, tmp_path_factory: pytest.TempPathFactory) -> None:
    directory = tmp_path_factory.mktemp("got")
    got = getscu(shared.endpoint, "STUDY", {"StudyInstanceUID": "1.2.3"}, directory)
    assert got.status == RetrieveStatus.SUCCESS
    assert sorted(pydicom.dcmread(path).SOPInstanceUID for path in got.files) == [
        "1.2.3.1.1",
        "1.2.3.1.2",
    ]
    with RecordingScp("STORE") as scp:
        shared.tables.destinations["STORE"] = Destination("STORE", *address(scp))
        moved = movescu(shared.endpoint, "STUDY", {"StudyInstanceUID": "1.2.3"}, "STORE")
        scp.wait_for(2)
    assert moved.status == RetrieveStatus.SUCCESS


@needs_orthanc
def test_orthanc_finds_and_moves_to_itself(shared: Archive) -> None:
    with orthanc(peers={"door": shared.endpoint}) as pacs:
        shared.tables.destinations["ORTHANC"] = Destination(
            "ORTHANC", pacs.endpoint.host, pacs.endpoint.port
        )
        query = pacs.query("door", "Study", {"PatientID": "7"})
        (found,) = pacs.answers(query)
        pacs.retrieve(query)
        kept = [pydicom.dcmread(io.BytesIO(pacs.part10(one))) for one in pacs.instances()]

    assert found["StudyInstanceUID"] == "1.2.3"
    assert sorted(one.SOPInstanceUID for one in kept) == ["1.2.3.1.1", "1.2.3.1.2"]


@needs_corpus
def test_images_of_every_syntax_go_out_as_they_came(stock: Stock) -> None:
    files = [one for one in corpus_files() if "one-ct-every-syntax" in one.name]
    objects = [one.on_the_wire().wire_object for one in files]
    archive = stock(*objects)
    with RecordingScp("STORE") as scp, workstation(archive.endpoint) as ws:
        archive.tables.destinations["STORE"] = Destination("STORE", *address(scp))
        for match in ws.find("STUDY", StudyInstanceUID="")[1]:
            final, _ = ws.move("STUDY", "STORE", StudyInstanceUID=match.StudyInstanceUID)
            assert final.Status == RetrieveStatus.SUCCESS

    sent = {(one.transfer_syntax, digest(one)) for one in objects}
    assert {(one.transfer_syntax, one.sha256) for one in scp.received} <= sent
    assert {one.sop_instance_uid for one in scp.received} == {
        one.sop_instance_uid for one in objects
    }


def digest(one: WireObject) -> str:
    with one.opened() as stream:
        return hashlib.sha256(stream.read()).hexdigest()
