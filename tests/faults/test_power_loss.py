"""The power goes at any instant: nothing acknowledged is lost, nothing torn is taken for whole."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from archive.errors import StorageFailed
from archive.store.segment import RecordKind
from archive.store.spool import SegmentWriter, Spool, SpoolReader
from tests.store.examples import FakeClock, body_of, envelope
from tests.store.simulated_disk import PowerLost, SimulatedDisk

FAULTS = ("write", "sync", "truncate", "sync_directory", "rename", "create")


@dataclass
class Story:
    """What a run appended, and what of it was acknowledged."""

    attempted: list[bytes] = field(default_factory=list)
    acknowledged: list[bytes] = field(default_factory=list)


def live(disk: SimulatedDisk, chance: random.Random, *, faulty: bool) -> Story:
    """Two writers append until the power goes; now and then an operation of the disk fails."""
    story = Story()
    try:
        spool = Spool(
            Path("/spool"), disk=disk, clock=FakeClock(), floor_bytes=0, rollover_bytes=8000
        )
        writers = [spool.writer(), spool.writer()]
        for number in range(1, 100):
            if faulty and chance.random() < 0.3:
                disk.failing.add(chance.choice(FAULTS))
            act(chance.choice(writers), number, story)
            if chance.random() < 0.1:
                spool.hand_over_quiet(0)
    except PowerLost:
        pass
    return story


def act(writer: SegmentWriter, number: int, story: Story) -> None:
    body = body_of(number)
    story.attempted.append(body)
    try:
        writer.append(RecordKind.DICOM, envelope(), [body[:5], body[5:]])
    except StorageFailed:
        return
    story.acknowledged.append(body)


def recovered(directory: Path) -> Iterator[bytes]:
    reader = SpoolReader(directory)
    assert not any(recovery.damaged for recovery in reader.recover())
    for name in reader.ready():
        for record in reader.records(name):
            yield b"".join(reader.read(name, offset=record.offset, length=record.length))


def check(*, seed: int, power: int, faulty: bool) -> None:
    chance = random.Random(seed)
    disk = SimulatedDisk(power=power)
    story = live(disk, chance, faulty=faulty)
    with TemporaryDirectory() as directory:
        disk.after_power_loss(Path(directory), chance)
        found = list(recovered(Path(directory)))
    assert len(found) == len(set(found)), "no record twice"
    assert set(story.acknowledged) <= set(found), "every acknowledged record"
    assert set(found) <= set(story.attempted), "and none that is torn"


@given(seed=st.integers(0, 2**32), power=st.integers(1, 300))
@settings(derandomize=True, max_examples=150, deadline=None)
def test_nothing_acknowledged_is_lost_with_the_power(seed: int, power: int) -> None:
    check(seed=seed, power=power, faulty=False)


@given(seed=st.integers(0, 2**32), power=st.integers(1, 300))
@settings(derandomize=True, max_examples=150, deadline=None)
def test_nor_when_the_disk_has_failed_before(seed: int, power: int) -> None:
    check(seed=seed, power=power, faulty=True)


def test_the_simulation_does_lose_and_tear_what_was_not_synced() -> None:
    """Else the promises above would hold of any code."""
    outcomes = set()
    for seed in range(50):
        disk = SimulatedDisk()
        handle = disk.create(Path("/spool/a"))
        handle.write([b"synced"])
        handle.sync()
        disk.sync_directory(Path("/spool"))
        handle.write([b"x" * 2000])
        with TemporaryDirectory() as directory:
            disk.after_power_loss(Path(directory), random.Random(seed))
            octets = (Path(directory) / "a").read_bytes()
        assert octets.startswith(b"synced")
        outcomes.add((len(octets) < 2006, octets.count(b"x") < len(octets) - 6))
    assert {(True, True), (True, False)} <= outcomes
