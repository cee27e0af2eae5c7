"""The scanner for ordinary objects finds what the careful walk finds, or leaves it to that."""

import contextlib
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.charset import decode_bytes, python_encoding
from pydicom.multival import MultiValue
from pydicom.valuerep import TEXT_VR_DELIMS
from pydicom.values import convert_PN, convert_text

from archive.errors import DataSetUnreadable
from archive.index.header import Header
from archive.intake import header, scan
from archive.intake.coding import Plain, form_of
from archive.intake.elements import elements
from archive.intake.fast_scan import find_elements
from archive.intake.reasons import Reason, reason_of
from archive.intake.scan import read_header
from archive.intake.window import opened_data_set
from archive.view import decoding
from archive.view.decoding import decoded, encodings_of, keeps_ascii
from deploy.demo.wire_object import WireObject
from tests.intake.house import measured_at, octets_of
from tests.intake.real_objects import lying, quietly, real_objects, said_of, spoiled
from tests.intake.samples import EXPLICIT, IMPLICIT, JPEG_LOSSLESS, image, report, sent
from tests.intake.test_scan import stored

CHARACTER_SETS = st.lists(st.sampled_from(sorted(python_encoding)), max_size=3).map(
    lambda terms: "\\".join(terms).encode()
)


def read(one: WireObject) -> Header | Reason:
    octets, measured = lying(octets_of(one))
    try:
        return read_header(octets, measured, said_of(one))
    except DataSetUnreadable as error:
        return reason_of(error)


def read_carefully(one: WireObject) -> Header | Reason:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scan, "find_elements", lambda *_, **__: None)
        patch.setattr(decoding, "is_plain", lambda _: False)
        return read(one)


def found_in(one: WireObject) -> list[tuple[int, bytes, int, int]] | None:
    octets = octets_of(one)
    found = find_elements(octets, size=len(octets), transfer_syntax=one.transfer_syntax)
    if found is None:
        return None
    return [(tag, vr, value_at, end) for tag, vr, _, value_at, end in found.found]


def walked(one: WireObject) -> list[tuple[int, bytes, int, int]]:
    octets, measured = lying(octets_of(one))
    with opened_data_set(octets, measured.location) as stream:
        source = Plain(stream, measured.size)
        return [
            (element.tag, element.vr, element.value_at, element.end)
            for element in elements(source, form_of(one.transfer_syntax))
        ]


def test_real_files_give_the_same_header_or_reason_as_the_careful_walk() -> None:
    with quietly():
        for name, one in real_objects():
            assert read(one) == read_carefully(one), name


def test_real_files_have_the_elements_that_the_careful_walk_finds() -> None:
    counts = [0, 0]
    for name, one in real_objects():
        found = found_in(one)
        counts[found is None] += 1
        assert found is None or found == walked(one), name
    assert counts[0] > 5 * counts[1]


@settings(derandomize=True, max_examples=400, deadline=None)
@given(spoiled())
def test_spoiled_objects_give_the_same_header_or_reason_as_the_careful_walk(
    one: WireObject,
) -> None:
    with quietly():
        assert read(one) == read_carefully(one)
        found = found_in(one)
        assert found is None or found == walked(one)


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, JPEG_LOSSLESS])
def test_ordinary_objects_are_not_walked_over(syntax: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan, "elements", None)
    image_read, report_read = read(sent(image(), syntax)), read(sent(report(), syntax))
    assert isinstance(image_read, Header)
    assert isinstance(report_read, Header)


def test_what_is_measured_of_a_record_needs_no_second_reading() -> None:
    one = sent(image(SeriesDescription="Thorax"))
    octets, record = stored(one)
    measured = measured_at(octets, record)
    unreadable, _ = lying(b"")
    assert bytes(measured.head) == octets_of(one)
    assert read_header(unreadable, measured, record.envelope).SeriesDescription == "Thorax"


def test_a_value_behind_the_first_chunk_is_found_all_the_same() -> None:
    large = image(SeriesDescription="Thorax", ImageComments="x" * 5000)
    large.add_new(0x00090010, "LO", "HERE")
    large.add_new(0x00091001, "OB", bytes(200_000))
    read_at_last = read(sent(large))
    assert isinstance(read_at_last, Header)
    assert read_at_last.SeriesInstanceUID == "1.2.3.1"


@pytest.mark.parametrize("term", sorted(python_encoding))
@settings(derandomize=True, max_examples=60, deadline=None)
@given(st.text(st.characters(max_codepoint=127, exclude_characters="\x1b"), max_size=40))
def test_ascii_is_read_as_the_character_set_has_it(term: str, text: str) -> None:
    octets, encodings = text.encode(), encodings_of(term.encode())
    with quietly():
        assert decoded(octets, term.encode()) == decode_bytes(octets, encodings, TEXT_VR_DELIMS)


@settings(derandomize=True, max_examples=300, deadline=None)
@given(st.binary(max_size=30), st.one_of(st.binary(max_size=20), CHARACTER_SETS))
def test_text_is_read_as_pydicom_reads_it(octets: bytes, character_set: bytes) -> None:
    encodings = list(encodings_of(character_set))
    with quietly(), contextlib.suppress(LookupError, ValueError):
        text = convert_text(octets, encodings)
        assert header._text(octets, character_set) == joined(text)
        name = convert_PN(octets, encodings)
        assert header._name(octets, character_set) == joined(name)


def joined(value: object) -> str:
    return "\\".join(map(str, value)) if isinstance(value, MultiValue) else str(value)


@pytest.mark.parametrize(
    "character_set", [b"ISO 2022 IR 87", b"hex", b"undefined", b"a\0b", b"\xe9"]
)
def test_no_character_set_keeps_an_object_from_the_index(character_set: bytes) -> None:
    values = {
        0x00080005: character_set,
        0x00080016: b"1.2",
        0x00080018: b"1.2.3",
        0x0020000D: b"1.2.4",
        0x0020000E: b"1.2.5",
        0x00081030: b"Thorax \x1b-A\xe9",
        0x00100020: b"100",
    }
    assert header.header_of(values).PatientID == "100"


def test_only_character_sets_known_to_keep_ascii_count_as_such() -> None:
    assert keeps_ascii(b"")
    assert keeps_ascii(b"ISO_IR 100")
    assert keeps_ascii(b"\\ISO 2022 IR 87")
    assert not keeps_ascii(b"utf-7")
    assert not keeps_ascii(b"utf-16")
    assert not keeps_ascii(b"unicode_escape")


def test_headers_survive_anything() -> None:
    chance = random.Random(5)
    for _ in range(300):
        octets = chance.randbytes(chance.randrange(200))
        one = WireObject("1.2.3", "1.2.3.4", chance.choice((EXPLICIT, IMPLICIT)), octets)
        with quietly():
            assert read(one) == read_carefully(one)
