"""When two objects under one UID are the same, a revision, or a conflict."""

import warnings

import pytest
from pydicom.dataset import Dataset
from sqlalchemy import insert

from archive.index import tables
from archive.index.directory import ensure_organisation, save_source
from archive.index.header import Loose
from archive.index.register import Answer
from archive.intake.compare import Comparison, compare
from archive.intake.plain import Stored
from archive.store.segment import Record, RecordKind
from archive.words.identity import Issuer
from deploy.demo.wire_object import WireObject
from tests.intake.house import Cold, measured_at
from tests.intake.samples import (
    BIG_ENDIAN,
    DEFLATED,
    EXPLICIT,
    IMPLICIT,
    JPEG_LOSSLESS,
    RLE,
    image,
    letter,
    report,
    sent,
)
from tests.peers.corpus import CORPUS, needs_corpus

NATIVE = [IMPLICIT, EXPLICIT, BIG_ENDIAN, DEFLATED]


def compared(cold: Cold, one: WireObject, other: WireObject) -> Comparison:
    before = set(cold.reader.ready())
    cold.store(one, other)
    (name,) = set(cold.reader.ready()) - before
    stored = [
        Stored(cold.octets, location_of(cold, name, record), record.envelope.transfer_syntax)
        for record in cold.reader.records(name)
        if record.kind is RecordKind.DICOM
    ]
    return compare(*stored)


def location_of(cold: Cold, name: str, record: Record) -> Loose:
    return measured_at(cold.octets, record, segment=name).location


@pytest.mark.parametrize("other", [*NATIVE, RLE])
@pytest.mark.parametrize("one", [*NATIVE, RLE])
def test_the_same_image_is_the_same_in_every_lossless_coding(
    cold: Cold, one: str, other: str
) -> None:
    of_header = image(SeriesDescription="Thorax", WindowCenter="40", ExposureTime=12)
    pair = [sent(of_header, syntax) for syntax in (one, other)]
    assert compared(cold, *pair).same


def test_group_lengths_and_the_form_of_sequences_are_no_difference(cold: Cold) -> None:
    plain, other = image(), image()
    for data_set, undefined in ((plain, False), (other, True)):
        item = Dataset()
        item.CodeValue = "113001"
        item.is_undefined_length_sequence_item = undefined
        data_set.ProcedureCodeSequence = [item]
        data_set["ProcedureCodeSequence"].is_undefined_length = undefined
    other.add_new(0x00080000, "UL", 999)
    other.add_new(0xFFFCFFFC, "OB", bytes(8))
    assert compared(cold, sent(plain), sent(other)).same


def test_another_header_over_the_same_pixels_is_a_revision(cold: Cold) -> None:
    one, other = image(), image(PatientName="Doe^Janet", StudyDescription="CT")
    found = compared(cold, sent(one), sent(other))
    assert found.same_content
    assert found.differing == (0x00081030, 0x00100010)


def test_a_nested_difference_is_told_by_the_outer_element(cold: Cold) -> None:
    one, other = image(), image()
    for data_set, value in ((one, "A"), (other, "B")):
        data_set.ProcedureCodeSequence = [Dataset()]
        data_set.ProcedureCodeSequence[0].CodeValue = value
    assert compared(cold, sent(one), sent(other)).differing == (0x00081032,)


@pytest.mark.parametrize("syntax", [*NATIVE, RLE])
def test_other_pixels_are_a_conflict(cold: Cold, syntax: str) -> None:
    found = compared(cold, sent(image(pixels=7)), sent(image(pixels=8), syntax))
    assert not found.same_content


def test_the_same_octets_read_as_another_image_are_a_conflict(cold: Cold) -> None:
    found = compared(cold, sent(image()), sent(image(Rows=4, Columns=16)))
    assert not found.same_content


def test_what_no_decoder_reads_is_the_same_only_by_its_octets(cold: Cold) -> None:
    same = compared(cold, sent(image(), JPEG_LOSSLESS), sent(image(), JPEG_LOSSLESS))
    unlike = compared(cold, sent(image(), JPEG_LOSSLESS), sent(image()))
    assert (same.same, unlike.same_content) == (True, False)


def test_a_report_with_another_text_is_a_conflict(cold: Cold) -> None:
    revised = compared(cold, sent(report()), sent(report(PatientName="Doe^Janet")))
    conflict = compared(cold, sent(report()), sent(report(text="Progress.")))
    assert revised.same_content
    assert not conflict.same_content


def test_a_document_is_its_octets(cold: Cold) -> None:
    revised = compared(cold, sent(letter()), sent(letter(DocumentTitle="Letter")))
    conflict = compared(cold, sent(letter()), sent(letter(octets=b"%PDF+")))
    assert revised.same_content
    assert not conflict.same_content


def test_values_that_pydicom_refuses_are_compared_by_their_octets(cold: Cold) -> None:
    with warnings.catch_warnings(action="ignore"):
        pair = [sent(image()) for _ in range(2)]
    bad = bytes.fromhex("18005000") + b"DS\x04\x00x.y "
    pair = [
        WireObject(one.sop_class_uid, one.sop_instance_uid, EXPLICIT, with_element(one, bad))
        for one in pair
    ]
    assert compared(cold, *pair).same


def with_element(one: WireObject, element: bytes) -> bytes:
    """Put an element of group 0018 where it belongs."""
    assert isinstance(one.data_set, bytes)
    at = one.data_set.index(bytes.fromhex("20000d00"))
    return one.data_set[:at] + element + one.data_set[at:]


@needs_corpus
def test_one_ct_in_every_syntax_is_one_image_where_a_lossless_decoder_is_here(cold: Cold) -> None:
    files = sorted((CORPUS / "syntax" / "one-ct-every-syntax").iterdir())
    (plain,) = (path for path in files if "LittleEndianExplicit" in path.name)
    reference = WireObject.from_file(plain)
    same = [
        path.stem.rpartition("_")[2]
        for path in files
        if compared(cold, reference, WireObject.from_file(path)).same_content
    ]
    assert same == [
        "DeflatedExplicitVRLittleEndian",
        "LittleEndianExplicit",
        "BigEndianExplicit",
        "JPEGLSLossless",
        "JPEG2000LosslessOnly",
        "RLELossless",
        "LittleEndianImplicit",
    ]


# --- answers ----------------------------------------------------------------------------------


def answered(cold: Cold, *objects: WireObject) -> dict[str, int]:
    for one in objects:
        cold.store(one)
        cold.take_in()
    return cold.answers()


@pytest.mark.parametrize("sealed", [False, True])
@pytest.mark.parametrize(
    ("second", "answer"),
    [
        (sent(image()), Answer.ALREADY_HELD),
        (sent(image(), IMPLICIT), Answer.SAME_CONTENT),
        (sent(image(StudyDescription="CT")), Answer.REVISED),
        (sent(image(pixels=8)), Answer.CONFLICTING),
        (sent(image(StudyInstanceUID="1.2.4")), Answer.CONFLICTING),
        (sent(image(SeriesInstanceUID="1.2.3.9")), Answer.CONFLICTING),
        (sent(image(SOPClassUID="1.2.840.10008.5.1.4.1.1.4")), Answer.CONFLICTING),
    ],
)
def test_each_answer(cold: Cold, second: WireObject, answer: Answer, sealed: bool) -> None:
    answered(cold, sent(image()))
    if sealed:
        cold.seal()
    counted = answered(cold, second)
    assert counted == {Answer.REGISTERED.value: 1, answer.value: 1}


def test_differences_are_keywords_and_never_values(cold: Cold) -> None:
    answered(cold, sent(image()), sent(image(PatientName="Roe^Richard", PatientID="999")))
    (sighting,) = cold.rows("sighting")
    assert sighting["differences"] == "PatientName,PatientID"


def test_the_same_octets_under_another_syntax_go_on_serving(cold: Cold) -> None:
    one = sent(report())
    other = WireObject(one.sop_class_uid, one.sop_instance_uid, RLE, one.data_set)
    assert answered(cold, one, other) == {"Registered": 1, "SameContent": 1}
    cold.seal()
    assert [row["serves"] for row in cold.rows("instance_state")] == []
    assert cold.counts().instances == 1


def test_a_third_object_is_compared_with_the_one_that_serves(cold: Cold) -> None:
    answered(cold, sent(image()))
    cold.seal()
    answered(cold, sent(image(StudyDescription="CT")))
    # The revision is loose, the one that serves is packed.
    assert answered(cold, sent(image(), IMPLICIT))["SameContent"] == 1


def test_a_rival_that_is_lost_leaves_the_decision_to_a_person_and_the_queue_open(
    cold: Cold,
) -> None:
    answered(cold, sent(image()))
    cold.seal()
    (name,) = cold.blobs.names("packs")
    cold.blobs.delete(name)
    counted = answered(cold, sent(image(StudyDescription="CT")), sent(image("1.2.3.1.2")))
    assert counted == {"Registered": 2, "Conflicting": 1}


def test_a_rendition_that_comes_back_is_an_echo(cold: Cold) -> None:
    delivered_from_rxb(cold, sent(image(PatientID="B-7")))
    counted = answered(cold, sent(image(PatientID="A-1", PatientName="Doe^Jane^^^")))
    assert counted["Echo"] == 1
    assert cold.counts().studies == {"RXB": 1}


def test_other_pixels_under_a_delivered_uid_are_the_trusts_own(cold: Cold) -> None:
    delivered_from_rxb(cold, sent(image()))
    assert answered(cold, sent(image(pixels=9)))["Registered"] == 2
    assert cold.counts().studies == {"RXA": 1, "RXB": 1}


def delivered_from_rxb(cold: Cold, one: WireObject) -> None:
    """Let RXA's archive hold an object of RXB's custody that it delivered to RXA."""
    with cold.index.writing() as conn:
        rxb = Issuer("RXB", "RXB")
        save_source(
            conn, node="RXA", kind="dicom", name="FROM_RXB", organisation="RXB", authority=rxb
        )
    cold.store(one, calling_ae="FROM_RXB")
    cold.take_in()
    (instance,) = cold.rows("instance")
    with cold.index.writing() as conn:
        conn.execute(
            insert(tables.delivery).values(
                at=1,
                organisation_id=ensure_organisation(conn, "RXA"),
                destination="PACS",
                means="C-MOVE",
                custodian_id=ensure_organisation(conn, "RXB"),
                study_instance_uid="1.2.3",
                sop_instance_uid=instance["sop_instance_uid"],
                sha256=instance["sha256"],
                stamped=True,
            )
        )
