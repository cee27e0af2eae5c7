"""Segments read once: every body as it was appended, and nothing that does not verify."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archive.errors import TornRecord
from archive.store import bodies as bodies_module
from archive.store.segment import CHUNK, RecordKind
from archive.store.spool import SpoolReader
from tests.store.examples import envelope, real_spool

SMALL_CHUNK, SMALL_FIRST = 4096, 1024


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies_module, "CHUNK", SMALL_CHUNK)
    monkeypatch.setattr(bodies_module, "FIRST", SMALL_FIRST)


def segment(directory: Path, *parts: bytes) -> tuple[SpoolReader, str]:
    writer = real_spool(directory).writer()
    for part in parts:
        writer.append(RecordKind.DICOM, envelope(), [part])
    writer.hand_over()
    reader = SpoolReader(directory)
    return reader, reader.ready()[-1]


def taken(reader: SpoolReader, name: str, *, after: int = 0) -> Iterator[tuple[int, bytes]]:
    for body in reader.bodies(name, after=after):
        yield body.record.sequence, b"".join(body.chunks)


def filled(number: int, size: int) -> bytes:
    return bytes((at * 31 + number) % 251 for at in range(size))


@given(sizes=st.lists(st.integers(0, 3 * SMALL_CHUNK), min_size=1, max_size=12))
@settings(deadline=None, max_examples=60)
def test_bodies_of_every_size_come_as_they_were_appended(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int]
) -> None:
    parts = [filled(number, size) for number, size in enumerate(sizes)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bodies_module, "CHUNK", SMALL_CHUNK)
        patch.setattr(bodies_module, "FIRST", SMALL_FIRST)
        reader, name = segment(tmp_path_factory.mktemp("spool"), *parts)
        assert list(taken(reader, name)) == list(enumerate(parts, start=1))
        for body in reader.bodies(name):
            chunks = list(body.chunks)
            assert all(len(chunk) <= SMALL_CHUNK for chunk in chunks)
            assert all(len(chunk) >= SMALL_FIRST for chunk in chunks[:-1])


def test_what_was_taken_before_is_not_read_again(tmp_path: Path, small: None) -> None:
    reader, name = segment(tmp_path, *(filled(number, 5000) for number in range(4)))
    path = tmp_path / f"{name}.ready"
    octets = bytearray(path.read_bytes())
    octets[octets.index(filled(0, 5000)[:100]) + 50] ^= 1
    path.write_bytes(octets)
    assert [number for number, _ in taken(reader, name, after=1)] == [2, 3, 4]
    with pytest.raises(TornRecord):
        list(taken(reader, name))


def test_a_body_that_was_not_taken_is_verified_all_the_same(tmp_path: Path) -> None:
    reader, name = segment(tmp_path, filled(1, 2 * CHUNK), b"next")
    assert [body.record.length for body in reader.bodies(name)] == [2 * CHUNK, 4]
    path = tmp_path / f"{name}.ready"
    octets = bytearray(path.read_bytes())
    octets[CHUNK] ^= 1
    path.write_bytes(octets)
    with pytest.raises(TornRecord):
        list(reader.bodies(name))


@given(at=st.integers(0), bit=st.integers(0, 7))
@settings(deadline=None, max_examples=200)
def test_behind_one_flipped_bit_nothing_is_given_out_as_verified(
    tmp_path_factory: pytest.TempPathFactory, at: int, bit: int
) -> None:
    parts = [filled(number, 700) for number in range(3)]
    directory = tmp_path_factory.mktemp("spool")
    reader, name = segment(directory, *parts)
    path = directory / f"{name}.ready"
    octets = bytearray(path.read_bytes())
    octets[at % len(octets)] ^= 1 << bit
    path.write_bytes(octets)
    verified: list[tuple[int, bytes]] = []
    with pytest.raises(TornRecord):
        verified.extend(taken(reader, name))
    for number, octets_taken in verified:
        assert octets_taken == parts[number - 1]


@given(length=st.integers(0))
@settings(deadline=None, max_examples=100)
def test_a_segment_cut_anywhere_is_told_from_a_whole_one(
    tmp_path_factory: pytest.TempPathFactory, length: int
) -> None:
    directory = tmp_path_factory.mktemp("spool")
    reader, name = segment(directory, *(filled(number, 300) for number in range(3)))
    path = directory / f"{name}.ready"
    whole = path.read_bytes()
    ends = [body.record.end for body in reader.bodies(name)]
    length %= len(whole)
    path.write_bytes(whole[:length])
    verified: list[int] = []
    try:
        verified.extend(number for number, _ in taken(reader, name))
    except TornRecord:
        assert length not in ends
    else:
        assert length in ends or length == 32
