"""A child's states and pauses."""

from datetime import UTC, datetime

import pytest

from deploy.region.process import Child
from deploy.region.ward import MOVES, ChildState, ImpossibleMove, Ward, pause_seconds

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def ward() -> Ward:
    return Ward(Child(name="a", argv=("a",)), NOW)


def test_pauses_grow_from_a_fifth_of_a_second_to_ten() -> None:
    pauses = [pause_seconds(falls) for falls in (1, 2, 3, 6, 7, 1000)]
    assert pauses == [0.2, 0.4, 0.8, 6.4, 10.0, 10.0]


def test_a_child_that_was_up_for_a_while_begins_anew_with_the_first_pause() -> None:
    one = ward()
    assert [one.fell(why="", at=10.0), one.fell(why="", at=11.0)] == [0.2, 0.4]

    one.ready_at = 20.0
    assert one.fell(why="", at=21.0) == 0.8
    one.ready_at = 30.0
    assert one.fell(why="", at=60.0) == 0.2


def test_every_move_outside_the_table_is_a_defect() -> None:
    for before in ChildState:
        for after in set(ChildState) - MOVES[before]:
            one = ward()
            one.state = before
            with pytest.raises(ImpossibleMove):
                one.move(to=after, now=NOW)
