"""The power goes under a door that serves: what was answered 0000H until then is there, whole."""

import random
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from archive.clock import SystemClock
from archive.dimse import p_data
from archive.dimse.receive import Receiver
from archive.dimse.scp import Door
from archive.errors import DatabaseUnavailable
from archive.reader import Reader
from archive.store.part10 import data_set_offset
from archive.store.spool import Spool, SpoolReader
from archive.words.statuses import StoreStatus
from deploy.demo.modality import Association, Modality, PeerError, WireObject
from tests.associations.door import Tables, wire
from tests.peers.processes import LOOPBACK
from tests.store.simulated_disk import PowerLost, SimulatedDisk

SEEDS = 25
ANSWERS = 24
FAULTS = ("write", "fill", "write-back", "sync", "sync_directory", "create", "rename")

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
"""When the power goes, it goes under the thread of an association."""


@pytest.fixture
def _little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let what is longer than 8 KB stream to the disk, 4 KB at a time."""
    monkeypatch.setattr(p_data, "BUFFER_BYTES", 8192)
    monkeypatch.setattr(p_data, "_FIRST_BYTES", 4096)
    monkeypatch.setattr(p_data, "_PART_BYTES", 4096)


def no_reader() -> Reader:
    raise DatabaseUnavailable("Nothing is asked here.")


def life(disk: SimulatedDisk, chance: random.Random, *, faulty: bool) -> dict[bytes, int | None]:
    """Return what each Data Set was answered; None where no answer came."""
    answers: dict[bytes, int | None] = {}
    with suppress(PowerLost):
        spool = Spool(
            Path("/spool"), disk=disk, clock=SystemClock(), floor_bytes=0, rollover_bytes=40_000
        )
        door = door_over(spool)
        modality = Modality("CT1", LOOPBACK, door.start(), "RXA", timeout=10)
        try:
            while len(answers) < ANSWERS and None not in answers.values():
                answers.update(associate(modality, disk, chance, faulty=faulty))
                if chance.random() < 0.3:
                    spool.hand_over_quiet(0)
        finally:
            door.stop()
    return answers


def door_over(spool: Spool) -> Door:
    tables = Tables()
    return Door(
        ae_title="RXA",
        host=LOOPBACK,
        port=0,
        receiver=Receiver(spool, SystemClock()),
        callers=tables,
        destinations=tables,
        reader=no_reader,
    )


def associate(
    modality: Modality, disk: SimulatedDisk, chance: random.Random, *, faulty: bool
) -> Iterator[tuple[bytes, int | None]]:
    """Store some objects on one association; the last may break off in the middle."""
    objects = [an_object(chance) for _ in range(8)]
    association = modality.open(objects)
    for one in objects:
        if faulty and chance.random() < 0.3:
            disk.failing.add(chance.choice(FAULTS))
        answer = answered(association, one)
        assert isinstance(one.data_set, bytes)
        yield one.data_set, answer
        if answer is None:
            return
    chance.choice((association.release, association.abort, association.cut))()


def an_object(chance: random.Random) -> WireObject:
    octets = chance.choice((500, 3_000, 10_000, 30_000))
    return wire(f"2.25.{chance.getrandbits(100)}", PixelData=chance.randbytes(octets))


def answered(association: Association, one: WireObject) -> int | None:
    try:
        return association.store(one).status
    except PeerError:
        association.cut()
        return None


def recovered(directory: Path) -> list[bytes]:
    segments = SpoolReader(directory)
    assert not any(recovery.damaged for recovery in segments.recover())
    found = [
        b"".join(segments.read(name, offset=record.offset, length=record.length))
        for name in segments.ready()
        for record in segments.records(name)
    ]
    return [octets[data_set_offset(octets) :] for octets in found]


@pytest.mark.usefixtures("_little_memory")
@pytest.mark.parametrize("faulty", [False, True], ids=["a good disk", "a failing disk"])
@pytest.mark.parametrize("seed", range(SEEDS))
def test_what_was_answered_success_is_there_and_nothing_else_but_what_was_under_way(
    tmp_path: Path, seed: int, faulty: bool
) -> None:
    chance = random.Random(seed)
    disk = SimulatedDisk(power=chance.randint(1, 150), seed=seed)

    answers = life(disk, chance, faulty=faulty)

    disk.after_power_loss(tmp_path, chance)
    found = recovered(tmp_path)
    acknowledged = {one for one, status in answers.items() if status == StoreStatus.SUCCESS}
    unanswered = {one for one, status in answers.items() if status is None}
    refused = {one for one, status in answers.items() if status == StoreStatus.OUT_OF_RESOURCES}
    assert acknowledged | unanswered | refused == set(answers)
    assert len(unanswered) <= 1
    assert bool(refused) <= faulty
    assert len(found) == len(set(found))
    assert acknowledged <= set(found) <= set(answers)
    if not faulty:
        assert set(found) - acknowledged <= unanswered
