"""Segments on a real disk: handed over, read, recovered, deleted."""

import fcntl
from collections.abc import Iterator
from pathlib import Path

import pytest

from archive.errors import NotFound, StorageFailed, TornRecord
from archive.store.segment import CHUNK, HEAD_LENGTH, RecordKind
from archive.store.spool import Spool, SpoolReader
from tests.store.examples import envelope, real_spool

HOSTILE_NAMES = ["../../etc/passwd", "/etc/passwd", "", ".", "x" * 500, "a\0b", "é" * 32]


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return real_spool(tmp_path / "deep" / "spool")


@pytest.fixture
def reader(tmp_path: Path, spool: Spool) -> SpoolReader:
    return SpoolReader(tmp_path / "deep" / "spool")


@pytest.fixture
def directory(tmp_path: Path, spool: Spool) -> Path:
    return tmp_path / "deep" / "spool"


def bodies(reader: SpoolReader, name: str) -> list[bytes]:
    return [
        b"".join(reader.read(name, offset=record.offset, length=record.length))
        for record in reader.records(name)
    ]


def handed_over(spool: Spool, *parts: bytes) -> None:
    writer = spool.writer()
    for part in parts:
        writer.append(RecordKind.DICOM, envelope(), [part])
    writer.hand_over()


def orphan(directory: Path, spool: Spool, *parts: bytes) -> Path:
    """Leave a segment as a writer leaves it that died."""
    handed_over(spool, *parts)
    (ready,) = directory.glob("*.ready")
    return ready.rename(ready.with_suffix(".open"))


def test_what_was_appended_is_read_when_it_was_handed_over(
    spool: Spool, reader: SpoolReader
) -> None:
    writer = spool.writer()
    writer.append(RecordKind.DICOM, envelope("1.2"), [b"pre", memoryview(b"data")])
    writer.append(RecordKind.HL7, envelope("MSG1"), [b"MSH|"])
    assert reader.ready() == []
    writer.hand_over()
    (name,) = reader.ready()
    first, second = reader.records(name)
    assert (first.kind, first.envelope.sop_instance_uid) == (RecordKind.DICOM, "1.2")
    assert (second.kind, second.envelope.sop_instance_uid) == (RecordKind.HL7, "MSG1")
    assert bodies(reader, name) == [b"predata", b"MSH|"]


def test_a_body_of_thousands_of_parts_is_written_whole(spool: Spool, reader: SpoolReader) -> None:
    writer = spool.writer()
    writer.append(RecordKind.DICOM, envelope(), [b"%05d" % at for at in range(5000)])
    writer.hand_over()
    (name,) = reader.ready()
    assert bodies(reader, name) == [b"".join(b"%05d" % at for at in range(5000))]


def test_ready_segments_come_oldest_first(spool: Spool, reader: SpoolReader) -> None:
    for _ in range(5):
        handed_over(spool, b"x")
    assert reader.ready() == sorted(reader.ready())
    assert len(reader.ready()) == 5


def test_a_large_body_is_read_in_chunks_of_at_most_a_mebibyte(
    spool: Spool, reader: SpoolReader
) -> None:
    body = bytes(range(256)) * (3 * CHUNK // 256) + b"end"
    handed_over(spool, body)
    (name,) = reader.ready()
    (record,) = reader.records(name)
    chunks = list(reader.read(name, offset=record.offset, length=record.length))
    assert b"".join(chunks) == body
    assert max(len(chunk) for chunk in chunks) == CHUNK


def test_a_range_outside_the_segment_is_said_at_the_call(spool: Spool, reader: SpoolReader) -> None:
    handed_over(spool, b"abc")
    (name,) = reader.ready()
    with pytest.raises(TornRecord):
        reader.read(name, offset=0, length=10_000)


@pytest.mark.parametrize("name", [*HOSTILE_NAMES, "0" * 32])
def test_no_other_name_is_found(reader: SpoolReader, name: str) -> None:
    with pytest.raises(NotFound):
        reader.read(name, offset=0, length=1)
    with pytest.raises(NotFound):
        reader.records(name)


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_no_other_name_is_deleted(reader: SpoolReader, name: str) -> None:
    with pytest.raises(NotFound):
        reader.delete(name)


def test_a_deleted_segment_is_gone_and_deleting_it_again_is_no_error(
    spool: Spool, reader: SpoolReader
) -> None:
    handed_over(spool, b"abc")
    (name,) = reader.ready()
    reader.delete(name)
    reader.delete(name)
    assert reader.ready() == []


def test_files_of_others_are_not_taken_for_segments(directory: Path, reader: SpoolReader) -> None:
    (directory / "notes.ready").write_bytes(b"x")
    (directory / "notes.open").write_bytes(b"x")
    assert reader.ready() == []
    assert reader.recover() == []
    assert (directory / "notes.open").exists()


def test_a_directory_that_is_not_there_yet_has_no_segments(tmp_path: Path) -> None:
    assert SpoolReader(tmp_path / "none").ready() == []
    assert SpoolReader(tmp_path / "none").recover() == []


def test_the_segment_of_a_living_writer_is_never_touched(
    spool: Spool, reader: SpoolReader, directory: Path
) -> None:
    writer = spool.writer()
    writer.append(RecordKind.DICOM, envelope(), [b"abc"])
    (path,) = directory.glob("*.open")
    before = path.read_bytes()
    assert reader.recover() == []
    assert path.read_bytes() == before
    writer.append(RecordKind.DICOM, envelope(), [b"def"])
    writer.hand_over()
    assert bodies(reader, *reader.ready()) == [b"abc", b"def"]


def test_the_segment_of_a_dead_writer_is_handed_over(
    spool: Spool, reader: SpoolReader, directory: Path
) -> None:
    orphan(directory, spool, b"abc", b"def")
    (recovery,) = reader.recover()
    assert (recovery.records, recovery.cut, recovery.damaged) == (2, 0, False)
    assert bodies(reader, recovery.name) == [b"abc", b"def"]
    assert reader.recover() == []


@pytest.mark.parametrize("kept", [0, 1, 7, 40, 300])
def test_a_torn_last_record_is_cut(
    spool: Spool, reader: SpoolReader, directory: Path, kept: int
) -> None:
    path = orphan(directory, spool, b"abc", b"d" * 1000)
    whole = path.read_bytes()
    end = whole.index(b"RREC", HEAD_LENGTH + 1)
    path.write_bytes(whole[: end + kept])
    (recovery,) = reader.recover()
    assert (recovery.records, recovery.cut, recovery.damaged) == (1, kept, False)
    assert bodies(reader, recovery.name) == [b"abc"]
    assert (directory / f"{recovery.name}.ready").stat().st_size == end
    assert not list(directory.glob("*.damaged"))


@pytest.mark.parametrize("octets", [b"", b"RISSEG1\n", bytes(4096), b"\xff" * 100])
def test_a_segment_without_a_whole_record_is_removed(
    spool: Spool, reader: SpoolReader, directory: Path, octets: bytes
) -> None:
    path = orphan(directory, spool, b"abc")
    path.write_bytes(octets)
    (recovery,) = reader.recover()
    assert (recovery.records, recovery.damaged) == (0, False)
    assert list(directory.iterdir()) == []


def test_a_damaged_record_among_whole_ones_is_kept_for_a_person(
    spool: Spool, reader: SpoolReader, directory: Path
) -> None:
    path = orphan(directory, spool, b"abc", b"def", b"ghi")
    octets = bytearray(path.read_bytes())
    octets[octets.index(b"def")] ^= 1
    path.write_bytes(octets)
    (recovery,) = reader.recover()
    assert (recovery.records, recovery.damaged) == (1, True)
    assert bodies(reader, recovery.name) == [b"abc"]
    kept = (directory / f"{recovery.name}.damaged").read_bytes()
    assert octets.endswith(kept)
    assert b"ghi" in kept
    assert len(kept) == recovery.cut


def test_a_segment_of_a_later_format_is_left_alone(
    spool: Spool, reader: SpoolReader, directory: Path
) -> None:
    path = orphan(directory, spool, b"abc")
    path.write_bytes(b"RISSEG2\n" + path.read_bytes()[8:])
    assert reader.recover() == []
    assert path.exists()


def test_one_segment_that_cannot_be_recovered_does_not_keep_the_others_back(
    spool: Spool, reader: SpoolReader, directory: Path
) -> None:
    path = orphan(directory, spool, b"abc")
    broken = path.with_name("0" * 32 + ".open")
    broken.mkdir()
    with pytest.raises(StorageFailed):
        reader.recover()
    assert len(reader.ready()) == 1


def test_a_ready_segment_that_the_disk_harmed_says_so_after_its_whole_records(
    spool: Spool, reader: SpoolReader, directory: Path
) -> None:
    handed_over(spool, b"abc", b"def")
    (path,) = directory.glob("*.ready")
    octets = bytearray(path.read_bytes())
    octets[octets.index(b"def")] ^= 1
    path.write_bytes(octets)
    records: Iterator[object] = reader.records(path.stem)
    next(records)
    with pytest.raises(TornRecord):
        next(records)


def test_a_file_that_recovery_took_first_is_given_up_by_the_writer_for_another(
    spool: Spool, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flock = fcntl.flock
    taken: list[Path] = []

    def recovery_is_faster(descriptor: int, operation: int) -> None:
        if not taken:
            taken.append(next(directory.glob("*.open")))
            taken[0].unlink()
        flock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", recovery_is_faster)
    spool.writer().append(RecordKind.DICOM, envelope(), [b"abc"])
    (path,) = directory.glob("*.open")
    assert path != taken[0]
