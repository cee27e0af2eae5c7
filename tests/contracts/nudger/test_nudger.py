"""One suite over both nudgers: by the broker to a worker elsewhere, and to this very process."""

import contextlib
import threading
from collections.abc import Iterator
from typing import Protocol

import pytest

from sync.jobs.celery_app import celery_app, listen
from sync.jobs.nudger import CeleryNudger, LocalNudger, Nudger
from sync.jobs.work import JobClass
from sync.jobs.worker import Consumer
from tests.peers.processes import wait_until
from tests.peers.valkey import ValkeyPeer, valkey

MOST = 8


class Side(Protocol):
    """A nudger and who listens to it."""

    nudger: Nudger
    heard: list[JobClass]
    busy: threading.Event
    """Cleared: who is woken stays at it until it is set."""


class Listener:
    def __init__(self) -> None:
        self.heard: list[JobClass] = []
        self.busy = threading.Event()
        self.busy.set()

    def run(self, job_class: JobClass) -> None:
        self.heard.append(job_class)
        self.busy.wait(30)


class Here(Listener):
    def __init__(self) -> None:
        super().__init__()
        self.nudger: Nudger = LocalNudger(self.run, MOST)


class ByBroker(Listener):
    def __init__(self, broker: str) -> None:
        super().__init__()
        self.nudger: Nudger = CeleryNudger(celery_app(broker), most_outstanding=MOST)
        app = celery_app(broker)
        listen(app, self.run)
        self.consumer = Consumer(app, 2, threading.Event())


@pytest.fixture(scope="module")
def broker() -> Iterator[ValkeyPeer]:
    with valkey() as running:
        yield running


@pytest.fixture(params=["here", "by broker"])
def side(request: pytest.FixtureRequest) -> Iterator[Side]:
    if request.param == "here":
        yield Here()
        return
    listener = ByBroker(request.getfixturevalue("broker").url())
    listener.consumer.start()
    assert listener.consumer.wait_connected(20)
    with contextlib.ExitStack() as ends:
        ends.callback(listener.consumer.stop, 10)
        ends.callback(listener.busy.set)
        yield listener


def test_a_nudge_wakes_for_its_class(side: Side) -> None:
    side.nudger.nudge(JobClass.URGENT, 17)
    side.nudger.nudge(JobClass.VERIFY)
    wait_until(lambda: len(side.heard) == 2, what="both were heard")
    assert set(side.heard) == {JobClass.URGENT, JobClass.VERIFY}


def test_nudges_do_not_pile_up_without_end(side: Side) -> None:
    side.busy.clear()
    for _ in range(10 * MOST):
        side.nudger.nudge(JobClass.ROUTINE)
    side.busy.set()
    side.nudger.nudge(JobClass.URGENT)
    wait_until(lambda: JobClass.URGENT in side.heard, what="the last nudge was heard")
    assert len(side.heard) <= 2 * MOST + 2


def test_any_thread_may_nudge(side: Side) -> None:
    threads = [
        threading.Thread(target=side.nudger.nudge, args=(job_class,), daemon=True)
        for job_class in JobClass
    ]
    for thread in threads:
        thread.start()
    wait_until(lambda: set(side.heard) == set(JobClass), what="all were heard")


def test_who_is_awake_can_be_nudged_again(side: Side) -> None:
    for n in range(3):
        side.nudger.nudge(JobClass.ROUTINE)
        wait_until(lambda n=n: len(side.heard) == n + 1, what=f"nudge {n} was heard")  # type: ignore[misc]


def test_a_nudge_to_a_broker_that_is_away_is_forgiven_and_counted() -> None:
    nudger = CeleryNudger(celery_app("redis+socket:///nowhere/at/all?virtual_host=0"))
    for _ in range(5):
        nudger.nudge(JobClass.ROUTINE, 1)
    assert nudger.dropped == 5


def test_a_nudger_finds_the_broker_again() -> None:
    with valkey() as server:
        nudger = CeleryNudger(celery_app(server.url()))
        nudger.nudge(JobClass.ROUTINE)
        assert nudger.dropped == 0
        server.stop()
        nudger.nudge(JobClass.ROUTINE)
        assert nudger.dropped == 1
        server.start()

        def taken() -> bool:
            before = nudger.dropped
            nudger.nudge(JobClass.ROUTINE)
            return nudger.dropped == before

        wait_until(taken, what="a nudge is taken again")
        nudger.close()
