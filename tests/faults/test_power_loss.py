"""The power goes at any instant: nothing acknowledged is lost, nothing torn is taken for whole."""

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archive.dimse.receive import Incoming, Peer, Receiver, StoreRequest
from archive.errors import StorageFailed
from archive.store.part10 import data_set_offset
from archive.store.segment import RecordKind
from archive.store.spool import RecordStream, Spool, SpoolReader
from archive.words.statuses import StoreStatus
from tests.store.examples import CT, EXPLICIT, FakeClock, body_of, envelope
from tests.store.simulated_disk import Cut, PowerLost, SimulatedDisk, Write

FAULTS = (
    *("write", "fill", "begin_writing", "write-back", "sync", "truncate"),
    *("create", "rename", "sync_directory"),
)

Keep = Callable[[int, bytes], bool]
"""Makes a body durable, or not; tells which."""
Door = Callable[[Spool, random.Random], Keep]


# --- ways in --------------------------------------------------------------------------------


def appending(spool: Spool, _chance: random.Random) -> Keep:
    """Append to a segment."""
    writer = spool.writer()

    def keep(_number: int, body: bytes) -> bool:
        with suppress(StorageFailed):
            writer.append(RecordKind.DICOM, envelope(), [body[:5], body[5:]])
            return True
        return False

    return keep


def streaming(spool: Spool, chance: random.Random) -> Keep:
    """Stream into a segment of its own; one in ten breaks off."""

    def keep(_number: int, body: bytes) -> bool:
        with suppress(StorageFailed):
            stream = spool.stream(RecordKind.DICOM, envelope())
            return streamed(stream, body, chance)
        return False

    return keep


def streamed(stream: RecordStream, body: bytes, chance: random.Random) -> bool:
    length = chance.randint(1, len(body))
    for at in range(0, len(body), length):
        stream.write([body[at : at + length]])
    if chance.random() < 0.1:
        stream.abandon()
        return False
    stream.commit()
    return True


def receiving(spool: Spool, chance: random.Random) -> Keep:
    """Store as an association does, whole or in parts, and look at what it is answered."""
    peer = Peer(association="a", calling_ae="CT1", called_ae="RXA", address="192.0.2.7:50123")
    reception = Receiver(spool, FakeClock()).reception(peer)

    def keep(number: int, body: bytes) -> bool:
        incoming = reception.incoming(StoreRequest(1, number, CT, f"1.2.{number}"), EXPLICIT)
        return received(incoming, memoryview(body), chance)

    return keep


def received(incoming: Incoming, body: memoryview, chance: random.Random) -> bool:
    length = chance.choice((len(body), chance.randint(1, len(body))))
    starts = range(0, len(body), length)
    for at in starts[:-1]:
        incoming.write(body[at : at + length])
    if chance.random() < 0.1:
        incoming.abandon()
        return False
    status = incoming.finish(body[starts[-1] :]).status
    assert status in {StoreStatus.SUCCESS, StoreStatus.OUT_OF_RESOURCES}
    return status is StoreStatus.SUCCESS


DOORS: Sequence[Door] = (appending, streaming, receiving)


# --- a life, its end, and what is there afterwards -------------------------------------------


@dataclass
class Story:
    """What a run stored, and what of it was acknowledged."""

    attempted: list[bytes] = field(default_factory=list)
    acknowledged: list[bytes] = field(default_factory=list)
    refused: int = 0


def live(disk: SimulatedDisk, chance: random.Random, door: Door, *, faulty: bool) -> Story:
    """Two senders store until the power goes; now and then an operation of the disk fails."""
    story = Story()
    with suppress(PowerLost):
        spool = Spool(
            Path("/spool"), disk=disk, clock=FakeClock(), floor_bytes=0, rollover_bytes=20_000
        )
        doors = [door(spool, chance), door(spool, chance)]
        for number in range(1, 100):
            if faulty and chance.random() < 0.3:
                disk.failing.add(chance.choice(FAULTS))
            store(chance.choice(doors), number, story)
            if chance.random() < 0.1:
                spool.hand_over_quiet(0)
    return story


def store(keep: Keep, number: int, story: Story) -> None:
    body = body_of(number)
    story.attempted.append(body)
    if keep(number, body):
        story.acknowledged.append(body)
    else:
        story.refused += 1


def recovered(directory: Path) -> Iterator[bytes]:
    reader = SpoolReader(directory)
    assert not any(recovery.damaged for recovery in reader.recover())
    for name in reader.ready():
        for record in reader.records(name):
            octets = b"".join(reader.read(name, offset=record.offset, length=record.length))
            yield octets[data_set_offset(octets) :] if b"DICM" in octets[:132] else octets


def check(door: Door, *, seed: int, power: int, faulty: bool) -> None:
    chance = random.Random(seed)
    disk = SimulatedDisk(power=power, seed=seed)
    story = live(disk, chance, door, faulty=faulty)
    with TemporaryDirectory() as directory:
        disk.after_power_loss(Path(directory), chance)
        found = list(recovered(Path(directory)))
    assert len(found) == len(set(found)), "no record twice"
    assert set(story.acknowledged) <= set(found), "every acknowledged record"
    assert set(found) <= set(story.attempted), "and none that is torn"
    under_way = len(story.attempted) - len(story.acknowledged) - story.refused
    assert len(found) - len(story.acknowledged) <= under_way + story.refused
    assert_what_failed_is_left_alone(disk)


def assert_what_failed_is_left_alone(disk: SimulatedDisk) -> None:
    """No file is written, synced or handed over any more once something of it has failed."""
    for position in disk.failed:
        operation, name = disk.log[position]
        later = {operation for operation, other in disk.log[position + 1 :] if other == name}
        if operation in {"write", "fill", "begin_writing", "sync"}:
            assert later <= {"truncate", "close"}


# --- promises -------------------------------------------------------------------------------


@pytest.mark.parametrize("door", DOORS)
@given(seed=st.integers(0, 2**32), power=st.integers(1, 300))
@settings(derandomize=True, max_examples=200, deadline=None)
def test_nothing_acknowledged_is_lost_with_the_power(door: Door, seed: int, power: int) -> None:
    check(door, seed=seed, power=power, faulty=False)


@pytest.mark.parametrize("door", DOORS)
@given(seed=st.integers(0, 2**32), power=st.integers(1, 300))
@settings(derandomize=True, max_examples=200, deadline=None)
def test_nor_when_the_disk_has_failed_before(door: Door, seed: int, power: int) -> None:
    check(door, seed=seed, power=power, faulty=True)


# --- the simulation: else the promises above would hold of any code ---------------------------


def outcomes_of(*dirty: Write | Cut, platter: bytes) -> set[bytes]:
    """Return what may be left of a file that was synced, and then changed."""
    disk = SimulatedDisk()
    disk.create(Path("/spool/a"))
    file = disk._files[Path("/spool/a")]
    file.cached = file.clean = file.platter = platter
    for change in dirty:
        file.do(change)
    return {file.survived(random.Random(seed)) for seed in range(300)}


def test_the_simulation_loses_and_tears_what_was_not_synced() -> None:
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
    assert {(True, True), (True, False), (False, True), (False, False)} <= outcomes


def test_it_writes_a_later_block_before_an_earlier_one() -> None:
    outcomes = outcomes_of(Write(0, b"a" * 4096), Write(4096, b"b" * 4096), platter=b"")

    assert any(b"a" * 512 not in one and one.endswith(b"b" * 512) for one in outcomes)
    assert any(one.startswith(b"a" * 4096) and b"b" not in one[4096:] for one in outcomes)


def test_it_keeps_or_forgets_what_was_put_over_synced_octets() -> None:
    outcomes = outcomes_of(Write(10, b"new"), platter=b"." * 1024)

    assert outcomes == {b"." * 1024, b"." * 10 + b"new" + b"." * 1011}


def test_it_may_keep_what_was_written_and_not_what_was_put_over_it() -> None:
    outcomes = outcomes_of(Write(0, bytes(512)), Write(0, b"header"), platter=b"")

    assert {bytes(512), b"header".ljust(512, b"\0")} <= outcomes


def test_it_may_forget_a_truncation() -> None:
    outcomes = outcomes_of(Write(6, b"torn"), Cut(6), platter=b"synced")

    assert {b"synced", b"syncedtorn"} <= outcomes


def test_what_a_failed_sync_left_behind_no_later_sync_saves() -> None:
    outcomes = set()
    for seed in range(20):
        disk = SimulatedDisk(seed=seed)
        handle = disk.create(Path("/spool/a"))
        disk.sync_directory(Path("/spool"))
        handle.write([b"x" * 2000])
        disk.failing = {"sync"}
        with pytest.raises(OSError, match="sync"):
            handle.sync()
        handle.sync()
        assert disk.content("a") == b"x" * 2000, "while it is read, nobody sees it"
        with TemporaryDirectory() as directory:
            disk.after_power_loss(Path(directory), random.Random(0))
            outcomes.add((Path(directory) / "a").read_bytes() == b"x" * 2000)
    assert outcomes == {True, False}


def test_a_write_back_that_failed_unseen_is_told_by_the_next_sync() -> None:
    disk = SimulatedDisk()
    handle = disk.create(Path("/spool/a"))
    handle.write([b"x" * 2000])
    disk.failing = {"write-back"}
    handle.begin_writing(0, 2000)

    with pytest.raises(OSError, match="sync"):
        handle.sync()


def test_a_file_has_the_name_that_was_synced_or_one_that_it_got_since() -> None:
    names = set()
    for seed in range(50):
        disk = SimulatedDisk()
        disk.create(Path("/spool/a"))
        disk.rename(Path("/spool/a"), Path("/spool/b"))
        with TemporaryDirectory() as directory:
            disk.after_power_loss(Path(directory), random.Random(seed))
            names.add(" ".join(path.name for path in Path(directory).iterdir()))
    assert names == {"", "a", "b"}
