"""One slot of each worker takes only urgent work."""

import threading
from contextlib import ExitStack

import pytest

from archive.errors import ConfigurationInvalid
from sync.jobs.slots import Slots
from sync.jobs.work import JobClass


def test_ordinary_work_leaves_a_slot_for_urgent_work() -> None:
    slots = Slots(3)
    with ExitStack() as held:
        taken = [held.enter_context(slots.taken(JobClass.BACKFILL)) for _ in range(3)]
        assert taken == [True, True, False]
        assert held.enter_context(slots.taken(JobClass.URGENT))
        assert not held.enter_context(slots.taken(JobClass.URGENT))
        assert slots.free(JobClass.URGENT) == 0
    assert slots.free(JobClass.URGENT) == 3
    assert slots.free(JobClass.ROUTINE) == 2


def test_urgent_work_may_take_every_slot() -> None:
    slots = Slots(3)
    with ExitStack() as held:
        taken = [held.enter_context(slots.taken(JobClass.URGENT)) for _ in range(3)]
        assert taken == [True, True, True]
        assert not held.enter_context(slots.taken(JobClass.ROUTINE))


def test_a_worker_without_a_slot_to_spare_is_refused() -> None:
    with pytest.raises(ConfigurationInvalid):
        Slots(1)


def test_a_slot_comes_back_when_its_work_falls() -> None:
    slots = Slots(2)

    def fall() -> None:
        with slots.taken(JobClass.ROUTINE):
            raise KeyError

    with pytest.raises(KeyError):
        fall()
    assert slots.wait_empty(0)


def test_who_waits_for_an_empty_bench_is_told() -> None:
    slots = Slots(2)
    leave = threading.Event()
    began = threading.Event()

    def work() -> None:
        with slots.taken(JobClass.ROUTINE):
            began.set()
            leave.wait(10)

    worker = threading.Thread(target=work, daemon=True)
    worker.start()
    assert began.wait(10)
    assert not slots.wait_empty(0)
    leave.set()
    assert slots.wait_empty(10)
    worker.join()
