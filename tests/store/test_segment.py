"""The octets of a segment, fixed for every segment that lies on a disk."""

import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from archive.errors import TornRecord
from archive.store.bodies import scan
from archive.store.segment import (
    ENVELOPE_LIMIT,
    Envelope,
    Record,
    RecordKind,
    is_segment_name,
    record_parts,
    segment_head,
    segment_name,
)
from tests.store.examples import ENVELOPE

NAME = segment_name(created_ms=1709209815123, chance=0x0123456789ABCDEF)
OTHER_NAME = segment_name(created_ms=1709209815123, chance=0x0123456789ABCDEE)

GOLDEN_ENVELOPE = (
    b'{"arrived_ms":1709209815123,"association":"a-1","called_ae":"RXA","calling_ae":"CT1",'
    b'"context_id":3,"peer":"192.0.2.7:50123","sop_class_uid":"1.2.840.10008.5.1.4.1.1.2",'
    b'"sop_instance_uid":"1.2.3.4","transfer_syntax":"1.2.840.10008.1.2.1"}'
)
GOLDEN_SEGMENT = (
    bytes.fromhex("524953534547310a 5308d8f48d010000 efcdab8967452301 00000000 f0ec0d5f")
    + bytes.fromhex("52524543 01 01 0000 ee000000 0300000000000000 01000000 cda443be")
    + GOLDEN_ENVELOPE
    + b"abc"
    + bytes.fromhex("c2412435 01000000 52434f4d4d49540a")
)


def octets_of(*bodies: bytes, name: str = NAME) -> bytes:
    records = (
        part
        for at, body in enumerate(bodies, start=1)
        for part in record_parts(
            name=name,
            sequence=at,
            kind=RecordKind.DICOM,
            envelope=ENVELOPE.encoded(),
            body=[body],
        )
    )
    return segment_head(name) + b"".join(records)


def scanned(path: Path, octets: bytes) -> Iterator[Record]:
    path.write_bytes(octets)
    with path.open("rb", buffering=0) as file:
        yield from scan(io.BufferedReader(file), NAME)


def test_a_segment_has_the_octets_it_has_always_had() -> None:
    assert NAME == "0000018df4d808530123456789abcdef"
    assert octets_of(b"abc") == GOLDEN_SEGMENT


def test_a_record_comes_back_as_it_was_given(tmp_path: Path) -> None:
    first, second = scanned(tmp_path / "s", octets_of(b"abc", b""))
    assert first.kind is RecordKind.DICOM
    assert first.envelope == ENVELOPE
    assert (first.length, first.sequence) == (3, 1)
    assert GOLDEN_SEGMENT[first.offset : first.offset + first.length] == b"abc"
    assert (second.length, second.sequence) == (0, 2)


def test_a_body_in_many_parts_is_one_body() -> None:
    parts = record_parts(
        name=NAME,
        sequence=1,
        kind=RecordKind.DICOM,
        envelope=ENVELOPE.encoded(),
        body=[b"a", memoryview(b"b"), bytearray(b"c")],
    )
    assert segment_head(NAME) + b"".join(parts) == GOLDEN_SEGMENT


@given(at=st.integers(0, len(octets_of(b"abc", b"defg")) - 1), bit=st.integers(0, 7))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_flipped_bit_goes_unseen(tmp_path: Path, at: int, bit: int) -> None:
    octets = bytearray(octets_of(b"abc", b"defg"))
    octets[at] ^= 1 << bit
    with pytest.raises(TornRecord):
        list(scanned(tmp_path / "s", bytes(octets)))


@given(length=st.integers(0, len(octets_of(b"abc", b"defg")) - 1))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_segment_cut_anywhere_gives_only_what_is_whole(tmp_path: Path, length: int) -> None:
    whole = [len(GOLDEN_SEGMENT)] if length >= len(GOLDEN_SEGMENT) else []
    found = []
    if length in (32, len(GOLDEN_SEGMENT)):
        found = list(scanned(tmp_path / "s", octets_of(b"abc", b"defg")[:length]))
    else:
        with pytest.raises(TornRecord):
            found.extend(scanned(tmp_path / "s", octets_of(b"abc", b"defg")[:length]))
    assert [record.end for record in found] == whole


def test_a_record_of_another_segment_does_not_verify(tmp_path: Path) -> None:
    octets = segment_head(NAME) + octets_of(b"abc", name=OTHER_NAME)[32:]
    with pytest.raises(TornRecord):
        list(scanned(tmp_path / "s", octets))


def test_a_segment_under_another_name_does_not_verify(tmp_path: Path) -> None:
    with pytest.raises(TornRecord):
        list(scanned(tmp_path / "s", octets_of(b"abc", name=OTHER_NAME)))


def test_a_record_that_promises_more_than_the_file_has_is_torn(tmp_path: Path) -> None:
    octets = octets_of(b"abc" * 1000)[:-20]
    with pytest.raises(TornRecord):
        list(scanned(tmp_path / "s", octets))


hostile = st.text(st.characters(exclude_categories=[]), max_size=3000)


@given(text=hostile)
def test_whatever_text_a_peer_sends_an_envelope_holds_it_within_its_limit(text: str) -> None:
    octets = replace(ENVELOPE, sop_instance_uid=text, calling_ae=text, peer=text).encoded()
    assert len(octets) <= ENVELOPE_LIMIT
    decoded = Envelope.decoded(octets)
    assert decoded.sop_instance_uid == text[:1024].encode("utf-8", "replace").decode()


def test_the_worst_envelope_stays_within_its_limit() -> None:
    worst = "\0" * 5000
    octets = Envelope(worst, 255, worst, worst, worst, ENVELOPE.arrived_at, worst, worst, worst)
    assert len(octets.encoded()) <= ENVELOPE_LIMIT


@pytest.mark.parametrize(
    "name", ["", "x", NAME.upper(), NAME + "0", "../" + NAME[3:], NAME[:-1] + "\n", NAME + "\n"]
)
def test_no_other_name_is_a_segment(name: str) -> None:
    assert not is_segment_name(name)


def test_names_sort_by_the_time_of_creation() -> None:
    names = [segment_name(created_ms=at, chance=2**64 - at) for at in (1, 99, 2**32, 2**48)]
    assert names == sorted(names)
