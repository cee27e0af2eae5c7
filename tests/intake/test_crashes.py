"""A process that dies at any step loses nothing, doubles nothing, and counts nothing twice."""

import itertools
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Connection

from archive.index.engine import Index
from archive.intake import intake as intake_module
from archive.intake.intake import Intake
from archive.intake.seal import Sealer
from archive.store.local_blobs import LocalBlobs
from archive.store.spool import SpoolReader
from deploy.demo.pas import Person, Report, oru
from deploy.demo.wire_object import WireObject
from tests.intake.house import QUIET_SECONDS, Cold, MovedClock, cold_side, drain
from tests.intake.outcome import Outcome, check_octets, outcome
from tests.intake.samples import image, note, sent
from tests.intake.test_intake import hl7_port

JANE = Person(mrn="100", authority="RXA", name="Doe^Jane")
REPORT = oru(JANE, Report(text="No change.", accession="A1", study_instance_uid="1.2.3"))

NOTE = note(image("1.2.3.1.3"))


class Killed(BaseException):
    """The process ends here: nothing catches this."""


class Steps:
    """Counts the steps that leave a trace on disk, and ends the process behind one of them."""

    def __init__(self, last: int) -> None:
        self.left = last

    def step(self) -> None:
        if self.left == 0:
            raise Killed
        self.left -= 1

    def behind(self, method: Callable[..., object]) -> Callable[..., object]:
        def stepping(*args: object, **more: object) -> object:
            result = method(*args, **more)
            self.step()
            return result

        return stepping


class MortalIndex(Index):
    """An index whose process may end inside a transaction, and behind its commit."""

    def __init__(self, index: Index, steps: Steps) -> None:
        self._engine, self._line = index._engine, index._line
        self._steps = steps

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        with super().writing() as conn:
            yield conn
            self._steps.step()
        self._steps.step()


class MortalBlobs(LocalBlobs):
    def __init__(self, root: Path, steps: Steps) -> None:
        super().__init__(root)
        self.put = steps.behind(super().put)  # type: ignore[assignment, method-assign]


class MortalSpool(SpoolReader):
    def __init__(self, directory: Path, steps: Steps) -> None:
        super().__init__(directory)
        self.delete = steps.behind(super().delete)  # type: ignore[assignment, method-assign]


def mortal(cold: Cold, steps: Steps) -> Cold:
    return replace(
        cold,
        index=MortalIndex(cold.index, steps),
        reader=MortalSpool(cold.directory / "spool", steps),
        blobs=MortalBlobs(cold.directory / "blobs", steps),
    )


def fill(cold: Cold) -> None:
    broken = WireObject("1.2.840.10008.5.1.4.1.1.7", "1.2.9", "1.2.840.10008.1.2.1", b"GIF89a")
    cold.store(*(sent(image(f"1.2.3.1.{number}")) for number in range(1, 4)), broken)
    cold.clock.advance(1)
    cold.store(sent(image("1.2.3.1.1")), sent(image("1.2.3.1.2", pixels=8)), broken)
    cold.clock.advance(1)
    cold.store(NOTE)
    cold.message(REPORT.octets)


def run(cold: Cold) -> None:
    """Do what a working process does, until nothing is left to do."""
    loops: list[Intake | Sealer] = [cold.intake(hl7=hl7_port()), cold.sealer()]
    for loop in loops:
        drain(loop)
        cold.clock.advance(QUIET_SECONDS + 1)
    drain(loops[0])


@pytest.fixture
def fresh(tmp_path: Path, migrated: Path) -> Callable[[], Cold]:
    numbers = itertools.count()

    def made() -> Cold:
        directory = tmp_path / str(next(numbers))
        directory.mkdir()
        shutil.copy(migrated, directory / "index.sqlite")
        clock = MovedClock()
        index = Index(f"sqlite:///{directory / 'index.sqlite'}", clock=clock)
        return cold_side(directory, index, clock)

    return made


def undisturbed(cold: Cold) -> Outcome:
    fill(cold)
    run(cold)
    return outcome(cold)


def test_wherever_the_process_ends_the_next_one_comes_to_the_same_end(
    fresh: Callable[[], Cold], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake_module, "BATCH", 2)
    expected = undisturbed(fresh())
    assert expected["segments"] == []
    for last in itertools.count():
        cold = fresh()
        fill(cold)
        if ended_by_itself(cold, Steps(last)):
            break
        run(cold)
        assert outcome(cold) == expected, last
        check_octets(cold)
    assert last > 20


def ended_by_itself(cold: Cold, steps: Steps) -> bool:
    with suppress(Killed):
        run(mortal(cold, steps))
        return True
    return False


def test_a_process_that_dies_again_and_again_still_comes_to_the_end(
    fresh: Callable[[], Cold], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake_module, "BATCH", 2)
    expected, cold = undisturbed(fresh()), fresh()
    fill(cold)
    lives = 1
    while not ended_by_itself(cold, Steps(12)):
        lives += 1
    assert outcome(cold) == expected
    assert lives > 3
