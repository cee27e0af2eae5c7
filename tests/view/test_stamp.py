"""What the receiver reads in a stamped object, and that nothing else has changed."""

import zlib
from collections.abc import Iterator
from dataclasses import replace

import pytest
from pydicom import Dataset, Sequence
from pydicom.datadict import tag_for_keyword

from archive.errors import DataSetUnreadable
from archive.view.elements import Feed, form_of, spans
from archive.view.rewrite import stamped
from archive.view.stamp import STAMPED_KEYWORDS
from archive.view.stamping import apply_to_keywords
from tests.peers.corpus import CorpusFile, corpus_files, needs_corpus
from tests.view.examples import (
    BIG_ENDIAN,
    DEFLATED,
    EXPLICIT,
    IMPLICIT,
    ISSUER_ONLY,
    STAMPING,
    image,
    octets,
    opening,
    read,
)


def made(data_set: Dataset, syntax: str = EXPLICIT) -> Dataset:
    return read(b"".join(stamped(opening(octets(data_set, syntax)), syntax, STAMPING)), syntax)


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG_ENDIAN])
def test_the_receivers_identifiers_stand_in_the_object(syntax: str) -> None:
    data_set = made(image(), syntax)

    assert (data_set.PatientID, data_set.IssuerOfPatientID) == ("B9", "RXB")
    assert data_set.IssuerOfPatientIDQualifiersSequence[0].UniversalEntityID == "1.2.826.0.1.9"
    assert (data_set.PatientName, data_set.PatientBirthDate) == ("DOE^ARCHIE", "19500101")
    assert (data_set.PatientSex, data_set.AccessionNumber) == ("M", "ALIAS1")
    issuer = data_set.IssuerOfAccessionNumberSequence[0]
    assert issuer.LocalNamespaceEntityID == "RXB-REGION"
    assert data_set.SOPInstanceUID == "1.2.3.4"


def test_the_former_numbers_are_listed_with_issuer_type_and_kind() -> None:
    own, nhs = made(image()).OtherPatientIDsSequence

    assert (own.PatientID, own.IssuerOfPatientID, own.TypeOfPatientID) == ("7", "RXA", "TEXT")
    qualifiers = own.IssuerOfPatientIDQualifiersSequence[0]
    assert qualifiers.IdentifierTypeCode == "MR"
    assert qualifiers.AssigningFacilitySequence[0].LocalNamespaceEntityID == "RXA"
    assert (nhs.PatientID, nhs.IssuerOfPatientID) == ("9990000018", "NHS")
    assert nhs.IssuerOfPatientIDQualifiersSequence[0].IdentifierTypeCode == "NH"


def test_every_change_is_on_record_and_earlier_records_stay() -> None:
    earlier = Dataset()
    earlier.ModifyingSystem = "SOMEBODY"
    earlier.ReasonForTheAttributeModification = "CORRECT"

    records = made(image(OriginalAttributesSequence=Sequence([earlier]))).OriginalAttributesSequence

    assert (records[0].ModifyingSystem, records[0].ReasonForTheAttributeModification) == (
        "SOMEBODY",
        "CORRECT",
    )
    former = [item.ModifiedAttributesSequence[0] for item in records[1:]]
    assert [[element.keyword for element in item] for item in former] == [
        ["PatientID"],
        ["PatientName"],
        ["PatientBirthDate"],
        ["AccessionNumber"],
    ]
    assert (former[0].PatientID, former[3].AccessionNumber) == ("7", "A1")
    assert {item.ReasonForTheAttributeModification for item in records[1:]} == {"COERCE"}
    assert {item.ModifyingSystem for item in records[1:]} == {"CENTRE"}
    assert {item.SourceOfPreviousValues for item in records[1:]} == {"RXA"}


def test_the_accession_number_of_the_request_is_changed_too_and_only_that_one() -> None:
    ours, other = Dataset(), Dataset()
    ours.AccessionNumber, ours.RequestedProcedureID = "A1", "P1"
    other.AccessionNumber = "Z9"

    data_set = made(image(RequestAttributesSequence=Sequence([ours, other])))

    first, second = data_set.RequestAttributesSequence
    assert (first.AccessionNumber, first.RequestedProcedureID) == ("ALIAS1", "P1")
    assert second.AccessionNumber == "Z9"


def test_the_equipment_that_changed_it_is_named() -> None:
    (item,) = made(image()).ContributingEquipmentSequence

    assert item.PurposeOfReferenceCodeSequence[0].CodeValue == "109103"
    assert item.StationName == "CENTRE"


def test_without_a_number_for_the_person_only_the_issuer_is_added() -> None:
    before = image()
    data_set = read(b"".join(stamped(opening(octets(before)), EXPLICIT, ISSUER_ONLY)))

    assert (data_set.PatientID, data_set.IssuerOfPatientID) == ("7", "RXA")
    added = {element.keyword for element in data_set} - {element.keyword for element in before}
    assert added == {"IssuerOfPatientID", "IssuerOfPatientIDQualifiersSequence"}


def test_a_name_that_the_character_set_cannot_hold_makes_the_object_unicode() -> None:
    stamping = replace(STAMPING, name="ŁĘCKA^Zoë")
    before = image(SpecificCharacterSet="ISO_IR 100", InstitutionName="Krankenhaus Süd")

    data_set = read(b"".join(stamped(opening(octets(before)), EXPLICIT, stamping)))

    assert data_set.SpecificCharacterSet == "ISO_IR 192"
    assert str(data_set.PatientName) == "ŁĘCKA^Zoë"
    assert data_set.InstitutionName == "Krankenhaus Süd"


def test_a_name_that_fits_leaves_the_character_set_alone() -> None:
    stamping = replace(STAMPING, name="MÜLLER^Zoë")
    before = octets(image(SpecificCharacterSet="ISO_IR 100"))

    data_set = read(b"".join(stamped(opening(before), EXPLICIT, stamping)))

    assert data_set.SpecificCharacterSet == "ISO_IR 100"
    assert str(data_set.PatientName) == "MÜLLER^Zoë"


def test_every_octet_that_is_not_stamped_stays_where_it_was() -> None:
    before = image()
    before.add_new(0x00091001, "UN", b"\x01\x02odd\x00")
    before.add_new(0x00291010, "OB", bytes(5000))
    content = octets(before)

    after = b"".join(stamped(opening(content), EXPLICIT, STAMPING))

    kept = dict(elements(content, EXPLICIT))
    assert {tag: value for tag, value in elements(after, EXPLICIT) if tag in kept} == kept


def test_a_deflated_object_is_stamped_and_deflated_again() -> None:
    engine = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    deflated = engine.compress(octets(image())) + engine.flush()

    after = b"".join(stamped(opening(deflated), DEFLATED, STAMPING))

    assert len(after) % 2 == 0
    assert read(zlib.decompress(after, wbits=-zlib.MAX_WBITS)).PatientID == "B9"


@pytest.mark.parametrize(
    ("content", "syntax"),
    [
        (b"\x08\x00\x50\x00SH\x04\x00A1", EXPLICIT),
        (b"not a data set at all", EXPLICIT),
        (octets(image()), "1.2.840.113619.5.2"),
        (b"\x10\x00\x20\x00LO\x02\x007 " + b"\x08\x00\x50\x00SH\x02\x00A1", EXPLICIT),
        (b"\x08\x00\x50\x00SH\x02\x00A1" + b"\xff\xff", EXPLICIT),
    ],
)
def test_what_cannot_be_stamped_is_refused_before_it_leaves(content: bytes, syntax: str) -> None:
    with pytest.raises(DataSetUnreadable):
        stamped(opening(content), syntax, STAMPING)


def test_a_patient_number_behind_the_pixels_is_found_before_anything_leaves() -> None:
    content = octets(image()) + b"\x10\x00\x20\x00LO\x02\x007 "

    with pytest.raises(DataSetUnreadable):
        stamped(opening(content), EXPLICIT, STAMPING)


def test_a_match_is_shown_as_the_stamped_object_would_be() -> None:
    match = apply_to_keywords(
        STAMPING, {"PatientID": "7", "PatientName": "Doe", "StudyDate": "20010101"}
    )

    assert match == {
        "PatientID": "B9",
        "PatientName": "DOE^ARCHIE",
        "StudyDate": "20010101",
        "IssuerOfPatientID": "RXB",
    }
    shown = apply_to_keywords(ISSUER_ONLY, {"PatientID": "7", "PatientName": "Doe"})
    assert shown == {"PatientID": "7", "PatientName": "Doe", "IssuerOfPatientID": "RXA"}


def elements(content: bytes, syntax: str) -> Iterator[tuple[int, bytes]]:
    """Yield (tag, octets) of each top-level element that no stamp may change."""
    changed = {tag_for_keyword(keyword) for keyword in STAMPED_KEYWORDS}
    for span in spans(Feed([content]), form_of(syntax)):
        if span.tag not in changed and span.tag & 0xFFFF:
            yield span.tag, content[span.start : span.end]


@needs_corpus
@pytest.mark.parametrize("folder", ["charset", "media", "objects", "series", "syntax"])
def test_every_shared_file_is_stamped_without_touching_anything_else(folder: str) -> None:
    for one in corpus_files():
        if one.name.startswith(folder + "/"):
            _check(one)


def _check(one: CorpusFile) -> None:
    wire_object = one.on_the_wire().wire_object
    with wire_object.opened() as stream:
        content = stream.read()
    syntax = wire_object.transfer_syntax
    after = b"".join(stamped(opening(content, 1 << 16), syntax, STAMPING))
    if syntax == DEFLATED:
        content, after = (zlib.decompress(each, wbits=-zlib.MAX_WBITS) for each in (content, after))
    kept = dict(elements(content, syntax))
    assert {tag: value for tag, value in elements(after, syntax) if tag in kept} == kept, one.name
    assert read(after, syntax).PatientID == "B9", one.name
