"""Background loops outlive what they run, and end when they are told."""

import threading

from archive.errors import DatabaseUnavailable
from sync.jobs.loops import Loop, stop_all
from tests.peers.processes import wait_until

LONG_S = 600.0


def test_a_loop_goes_on_at_once_while_there_is_more() -> None:
    left = [3, 2, 1]
    loop = Loop("more", lambda: bool(left) and bool(left.pop()), LONG_S)
    loop.start()
    wait_until(lambda: not left, what="all is done")
    assert stop_all([loop], 10) == []


def test_a_loop_that_rests_can_be_woken() -> None:
    calls: list[int] = []

    def once() -> bool:
        calls.append(1)
        return False

    loop = Loop("woken", once, LONG_S)
    loop.start()
    wait_until(lambda: len(calls) == 1, what="the first look")
    loop.wake()
    wait_until(lambda: len(calls) == 2, what="the second look")
    assert stop_all([loop], 10) == []


def test_a_loop_outlives_what_falls_inside_it() -> None:
    calls: list[int] = []

    def once() -> bool:
        calls.append(1)
        if len(calls) < 3:
            raise (DatabaseUnavailable("Away.") if len(calls) == 1 else KeyError("defect"))
        return False

    loop = Loop("falls", once, 0.001)
    loop.start()
    wait_until(lambda: len(calls) >= 3, what="the loop goes on")
    assert stop_all([loop], 10) == []


def test_a_loop_that_does_not_end_in_time_is_named() -> None:
    begun, leave = threading.Event(), threading.Event()

    def once() -> bool:
        begun.set()
        return leave.wait(10)

    loop = Loop("deaf", once, LONG_S)
    loop.start()
    assert begun.wait(10)
    assert stop_all([loop], 0) == ["deaf"]
    assert loop.stopped
    leave.set()
    assert loop.join(10)


def test_a_loop_that_never_began_is_over() -> None:
    assert stop_all([Loop("idle", lambda: False, 1)], 0) == []
