"""What is read of an instance, and what is held because it cannot be."""

import contextlib
import io
import warnings
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pydicom
import pytest

from archive.errors import DataSetUnreadable
from archive.index.header import Header, Loose
from archive.intake.coding import Plain, form_of
from archive.intake.elements import elements
from archive.intake.reasons import Reason, reason_of
from archive.intake.scan import Measured, read_header
from archive.reader import Octets
from archive.store.part10 import file_meta
from archive.store.segment import Record, RecordKind
from deploy.demo.wire_object import WireObject
from tests.intake.house import MovedClock, envelope, measured_at, octets_of
from tests.intake.samples import (
    BIG_ENDIAN,
    DEFLATED,
    EXPLICIT,
    IMPLICIT,
    JPEG_LOSSLESS,
    coded,
    image,
    report,
    sent,
)
from tests.peers.corpus import corpus_files, needs_corpus

INDEXED = "indexed"

# Why each is so. INDEXED: pydicom reads it with its UIDs intact, and no element runs past the end:
# odd VRs, old styles, padding and codestreams are no reason to keep an image from its patient.
# TRUNCATED: octets are missing, so what would be shown is not what was made. NO_..._UID: nothing
# to register it under. UID_MALFORMED: hexadecimal digests where UIDs should be. BROKEN_CODING: a
# whole file with a torn preamble, which is no Data Set.
MALFORMED = {
    "dcm4che/3gb-bulk-data-truncated": Reason.TRUNCATED,
    "dcm4che/no_preamble_dicm_in_data": Reason.NO_SOP_UID,
    "dicognito/bad.dcm": Reason.NO_SOP_UID,
    "fo-dicom/CR-MONO1-10-chest": INDEXED,
    "fo-dicom/GH177_D_CLUNIE_CT1_IVRLE_BigEndian_ELE_undefinded_length.dcm": INDEXED,
    "fo-dicom/GH177_D_CLUNIE_CT1_IVRLE_BigEndian_undefined_length.dcm": INDEXED,
    "fo-dicom/GH178.dcm": INDEXED,
    "fo-dicom/GH220.dcm": Reason.NO_STUDY_UID,
    "fo-dicom/GH223.dcm": Reason.NO_STUDY_UID,
    "fo-dicom/GH340.dcm": Reason.NO_SOP_UID,
    "fo-dicom/GH487.dcm": Reason.NO_STUDY_UID,
    "fo-dicom/Issue1097_FailToOpenDeflatedFileWithSQ.dcm": INDEXED,
    "pydicom-data/JLSL_RGB_ILV0.dcm": Reason.NO_SOP_UID,
    "pydicom-data/JLSL_RGB_ILV1.dcm": Reason.NO_SOP_UID,
    "pydicom-data/JLSL_RGB_ILV2.dcm": Reason.NO_SOP_UID,
    "pydicom-data/JLSN_RGB_ILV0.dcm": Reason.NO_SOP_UID,
    "pydicom-data/OT-PAL-8-face.dcm": INDEXED,
    "pydicom-data/bad_sequence.dcm": Reason.UID_MALFORMED,
    "pydicom-data/emri_small_jpeg_2k_lossless_too_short.dcm": Reason.TRUNCATED,
    "pydicom-data/explicit_VR-UN.dcm": INDEXED,
    "pydicom/ExplVR_BigEndNoMeta.dcm": INDEXED,
    "pydicom/ExplVR_LitEndNoMeta.dcm": INDEXED,
    "pydicom/J2K_pixelrep_mismatch.dcm": INDEXED,
    "pydicom/JPEG2000-embedded-sequence-delimiter.dcm": INDEXED,
    "pydicom/MR_small_padded.dcm": INDEXED,
    "pydicom/MR_truncated.dcm": Reason.TRUNCATED,
    "pydicom/SC_rgb_jpeg.dcm": INDEXED,
    "pydicom/UN_sequence.dcm": Reason.NO_SOP_UID,
    "pydicom/badVR.dcm": INDEXED,
    "pydicom/empty_charset_LEI.dcm": Reason.NO_SOP_UID,
    "pydicom/meta_missing_tsyntax.dcm": Reason.NO_SOP_UID,
    "pydicom/nested_priv_SQ.dcm": Reason.NO_SOP_UID,
    "pydicom/no_meta.dcm": Reason.BROKEN_CODING,
    "pydicom/no_meta_group_length.dcm": Reason.NO_SOP_UID,
    "pydicom/priv_SQ.dcm": Reason.NO_SOP_UID,
    "pydicom/reportsi_with_empty_number_tags.dcm": INDEXED,
    "pydicom/rtplan_truncated.dcm": Reason.TRUNCATED,
    "pydicom/rtstruct.dcm": INDEXED,
    "pynetdicom/CTImageStorage_bad_meta.dcm": INDEXED,
}


class InMemory:
    """A spool of one record, which notes how much was read of it at once."""

    def __init__(self, octets: bytes) -> None:
        self.octets = octets
        self.longest = 0

    def read(self, _name: str, *, offset: int, length: int) -> Iterator[bytes]:
        self.longest = max(self.longest, length)
        for at in range(offset, offset + length, 1 << 20):
            yield self.octets[at : min(at + (1 << 20), offset + length)]


def scanned(one: WireObject) -> Header:
    octets, record = stored(one)
    return read_header(octets, measured_at(octets, record), record.envelope)


def stored(one: WireObject) -> tuple[Octets, Record]:
    meta = file_meta(
        sop_class_uid=one.sop_class_uid,
        sop_instance_uid=one.sop_instance_uid,
        transfer_syntax=one.transfer_syntax,
        calling_ae="CT1",
        called_ae="RXA",
    )
    spool = InMemory(meta + octets_of(one))
    said = envelope(one, at=MovedClock().now())
    record = Record(RecordKind.DICOM, said, offset=0, length=len(spool.octets), sequence=1)
    return Octets(spool, None), record  # type: ignore[arg-type]


def held_as(one: WireObject) -> Reason | str:
    try:
        scanned(one)
    except DataSetUnreadable as error:
        return reason_of(error)
    return INDEXED


def altered(octets: bytes, one: WireObject | None = None) -> WireObject:
    base = one or sent(image())
    return WireObject(base.sop_class_uid, base.sop_instance_uid, base.transfer_syntax, octets)


@needs_corpus
def test_each_malformed_file_is_indexed_or_held_for_a_reason() -> None:
    found = {
        one.name.removeprefix("malformed/"): held_as(one.on_the_wire().wire_object)
        for one in corpus_files()
        if one.malformed
    }
    for name, decision in sorted(found.items()):
        print(f"{name:75} {decision}")
    assert found == MALFORMED


@needs_corpus
def test_the_header_is_what_pydicom_reads() -> None:
    compared = 0
    for one in corpus_files():
        wire = one.on_the_wire().wire_object
        if held_as(wire) == INDEXED and one.pydicom == "ok":
            assert_like_pydicom(scanned(wire), one.path)
            compared += 1
    assert compared > 880


def assert_like_pydicom(header: Header, path: Path) -> None:
    with warnings.catch_warnings(action="ignore"):
        data_set = pydicom.dcmread(path, force=True, stop_before_pixels=True)
        for field in fields(header):
            value = data_set.get(field.name)
            several = isinstance(value, pydicom.multival.MultiValue)
            text = "\\".join(map(str, value)) if several else str("" if value is None else value)
            held = getattr(header, field.name)
            assert _same(held, text), (path, field.name)


def _same(held: str, text: str) -> bool:
    """Numbers of IS are their characters here: +1 and 1.0 are what pydicom makes 1 of."""
    with contextlib.suppress(ValueError):
        return float(held) == float(text)
    return held == text.strip()


@pytest.mark.parametrize("syntax", [IMPLICIT, EXPLICIT, BIG_ENDIAN, DEFLATED, JPEG_LOSSLESS])
def test_every_coding_is_read(syntax: str) -> None:
    header = scanned(sent(image(SeriesDescription="Thorax"), syntax))
    assert (header.PatientID, header.SeriesDescription) == ("100", "Thorax")


@pytest.mark.parametrize("syntax", [IMPLICIT, EXPLICIT, BIG_ENDIAN, DEFLATED, JPEG_LOSSLESS])
def test_a_data_set_cut_inside_an_element_is_never_indexed(syntax: str) -> None:
    whole, octets = sent(image(), syntax), coded(image(), syntax)
    unseen = cuts_that_cannot_be_seen(octets, syntax)
    for length in set(range(8, len(octets) - 1)) - unseen:
        assert held_as(altered(octets[:length], whole)) != INDEXED, length


def cuts_that_cannot_be_seen(octets: bytes, syntax: str) -> set[int]:
    """Between elements, since nothing says how many there are, and behind zeros: padding."""
    if syntax == DEFLATED:
        return set()
    source = Plain(io.BytesIO(octets), len(octets))
    ends = [element.end for element in elements(source, form_of(syntax))]
    return {end + more for end in ends for more in range(8) if not any(octets[end : end + more])}


def test_padding_behind_the_data_set_is_no_damage() -> None:
    padded = image()
    padded.add_new(0xFFFCFFFC, "OB", b"\0" * 10)
    assert held_as(sent(padded)) == INDEXED
    assert held_as(altered(coded(image()) + bytes(5))) == INDEXED
    assert held_as(altered(coded(image()) + b"\1\2\3")) == Reason.TRUNCATED


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ({"SOPInstanceUID": ""}, Reason.NO_SOP_UID),
        ({"StudyInstanceUID": ""}, Reason.NO_STUDY_UID),
        ({"SeriesInstanceUID": ""}, Reason.NO_SERIES_UID),
        ({"StudyInstanceUID": "1.2.x"}, Reason.UID_MALFORMED),
        ({"SeriesInstanceUID": "1" * 65}, Reason.UID_MALFORMED),
    ],
)
def test_a_data_set_without_usable_uids_is_held(header: dict[str, Any], reason: Reason) -> None:
    with warnings.catch_warnings(action="ignore"):
        octets = coded(image(**header))
    assert held_as(altered(octets)) == reason


@pytest.mark.parametrize("uid", ["../../etc/passwd", "1" * 65, "1.2.999"])
def test_uids_unlike_the_command_are_held(uid: str) -> None:
    one = sent(image())
    said = WireObject(one.sop_class_uid, uid, one.transfer_syntax, octets_of(one))
    assert held_as(said) == Reason.UID_UNLIKE_COMMAND


def test_a_uid_that_the_command_shares_is_held_when_it_is_no_uid() -> None:
    with warnings.catch_warnings(action="ignore"):
        assert held_as(sent(image("../../etc/passwd"))) == Reason.UID_MALFORMED


def test_padding_of_uids_is_no_difference() -> None:
    one = sent(image())
    padded = WireObject(
        one.sop_class_uid + "\0", one.sop_instance_uid + " ", one.transfer_syntax, octets_of(one)
    )
    assert scanned(padded).SOPInstanceUID == "1.2.3.1.1"


def test_octets_that_are_no_data_set_are_held() -> None:
    assert held_as(altered(b"GIF89a" + bytes(range(256)))) == Reason.BROKEN_CODING
    assert held_as(altered(b"")) == Reason.NO_SOP_UID


def test_a_syntax_that_is_no_uid_is_held() -> None:
    one = sent(image())
    said = WireObject(one.sop_class_uid, one.sop_instance_uid, "JPEG", octets_of(one))
    assert held_as(said) == Reason.BROKEN_CODING


def test_text_is_read_in_the_character_set_of_the_object() -> None:
    latin = scanned(sent(image(SpecificCharacterSet="ISO_IR 100", PatientName="Müller^José")))
    greek = scanned(sent(image(SpecificCharacterSet="ISO_IR 126", StudyDescription="Θώρακας")))
    unicode = scanned(sent(image(SpecificCharacterSet="ISO_IR 192", PatientName="王^小東")))
    assert latin.PatientName == "Müller^José"
    assert greek.StudyDescription == "Θώρακας"
    assert unicode.PatientName == "王^小東"


def test_an_unknown_character_set_keeps_nothing_from_the_index() -> None:
    header = scanned(sent(image(SpecificCharacterSet="ISO_IR 999", PatientName="Doe^Jane")))
    assert header.PatientName == "Doe^Jane"


def test_a_patient_number_that_no_row_can_hold_is_none() -> None:
    with warnings.catch_warnings(action="ignore"):
        assert scanned(sent(image(PatientID="9" * 65))).PatientID == ""
        assert scanned(sent(image(PatientID="9" * 64))).PatientID == "9" * 64


@pytest.mark.parametrize(
    "keyword",
    ["AccessionNumber", "BodyPartExamined", "Modality", "SeriesNumber", "StudyID", "StudyTime"],
)
def test_a_key_that_no_message_to_the_centre_can_hold_is_none(keyword: str) -> None:
    header: dict[str, Any] = {keyword: "9" * 65}
    with warnings.catch_warnings(action="ignore"):
        assert getattr(scanned(sent(image(**header))), keyword) == ""


def test_sequences_nested_without_end_are_held() -> None:
    sequence = bytes.fromhex("400030a753510000ffffffff")
    item = bytes.fromhex("feff00e0ffffffff")
    assert held_as(altered(coded(image()) + (sequence + item) * 80)) == Reason.BROKEN_CODING


def test_a_deflated_stream_that_is_broken_or_cut_is_held() -> None:
    whole = sent(report(), DEFLATED)
    octets = coded(report(), DEFLATED)
    assert held_as(whole) == INDEXED
    assert held_as(altered(octets[: len(octets) // 2], whole)) != INDEXED
    assert held_as(altered(b"\xff" * 100, whole)) == Reason.BROKEN_CODING


def test_memory_does_not_grow_with_the_object() -> None:
    large = image()
    large.Rows, large.Columns = 4096, 1024
    large.PixelData = bytes(8 * 1024 * 1024)
    octets, record = stored(sent(large))
    read_header(octets, measured_at(octets, record), record.envelope)
    spool = octets.spool
    assert isinstance(spool, InMemory)
    spool.longest = 0
    read_header(octets, measure_known(record), record.envelope)
    assert spool.longest <= 64 * 1024


def measure_known(record: Record) -> Measured:
    octets, same = stored(sent(image()))
    measured = measured_at(octets, same)
    offset = measured.location.data_set_offset
    return Measured(Loose("", 0, record.length, offset), b"", record.length - offset)
