"""A whole worker: a real process, a real broker, a real database."""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import psutil
import pytest

from archive.clock import SystemClock
from archive.index.engine import Index
from archive.states import JobState
from sync.jobs.celery_app import celery_app
from sync.jobs.ledger import Ledger
from sync.jobs.listing import Listing
from sync.jobs.nudger import CeleryNudger
from sync.jobs.work import JobClass
from tests.jobs.works import put
from tests.peers.processes import wait_until
from tests.peers.valkey import ValkeyPeer

ROOT = Path(__file__).parents[2]
MOST_RSS = 110 * 1024 * 1024


class Scene:
    """A database, a broker, and the workers that a test starts."""

    def __init__(self, directory: Path, url: str, broker: ValkeyPeer, ends: ExitStack) -> None:
        self.directory = directory
        self.url = url
        self.broker = broker
        self.ledger = Ledger(Index(url, clock=SystemClock()))
        self.listing = Listing(self.ledger.index)
        self._ends = ends
        ends.callback(self.ledger.index.close)

    def worker(self, name: str = "one", *, ready: bool = True) -> subprocess.Popen[bytes]:
        arguments = ["--url", self.url, "--broker", self.broker.url(), "--name", name]
        log = self._ends.enter_context((self.directory / f"{name}.log").open("wb"))
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.jobs.actor", *arguments, "--directory", self.directory],
            cwd=ROOT,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        self._ends.callback(_kill, process)
        if ready:
            wait_until(lambda: name in self.lines("ready"), what=f"{name} is ready", seconds=30)
        return process

    def lines(self, file: str) -> list[str]:
        with suppress(FileNotFoundError):
            return (self.directory / file).read_text().splitlines()
        return []

    def done(self) -> list[str]:
        return sorted(line.partition("\t")[0] for line in self.lines("done"))

    def log(self, name: str = "one") -> str:
        return (self.directory / f"{name}.log").read_text()

    def until(self, holds: Callable[[], bool], what: str) -> None:
        wait_until(holds, what=what, seconds=30)

    def state(self, job_id: int | None) -> JobState:
        assert job_id is not None
        return self.listing.job(job_id).state


def _kill(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()


@pytest.fixture
def scene(tmp_path: Path, url: str, broker: ValkeyPeer) -> Iterator[Scene]:
    with ExitStack() as ends:
        yield Scene(tmp_path, url, broker, ends)


@pytest.fixture
def small(tmp_path: Path, database: Path, broker: ValkeyPeer) -> Iterator[Scene]:
    """The scene on SQLite alone, for what does not depend on the database."""
    with ExitStack() as ends:
        yield Scene(tmp_path, f"sqlite:///{database}", broker, ends)


def test_a_nudge_gets_work_done_and_one_message_twice_gets_it_done_once(scene: Scene) -> None:
    scene.worker()
    nudger = CeleryNudger(celery_app(scene.broker.url()))
    for n in range(20):
        job_id = put(scene.ledger, f"{n}")
        nudger.nudge(JobClass.ROUTINE, job_id)
        nudger.nudge(JobClass.ROUTINE, job_id)
    scene.until(lambda: len(scene.done()) >= 20, "all is done")
    assert scene.done() == sorted(f"subject of {n}" for n in range(20))


def test_work_whose_nudge_was_lost_is_done(small: Scene) -> None:
    small.worker()
    jobs = [put(small.ledger, f"{n}", job_class=job_class) for n, job_class in enumerate(JobClass)]
    small.until(lambda: len(small.done()) == len(jobs), "all is done")


def test_a_worker_killed_in_the_middle_is_forgiven_and_its_work_done_once(scene: Scene) -> None:
    job_id = put(scene.ledger, "a", kind="long")
    first = scene.worker("one")
    scene.until(lambda: scene.lines("begun") == ["subject of a\tone"], "one is at it")
    first.send_signal(signal.SIGKILL)
    first.wait()
    (scene.directory / "let_go").touch()
    scene.worker("two")
    scene.until(lambda: scene.state(job_id) is JobState.COMPLETED, "two has done it")
    assert scene.lines("done") == ["subject of a\ttwo"]
    assert job_id is not None
    history = [event.evidence for event in scene.listing.events(job_id)]
    assert any("ran out" in evidence for evidence in history)


def test_two_workers_share_the_work_and_none_is_done_twice(scene: Scene) -> None:
    for n in range(40):
        put(scene.ledger, f"{n}", destination=f"peer {n % 4}")
    scene.worker("one", ready=False)
    scene.worker("two", ready=False)
    completed = {(JobClass.ROUTINE, JobState.COMPLETED): 40}
    scene.until(lambda: scene.listing.counts() == completed, "all is completed")
    assert scene.done() == sorted(f"subject of {n}" for n in range(40))


def test_a_worker_that_is_told_to_end_puts_its_work_back(small: Scene) -> None:
    job_id = put(small.ledger, "a", kind="long")
    worker = small.worker()
    small.until(lambda: small.lines("begun") != [], "it is at it")
    worker.terminate()
    assert worker.wait(10) == 0
    assert small.lines("ended") == ["one"]
    assert small.state(job_id) is JobState.SCHEDULED
    assert job_id is not None
    assert small.listing.job(job_id).attempt == 0


def test_a_worker_ends_although_its_work_does_not_look_up(small: Scene) -> None:
    put(small.ledger, "a", kind="deaf")
    worker = small.worker()
    small.until(lambda: small.lines("begun") != [], "it is at it")
    worker.terminate()
    assert worker.wait(20) == 0


def test_an_operator_cancels_work_that_runs(small: Scene) -> None:
    job_id = put(small.ledger, "a", kind="long")
    assert job_id is not None
    small.worker()
    small.until(lambda: small.lines("begun") != [], "it is at it")
    small.ledger.cancel(job_id, actor="operator")
    small.until(lambda: "end=canceled" in small.log().replace("'", ""), "it was put down")
    assert small.state(job_id) is JobState.CANCELED
    assert small.done() == []


def test_work_goes_on_while_the_broker_is_away(small: Scene) -> None:
    small.broker.stop()
    worker = small.worker()
    put(small.ledger, "without a broker")
    small.until(lambda: len(small.done()) == 1, "the sweep did it")
    small.broker.start()
    small.until(lambda: "broker.connected" in small.log(), "the broker is found")
    put(small.ledger, "with a broker")
    CeleryNudger(celery_app(small.broker.url())).nudge(JobClass.ROUTINE)
    small.until(lambda: len(small.done()) == 2, "the nudge did it")
    small.broker.stop()
    for n in range(5):
        put(small.ledger, f"again without {n}")
    small.until(lambda: len(small.done()) == 7, "the sweep did it again")
    worker.terminate()
    assert worker.wait(10) == 0


def test_a_worker_stays_small(small: Scene) -> None:
    worker = small.worker()
    for n in range(20):
        put(small.ledger, f"{n}")
    small.until(lambda: len(small.done()) == 20, "all is done")
    assert psutil.Process(worker.pid).memory_info().rss < MOST_RSS
    assert psutil.Process(worker.pid).children() == []
