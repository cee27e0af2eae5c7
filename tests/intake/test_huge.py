"""Objects of gigabytes: taken in, compared and sealed in memory that does not grow with them.

Their pixels are holes in sparse files, so that they cost no disk.
"""

import struct
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import pytest

from archive.clock import milliseconds
from archive.store import durable
from archive.store.part10 import file_meta
from archive.store.segment import (
    CHUNK,
    RecordKind,
    record_header,
    record_trailer,
    segment_head,
    segment_name,
)
from deploy.demo.wire_object import WireObject
from tests.intake.house import Cold, envelope
from tests.intake.samples import BIG_ENDIAN, EXPLICIT, IMPLICIT, coded, identified

ENHANCED_CT = "1.2.840.10008.5.1.4.1.1.2.1"
FRAME = 512 * 512 * 2
BOUND = 120 * 1024 * 1024
"""Octets of resident memory that may come to what was there before."""
_HOLE = bytes(CHUNK)
_LENGTH = struct.Struct("I")


def head_of(sop: str, *, frames: int, syntax: str, **header: object) -> bytes:
    """Return the coded Data Set up to the value of its Pixel Data, which is all zeros."""
    data_set = identified(ENHANCED_CT, sop)
    data_set.NumberOfFrames, data_set.Rows, data_set.Columns = frames, 512, 512
    data_set.SamplesPerPixel, data_set.PhotometricInterpretation = 1, "MONOCHROME2"
    data_set.BitsAllocated, data_set.BitsStored, data_set.HighBit = 16, 12, 11
    data_set.PixelRepresentation = 0
    for keyword, value in header.items():
        setattr(data_set, keyword, value)
    data_set.PixelData = b""
    data_set["PixelData"].VR = "OW"
    order = ">" if syntax == BIG_ENDIAN else "<"
    return coded(data_set, syntax)[: -_LENGTH.size] + struct.pack(f"{order}I", frames * FRAME)


def store(cold: Cold, sop: str, *, frames: int, syntax: str = EXPLICIT, **header: object) -> None:
    """Leave a segment with one object as the receiver does, its pixels a hole in the file."""
    head = head_of(sop, frames=frames, syntax=syntax, **header)
    said = envelope(WireObject(ENHANCED_CT, sop, syntax, head), at=cold.clock.now())
    meta = file_meta(
        sop_class_uid=ENHANCED_CT,
        sop_instance_uid=sop,
        transfer_syntax=syntax,
        calling_ae=said.calling_ae,
        called_ae=said.called_ae,
    )
    name = segment_name(created_ms=milliseconds(cold.clock.now()), chance=frames)
    body_length = len(meta) + len(head) + frames * FRAME
    header_octets = record_header(
        name=name,
        sequence=1,
        kind=RecordKind.DICOM,
        envelope=said.encoded(),
        body_length=body_length,
    )
    with (cold.directory / "spool" / f"{name}.ready").open("wb") as file:
        file.write(segment_head(name) + header_octets + meta + head)
        file.seek(frames * FRAME, 1)
        file.write(record_trailer(checksum=checksum(meta + head, frames * FRAME), sequence=1))


def checksum(head: bytes, zeros: int) -> int:
    value = zlib.crc32(head)
    for at in range(0, zeros, len(_HOLE)):
        value = zlib.crc32(memoryview(_HOLE)[: zeros - at], value)
    return value


@contextmanager
def bounded() -> Iterator[None]:
    """Fail when the process's resident memory rose by more than the bound meanwhile."""
    Path("/proc/self/clear_refs").write_text("5")
    before = resident("VmRSS")
    yield
    assert resident("VmHWM") - before < BOUND


def resident(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) * 1024


def write_with_holes(file: BinaryIO, chunks: Iterable[bytes]) -> None:
    """Write as the store does, but cost no disk for zeros."""
    for chunk in chunks:
        if chunk == _HOLE[: len(chunk)]:
            file.seek(len(chunk), 1)
        else:
            file.write(chunk)
    file.truncate(file.tell())


def test_an_object_of_3_gb_is_taken_in_in_little_memory(cold: Cold) -> None:
    store(cold, "1.2.3.1.1", frames=3_000_000_000 // FRAME + 1)
    with bounded():
        cold.take_in()
    assert cold.answers() == {"Registered": 1}
    (row,) = cold.rows("instance")
    assert row["size"] > 3_000_000_000  # type: ignore[operator]


def test_a_huge_object_is_sealed_in_little_memory(
    cold: Cold, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(durable, "_write", write_with_holes)
    store(cold, "1.2.3.1.1", frames=500_000_000 // FRAME)
    cold.take_in()
    with bounded():
        cold.seal()
    assert [row["instance_count"] for row in cold.rows("pack")] == [1]
    assert (cold.number("instance"), cold.reader.ready()) == (0, [])


@pytest.mark.parametrize(
    ("answer", "syntax", "header"),
    [
        ("SameContent", IMPLICIT, {}),
        ("Revised", EXPLICIT, {"StudyDescription": "Other"}),
        ("SameContent", BIG_ENDIAN, {}),
    ],
    ids=["octets", "header", "frames"],
)
def test_huge_objects_are_compared_in_little_memory(
    cold: Cold, answer: str, syntax: str, header: dict[str, str]
) -> None:
    frames = 300_000_000 // FRAME
    store(cold, "1.2.3.1.1", frames=frames)
    cold.take_in()
    cold.clock.advance(1)
    store(cold, "1.2.3.1.1", frames=frames, syntax=syntax, **header)
    with bounded():
        cold.take_in()
    assert cold.answers() == {"Registered": 1, answer: 1}
