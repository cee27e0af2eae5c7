import pytest

from tests.bench.verdict import Quartiles, Target, Verdict

AT_LEAST = Target(2.5, at_least=True)
AT_MOST = Target(0.25, at_least=False)


def between(lower: float, upper: float, count: int = 7) -> Quartiles:
    return Quartiles(lower, (lower + upper) / 2, upper, count)


def test_quartiles_are_values_of_the_sample_where_it_has_them() -> None:
    assert Quartiles.of([7, 1, 3, 5, 9]) == Quartiles(3, 5, 7, 5)


def test_quartiles_lie_between_values_where_it_has_none() -> None:
    assert Quartiles.of([1, 2, 3, 4]) == Quartiles(1.75, 2.5, 3.25, 4)


def test_one_value_is_its_own_quartiles_and_none_have_no_quartiles() -> None:
    assert Quartiles.of([4.0]) == Quartiles(4, 4, 4, 1)
    with pytest.raises(ValueError, match="no values"):
        Quartiles.of([])


@pytest.mark.parametrize(
    ("target", "quartiles", "verdict"),
    [
        (AT_LEAST, between(2.5, 3), Verdict.REACHED),
        (AT_LEAST, between(2, 2.49), Verdict.MISSED),
        (AT_LEAST, between(2, 3), Verdict.NOT_RESOLVED),
        (AT_LEAST, between(2, 2.5), Verdict.NOT_RESOLVED),
        (AT_MOST, between(0.2, 0.25), Verdict.REACHED),
        (AT_MOST, between(0.26, 0.3), Verdict.MISSED),
        (AT_MOST, between(0.2, 0.3), Verdict.NOT_RESOLVED),
    ],
)
def test_a_target_is_reached_or_missed_only_where_both_quartiles_say_so(
    target: Target, quartiles: Quartiles, verdict: Verdict
) -> None:
    assert target.verdict(quartiles) is verdict


@pytest.mark.parametrize("count", [1, 2])
def test_fewer_than_three_runs_resolve_nothing(count: int) -> None:
    assert AT_LEAST.verdict(between(9, 9, count)) is Verdict.NOT_RESOLVED


def test_twice_as_good_is_told_the_same_way_for_both_kinds_of_target() -> None:
    assert AT_LEAST.times_better(5) == AT_MOST.times_better(0.125) == 2
