"""What a Success stands on, checked on a disk that tells what it was asked and in which order."""

from pathlib import Path

import pytest

from archive.errors import DiskFloorReached, StorageFailed
from archive.store.disk import Octets
from archive.store.segment import HEAD_LENGTH, RecordKind
from archive.store.spool import SegmentWriter, Spool
from tests.store.examples import FLOOR, FakeClock, envelope
from tests.store.simulated_disk import SimulatedDisk

BODY: list[Octets] = [b"preamble", memoryview(b"data set")]


def spool_on(disk: SimulatedDisk, *, rollover_bytes: int = 2**26) -> tuple[Spool, FakeClock]:
    clock = FakeClock()
    spool = Spool(
        Path("/spool"),
        disk=disk,
        clock=clock,
        floor_bytes=FLOOR,
        rollover_bytes=rollover_bytes,
    )
    disk.log.clear()
    return spool, clock


def store(writer: SegmentWriter) -> None:
    writer.append(RecordKind.DICOM, envelope(), BODY)


def operations(disk: SimulatedDisk) -> list[str]:
    return [operation for operation, _ in disk.log]


def test_the_first_append_returns_after_data_and_name_are_synced() -> None:
    disk = SimulatedDisk()
    spool, _ = spool_on(disk)
    store(spool.writer())
    assert operations(disk) == ["free_bytes", "create", "write", "sync", "sync_directory"]


def test_a_later_append_returns_after_its_data_is_synced() -> None:
    disk = SimulatedDisk()
    writer = spool_on(disk)[0].writer()
    store(writer)
    disk.log.clear()
    store(writer)
    assert operations(disk) == ["free_bytes", "write", "sync"]


def test_nothing_is_opened_before_something_is_stored() -> None:
    disk = SimulatedDisk()
    spool_on(disk)[0].writer()
    assert disk.log == []


def test_below_the_floor_not_one_byte_is_written() -> None:
    disk = SimulatedDisk(free=FLOOR + 10)
    writer = spool_on(disk)[0].writer()
    with pytest.raises(DiskFloorReached) as refused:
        store(writer)
    assert operations(disk) == ["free_bytes"]
    assert refused.value.facts["floor"] == FLOOR


def test_after_the_floor_is_free_again_the_same_segment_goes_on() -> None:
    disk = SimulatedDisk()
    writer = spool_on(disk)[0].writer()
    store(writer)
    disk.free = FLOOR
    with pytest.raises(DiskFloorReached):
        store(writer)
    disk.free = 2**40
    store(writer)
    assert operations(disk).count("create") == 1


@pytest.mark.parametrize("failing", [{"write"}, {"sync"}, {"sync", "truncate"}])
def test_a_failed_append_closes_the_segment_for_good_and_the_next_begins_a_new_one(
    failing: set[str],
) -> None:
    disk = SimulatedDisk()
    writer = spool_on(disk)[0].writer()
    store(writer)
    kept = disk.content(disk.names()[0])
    disk.failing = set(failing)
    with pytest.raises(StorageFailed):
        store(writer)
    first = disk.names()[0]
    if "truncate" not in failing:
        assert disk.content(first) == kept, "what was not acknowledged is dropped"
    disk.log.clear()
    store(writer)
    assert operations(disk) == ["free_bytes", "create", "write", "sync", "sync_directory"]
    assert all(name != first for operation, name in disk.log if operation != "free_bytes")


def test_a_failed_sync_is_not_tried_again() -> None:
    disk = SimulatedDisk()
    writer = spool_on(disk)[0].writer()
    disk.failing = {"sync"}
    with pytest.raises(StorageFailed):
        store(writer)
    assert operations(disk) == ["free_bytes", "create", "write", "sync", "truncate", "close"]


@pytest.mark.parametrize("failing", ["create", "sync_directory"])
def test_a_segment_that_cannot_begin_takes_nothing(failing: str) -> None:
    disk = SimulatedDisk()
    writer = spool_on(disk)[0].writer()
    disk.failing = {failing}
    with pytest.raises(StorageFailed):
        store(writer)
    store(writer)
    assert operations(disk)[-1] == "sync_directory"


def test_hand_over_renames_once_and_may_be_called_again() -> None:
    disk = SimulatedDisk()
    writer = spool_on(disk)[0].writer()
    store(writer)
    writer.hand_over()
    writer.hand_over()
    assert operations(disk).count("rename") == 1
    assert [name.rpartition(".")[2] for name in disk.names()] == ["ready"]


def test_hand_over_of_a_writer_that_stored_nothing_does_nothing() -> None:
    disk = SimulatedDisk()
    spool_on(disk)[0].writer().hand_over()
    assert disk.log == []


def test_a_hand_over_that_fails_leaves_the_segment_to_recovery_and_a_new_one_begins() -> None:
    disk = SimulatedDisk()
    writer = spool_on(disk)[0].writer()
    store(writer)
    disk.failing = {"rename"}
    writer.hand_over()
    store(writer)
    assert operations(disk).count("create") == 2
    assert operations(disk).count("close") == 1


def test_a_segment_over_its_length_is_handed_over_by_the_append_that_filled_it() -> None:
    disk = SimulatedDisk()
    writer = spool_on(disk, rollover_bytes=HEAD_LENGTH + 100)[0].writer()
    store(writer)
    assert [name.rpartition(".")[2] for name in disk.names()] == ["ready"]
    store(writer)
    assert operations(disk).count("create") == 2


def test_an_idle_writer_is_handed_over_and_a_busy_one_is_not() -> None:
    disk = SimulatedDisk()
    spool, clock = spool_on(disk)
    idle, busy = spool.writer(), spool.writer()
    store(idle)
    clock.advance(2.0)
    store(busy)
    assert spool.hand_over_quiet(2.0) == 1
    assert sorted(name.rpartition(".")[2] for name in disk.names()) == ["open", "ready"]


def test_a_writer_whose_owner_forgot_it_is_handed_over_all_the_same() -> None:
    disk = SimulatedDisk()
    spool, clock = spool_on(disk)
    store(spool.writer())
    clock.advance(5.0)
    assert spool.hand_over_quiet(1.0) == 1
    assert spool.hand_over_quiet(1.0) == 0


def test_after_a_quiet_hand_over_the_writer_goes_on_in_a_new_segment() -> None:
    disk = SimulatedDisk()
    spool, _ = spool_on(disk)
    writer = spool.writer()
    store(writer)
    assert spool.hand_over_quiet(0) == 1
    store(writer)
    assert spool.hand_over_quiet(0) == 1
    assert len(disk.names()) == 2


def test_writers_have_segments_of_their_own() -> None:
    disk = SimulatedDisk()
    spool, _ = spool_on(disk)
    store(spool.writer())
    store(spool.writer())
    assert len(disk.names()) == 2
