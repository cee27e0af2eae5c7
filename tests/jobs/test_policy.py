"""When failed work is tried again."""

import pytest

from archive.errors import (
    ArchiveError,
    DatabaseUnavailable,
    DigestMismatch,
    NotAuthenticated,
    NotPermitted,
    PackMalformed,
    PeerUnreachable,
    StateMoved,
)
from sync.jobs.policy import GIVE_UP, Policy

EVEN = Policy(jitter=lambda: 0.5)


def test_the_first_retry_is_quick_and_each_pause_doubles_to_five_minutes() -> None:
    away = PeerUnreachable("Away.")
    pauses = [
        EVEN.decide(away, attempt=attempt, spoilt=0).retry_after_ms for attempt in range(1, 13)
    ]
    assert pauses == [
        *(500, 1000, 2000, 4000, 8000, 16_000, 32_000, 64_000, 128_000, 256_000),
        *(300_000, 300_000),
    ]


@pytest.mark.parametrize("attempt", [1, 3, 4, 1000, 10**9])
@pytest.mark.parametrize("error", [PeerUnreachable("Away."), DatabaseUnavailable("Away.")])
def test_what_is_unavailable_is_tried_for_ever(error: ArchiveError, attempt: int) -> None:
    pause = Policy().decide(error, attempt=attempt, spoilt=0).retry_after_ms
    assert pause is not None
    assert 0 < pause <= 375_000


def test_work_waits_for_the_right_token_however_long_the_wrong_one_is_there() -> None:
    wrong, away = NotAuthenticated("Who?"), PeerUnreachable("Away.")
    long_after = {"attempt": 1000, "spoilt": 0}
    assert EVEN.decide(wrong, **long_after) == EVEN.decide(away, **long_after)


def test_what_is_refused_is_given_up_at_once() -> None:
    assert EVEN.decide(NotPermitted("No."), attempt=1, spoilt=0) == GIVE_UP


@pytest.mark.parametrize(
    "error",
    [DigestMismatch("Differs."), PackMalformed("Torn."), StateMoved("Moved."), KeyError("defect")],
)
def test_damage_and_the_unexpected_are_tried_three_times(error: Exception) -> None:
    decisions = [EVEN.decide(error, attempt=n + 1, spoilt=n) for n in range(3)]
    assert [decision.gives_up for decision in decisions] == [False, False, True]


def test_attempts_that_met_no_answer_are_not_counted_against_the_work() -> None:
    assert not EVEN.decide(DigestMismatch("Differs."), attempt=100, spoilt=1).gives_up


@pytest.mark.parametrize(("drawn", "pause"), [(0.0, 375), (0.5, 500), (1.0, 625)])
def test_pauses_are_spread_so_that_jobs_do_not_knock_together(drawn: float, pause: int) -> None:
    assert Policy(jitter=lambda: drawn).again(1).retry_after_ms == pause
