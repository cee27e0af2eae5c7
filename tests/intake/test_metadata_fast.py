"""The DICOM JSON written from coded elements is what pydicom's decoding gives."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.filewriter import _AMBIGUOUS_OB_OW_TAGS, _AMBIGUOUS_US_SS_TAGS, _OVERLAY_DATA_TAGS

from archive.intake import instance_metadata as metadata
from archive.intake.plain import Stored
from archive.view import known_vrs
from archive.view.json_octets import JsonTexts
from deploy.demo.wire_object import WireObject
from tests.intake.house import octets_of
from tests.intake.real_objects import lying, quietly, real_objects, spoiled
from tests.intake.samples import DEFLATED, EXPLICIT, IMPLICIT, JPEG_LOSSLESS, image, report, sent

NONE_DIFFER: dict[str, str] = {}
"""Real files of which pydicom's JSON is wrong, and why. There is none."""


def stored(one: WireObject) -> Stored:
    octets, measured = lying(octets_of(one))
    return Stored(octets, measured.location, one.transfer_syntax)


def written(one: WireObject, texts: JsonTexts | None = None) -> object:
    octets = metadata.instance_metadata(
        stored(one),
        sop_class_uid="1.2",
        sop_instance_uid="1.2.3",
        study_uid="1.2.4",
        series_uid="1.2.5",
        texts=texts,
    )
    return json.loads(octets)


def by_pydicom(one: WireObject) -> object:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(metadata, "_written", lambda *_: None)
        return written(one)


def is_taken(one: WireObject) -> bool:
    return metadata._written(stored(one), JsonTexts()) is not None


def test_real_files_give_the_same_json_as_pydicom() -> None:
    differ, taken, declined = {}, 0, 0
    texts = JsonTexts()
    with quietly():
        for name, one in real_objects():
            if not is_taken(one):
                declined += 1
                continue
            taken += 1
            if written(one, texts) != by_pydicom(one):
                differ[name] = one.transfer_syntax
    assert differ.keys() == NONE_DIFFER.keys()
    assert taken > 5 * declined


@settings(derandomize=True, max_examples=300, deadline=None)
@given(spoiled())
def test_spoiled_objects_give_the_same_json_as_pydicom(one: WireObject) -> None:
    with quietly():
        assert written(one) == by_pydicom(one)


VALUES = {
    "AE": "SourceApplicationEntityTitle",
    "AS": "PatientAge",
    "AT": "FrameIncrementPointer",
    "CS": "ImageType",
    "DA": "StudyDate",
    "DS": "ImagePositionPatient",
    "DT": "AcquisitionDateTime",
    "FD": "DiffusionBValue",
    "FL": "TableOfYBreakPoints",
    "IS": "ReferencedFrameNumber",
    "LO": "PatientID",
    "LT": "ImageComments",
    "OB": "ICCProfile",
    "PN": "PatientName",
    "SH": "AccessionNumber",
    "SL": "ReferencePixelX0",
    "SS": "TagAngleSecondAxis",
    "ST": "InstitutionAddress",
    "TM": "StudyTime",
    "UC": "LongCodeValue",
    "UI": "FailedSOPInstanceUIDList",
    "UL": "SimpleFrameList",
    "UR": "RetrieveURL",
    "US": "Rows",
    "UT": "TextValue",
}
"""For each VR, an element that has it."""

LIKELY = st.one_of(
    st.binary(max_size=24),
    st.text("0123456789+-.eE \\\0", max_size=24).map(str.encode),
    st.text(st.characters(max_codepoint=126), max_size=24).map(str.encode),
    st.text('AB^=\\ \0é"', max_size=24).map(lambda text: text.encode("latin-1")),
    st.sampled_from([b"1e400", b"-0.0", b"1.0", b" 7 ", b"1_0", b"nan", b"\0\0\xc0\x7f" * 2]),
)
CHARACTER_SETS = st.sampled_from(["", "ISO_IR 100", "ISO_IR 192", "ISO_IR 13", "\\ISO 2022 IR 87"])


@pytest.mark.parametrize("vr", sorted(VALUES))
@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT])
@settings(derandomize=True, max_examples=25, deadline=None)
@given(LIKELY, CHARACTER_SETS, st.booleans())
def test_any_value_gives_the_same_json_as_pydicom(
    vr: str, syntax: str, value: bytes, character_set: str, nested: bool
) -> None:
    held = Dataset()
    with quietly():
        setattr(held, VALUES[vr], None)
        element = next(iter(held))
        one = around(element.tag, element.VR, value, character_set, syntax, nested=nested)
        assert written(one) == by_pydicom(one)


def around(
    tag: int, vr: str, value: bytes, character_set: str, syntax: str, *, nested: bool
) -> WireObject:
    """Return an object with one element whose octets are given, maybe inside a sequence."""
    coded = element_of(tag, vr, value + b" " * (len(value) % 2), syntax)
    if nested:
        item = b"\xfe\xff\x00\xe0" + len(coded).to_bytes(4, "little") + coded
        coded = element_of(0x00409096, "SQ", item, syntax)
        tag = 0x00409096
    terms = character_set.encode()
    first = element_of(0x00080005, "CS", terms + b" " * (len(terms) % 2), syntax)
    parts = sorted([(0x00080005, first), (tag, coded)])
    return WireObject("1.2", "1.2.3", syntax, b"".join(octets for _, octets in parts))


def element_of(tag: int, vr: str, value: bytes, syntax: str) -> bytes:
    head = (tag >> 16).to_bytes(2, "little") + (tag & 0xFFFF).to_bytes(2, "little")
    if syntax == IMPLICIT:
        return head + len(value).to_bytes(4, "little") + value
    if vr in {"OB", "OW", "SQ", "UC", "UN", "UR", "UT"}:
        return head + vr.encode() + bytes(2) + len(value).to_bytes(4, "little") + value
    return head + vr.encode() + len(value).to_bytes(2, "little") + value


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT])
@pytest.mark.parametrize("vr", ["US", "SS"])
@pytest.mark.parametrize("signed", [0, 1])
def test_the_lookup_table_of_an_icon_is_described_as_pydicom_does(
    syntax: str, vr: str, signed: int
) -> None:
    icon = Dataset()
    icon.PixelRepresentation = 0
    icon.add_new(0x00281101, vr, [65280, 0, 8])
    one = image(PixelRepresentation=signed, IconImageSequence=[icon])
    one.add_new(0x00281102, vr, [65280, 0, 8])
    with quietly():
        assert written(sent(one, syntax)) == by_pydicom(sent(one, syntax))
        assert is_taken(sent(one, syntax)) is (syntax == EXPLICIT)


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, JPEG_LOSSLESS])
def test_ordinary_objects_are_not_decoded(syntax: str) -> None:
    assert is_taken(sent(image(PatientName="Doe^Jane"), syntax))
    assert is_taken(sent(report(text="No change.\r\nNone."), syntax))


@pytest.mark.parametrize("syntax", [DEFLATED, "1.2.840.10008.1.2.2"])
def test_other_codings_are_left_to_pydicom(syntax: str) -> None:
    one = sent(image(), syntax)
    assert not is_taken(one)
    assert written(one) == by_pydicom(one)


def test_what_is_kept_of_one_instance_says_nothing_false_of_another() -> None:
    texts = JsonTexts()
    private = (0x00091001, "UN", bytes.fromhex("0102"))
    for syntax in (IMPLICIT, EXPLICIT):
        for character_set in ("ISO_IR 100", "ISO_IR 144"):
            for signed in (0, 1):
                for creator in ("GEMS_IDEN_01", "HERE"):
                    one = image(PixelRepresentation=signed, SmallestImagePixelValue=b"\xff\xff")
                    one.SpecificCharacterSet, one.StudyDescription = character_set, "x"
                    one.add_new(0x00090010, "LO", creator)
                    one.add_new(*private)
                    coded = sent(one, syntax)
                    assert written(coded, texts) == by_pydicom(coded)


def test_what_is_kept_is_bounded() -> None:
    texts = JsonTexts()
    for number in range(400):
        written(sent(image(ImageComments=f"{number:05}" * 3000)), texts)
    assert sum(len(octets) for kept in texts._kept.values() for octets in kept) < 6_000_000


def test_sequences_nested_without_end_are_left_to_pydicom() -> None:
    inner = b""
    for _ in range(900):
        item = b"\xfe\xff\x00\xe0" + len(inner).to_bytes(4, "little") + inner
        inner = element_of(0x0040A730, "SQ", item, EXPLICIT)
    one = WireObject("1.2", "1.2.3", EXPLICIT, inner)
    assert not is_taken(one)
    assert written(one) == by_pydicom(one)


def test_ambiguous_vrs_are_those_that_pydicom_settles() -> None:
    assert known_vrs._UNSIGNED_OR_SIGNED <= _AMBIGUOUS_US_SS_TAGS
    words = _AMBIGUOUS_OB_OW_TAGS | _OVERLAY_DATA_TAGS | {0x7FE00010}
    assert words == known_vrs._WORDS
