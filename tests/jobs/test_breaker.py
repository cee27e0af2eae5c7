"""A dead peer stops only what goes to itself."""

from archive.errors import DatabaseUnavailable, NotPermitted, PeerUnreachable
from sync.jobs.breaker import Breakers, BreakerState
from tests.jobs.clocks import MovedClock

AWAY = PeerUnreachable("Away.")


def tripped(clock: MovedClock) -> Breakers:
    breakers = Breakers(clock)
    for _ in range(3):
        breakers.note("dead", AWAY)
    return breakers


def test_a_dead_peer_trips_only_itself() -> None:
    breakers = tripped(MovedClock())
    breakers.note("alive", None)
    assert breakers.states() == {"dead": BreakerState.OPEN}
    assert breakers.limits() == {"dead": 0}


def test_two_failures_and_a_success_do_not_trip() -> None:
    breakers = Breakers(MovedClock())
    for error in (AWAY, AWAY, None, AWAY, AWAY):
        breakers.note("flaky", error)
    assert breakers.limits() == {}


def test_after_a_rest_one_probe_goes() -> None:
    clock = MovedClock()
    breakers = tripped(clock)
    clock.advance(1)
    assert breakers.limits() == {"dead": 1}
    assert breakers.states() == {"dead": BreakerState.PROBING}


def test_a_probe_that_fails_doubles_the_rest_to_a_limit() -> None:
    clock = MovedClock()
    breakers = tripped(clock)
    rests = []
    for _ in range(7):
        began = clock.monotonic()
        while breakers.limits()["dead"] == 0:
            clock.advance(1)
        rests.append(clock.monotonic() - began)
        breakers.note("dead", AWAY)
    assert rests == [1, 2, 4, 8, 16, 30, 30]


def test_a_probe_that_is_answered_closes_and_says_once_that_the_peer_is_back() -> None:
    breakers = tripped(MovedClock())
    breakers.note("dead", NotPermitted("It answered, though."))
    assert breakers.limits() == {}
    assert set(breakers.take_back()) == {"dead"}
    assert set(breakers.take_back()) == set()


def test_what_was_on_its_way_when_the_breaker_opened_does_not_lengthen_the_rest() -> None:
    clock = MovedClock()
    breakers = tripped(clock)
    for _ in range(5):
        breakers.note("dead", AWAY)
    clock.advance(1)
    assert breakers.limits() == {"dead": 1}


def test_trouble_of_our_own_says_nothing_about_a_peer() -> None:
    breakers = Breakers(MovedClock())
    for _ in range(9):
        breakers.note("centre", DatabaseUnavailable("Ours."))
        breakers.note("", AWAY)
    assert breakers.states() == {}
