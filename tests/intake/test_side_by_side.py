"""Several intakes and sealers on one index and one spool come to the end that one comes to."""

import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from archive.index.engine import Index
from archive.intake import intake as intake_module
from archive.intake.intake import Intake
from archive.intake.seal import Sealer
from tests.intake.house import Cold, MovedClock, cold_side
from tests.intake.outcome import check_octets, outcome
from tests.intake.samples import IMPLICIT, image, sent

DEADLINE_S = 30.0


def another(cold: Cold) -> Cold:
    """Return the same archive as another process has it: with connections of its own."""
    index = Index(cold.index.url, clock=cold.clock)
    return Cold(cold.directory, index, cold.clock, cold.spool, cold.reader, cold.blobs)


def fill(cold: Cold) -> None:
    for study in range(1, 5):
        uids = {"StudyInstanceUID": f"1.2.{study}", "SeriesInstanceUID": f"1.2.{study}.1"}
        images = [image(f"1.2.{study}.1.{number}", **uids) for number in range(1, 7)]  # type: ignore[arg-type]
        cold.store(*(sent(one) for one in images))
        cold.clock.advance(0.01)
        cold.store(*(sent(one, IMPLICIT) for one in images[:3]), *(sent(one) for one in images[3:]))
        cold.clock.advance(0.01)


class Together:
    """Calls every body again and again, each in a thread."""

    def __init__(self, *bodies: Callable[[], bool]) -> None:
        self.failures: list[BaseException] = []
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._work, args=(body,), daemon=True) for body in bodies
        ]

    def run_until(self, is_done: Callable[[], bool]) -> None:
        for thread in self._threads:
            thread.start()
        deadline = time.monotonic() + DEADLINE_S
        while not (self.failures or is_done()) and time.monotonic() < deadline:
            self._stop.wait(0.05)
        self._stop.set()
        for thread in self._threads:
            thread.join(DEADLINE_S)
        assert not self.failures, self.failures

    def _work(self, once: Callable[[], bool]) -> None:
        try:
            while not self._stop.is_set():
                if not once():
                    self._stop.wait(0.005)
        except BaseException as failure:  # noqa: BLE001 - told to the test
            self.failures.append(failure)


@pytest.fixture
def alone(tmp_path: Path, migrated: Path) -> Cold:
    cold = fresh(tmp_path / "alone", migrated)
    fill(cold)
    cold.take_in()
    cold.seal()
    return cold


def test_two_intakes_take_in_every_record_once(
    cold: Cold, alone: Cold, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake_module, "BATCH", 3)
    fill(cold)
    intakes: list[Intake] = [another(cold).intake() for _ in range(2)]
    expected = total(alone)
    Together(*(intake.once for intake in intakes)).run_until(lambda: total(cold) == expected)
    cold.take_in()
    cold.seal()
    assert outcome(cold) == outcome(alone)
    check_octets(cold)


def test_two_intakes_and_two_sealers_at_once_end_in_the_same_index(
    cold: Cold, alone: Cold, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake_module, "BATCH", 3)
    monkeypatch.setattr("tests.intake.house.QUIET_SECONDS", -1.0)
    fill(cold)
    intakes: list[Intake] = [another(cold).intake() for _ in range(2)]
    sealers: list[Sealer] = [another(cold).sealer() for _ in range(2)]
    expected = total(alone)
    bodies = [intake.once for intake in intakes] + [sealer.once for sealer in sealers]
    Together(*bodies).run_until(lambda: total(cold) == expected and not cold.number("instance"))
    cold.take_in()
    cold.seal()
    assert outcome(cold) == outcome(alone)
    check_octets(cold)


HALVES = 24
"""Images that each of two associations sends of one series."""


def send_half(cold: Cold, first: int) -> None:
    """Send every other image of one series, a few to a segment, some of them twice."""
    writer = cold.spool.writer()
    for number in range(first, 2 * HALVES, 2):
        cold.append(writer, sent(image(f"1.2.3.1.{number + 1}")))
        if number % 6 == first:
            writer.hand_over()
            cold.append(writer, sent(image(f"1.2.3.1.{number + 1}")))
    writer.hand_over()


def send_late(cold: Cold) -> None:
    """Send one more image of the series, one whose header was corrected, and one that conflicts."""
    cold.store(
        sent(image("1.2.3.1.100")),
        sent(image("1.2.3.1.1", StudyDescription="Other")),
        sent(image("1.2.3.1.2", pixels=8)),
    )


def test_halves_of_a_series_late_images_and_resends_end_in_the_same_index(
    cold: Cold, migrated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake_module, "BATCH", 3)
    one_by_one = fresh(cold.directory / "alone", migrated)
    for send in (lambda one: send_half(one, 0), lambda one: send_half(one, 1), send_late):
        send(one_by_one)
        one_by_one.take_in()
        one_by_one.seal()
    monkeypatch.setattr("tests.intake.house.QUIET_SECONDS", -1.0)
    archives = [another(cold) for _ in range(4)]
    bodies = [one.intake().once for one in archives[:2]]
    bodies += [one.sealer().once for one in archives[2:]]
    halves = [threading.Thread(target=send_half, args=(cold, first)) for first in (0, 1)]
    expected = total(one_by_one)
    together = Together(*bodies)
    for half in halves:
        half.start()
    together.run_until(lambda: total(cold) == expected - 3 and not cold.number("instance"))
    for half in halves:
        half.join(DEADLINE_S)
    send_late(cold)
    Together(*bodies).run_until(lambda: total(cold) == expected and not cold.number("instance"))
    cold.take_in()
    cold.seal()
    assert outcome(cold) == outcome(one_by_one)
    check_octets(cold)


def fresh(directory: Path, migrated: Path) -> Cold:
    directory.mkdir()
    shutil.copy(migrated, directory / "index.sqlite")
    clock = MovedClock()
    index = Index(f"sqlite:///{directory / 'index.sqlite'}", clock=clock)
    return cold_side(directory, index, clock)


def total(cold: Cold) -> int:
    return sum(cold.answers().values())
