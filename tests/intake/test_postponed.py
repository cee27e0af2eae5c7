"""What must be compared octet by octet waits, and keeps nothing else waiting."""

from collections.abc import Callable

import pytest

from archive.index.segments import SegmentState, progress_of
from archive.intake import verdicts
from archive.intake.compare import Comparison, compare
from archive.intake.judging import Doubt, _doubt
from archive.intake.plain import Stored
from tests.intake.house import Cold
from tests.intake.samples import IMPLICIT, image, sent


def watched(monkeypatch: pytest.MonkeyPatch, look: Callable[[], object]) -> list[object]:
    """Return what ``look`` saw whenever a comparison began."""
    seen: list[object] = []

    def looking(one: Stored, other: Stored) -> Comparison:
        seen.append(look())
        return compare(one, other)

    monkeypatch.setattr(verdicts, "compare", looking)
    return seen


def taken_in(cold: Cold, *numbers: int) -> None:
    cold.store(*(sent(image(f"1.2.3.1.{number}")) for number in numbers))
    cold.take_in()
    cold.clock.advance(1)


def state_of(cold: Cold, name: str) -> SegmentState:
    with cold.index.reading() as conn:
        return progress_of(conn, [name])[name].state


def harm(cold: Cold, name: str, place: int) -> None:
    path = cold.directory / "spool" / f"{name}.ready"
    octets = bytearray(path.read_bytes())
    octets[place] ^= 1
    path.write_bytes(octets)


def test_all_else_is_in_the_index_before_anything_is_compared(
    cold: Cold, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken_in(cold, 1, 2)
    seen = watched(monkeypatch, lambda: cold.number("instance"))
    cold.store(
        sent(image("1.2.3.1.1"), IMPLICIT),
        sent(image("1.2.3.1.3")),
        sent(image("1.2.3.1.2", pixels=8)),
        sent(image("1.2.3.1.4")),
    )
    cold.clock.advance(1)
    cold.store(sent(image("1.2.3.1.5")))
    cold.take_in()
    assert seen[0] == 5
    assert len(seen) == 2
    assert cold.answers() == {"Registered": 5, "SameContent": 1, "Conflicting": 1}


def test_one_call_compares_once_so_that_arrivals_come_between(
    cold: Cold, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken_in(cold, 1, 2, 3)
    seen = watched(monkeypatch, lambda: None)
    cold.store(*(sent(image(f"1.2.3.1.{number}"), IMPLICIT) for number in (1, 2, 3)))
    intake = cold.intake()
    counts = []
    while intake.once():
        counts.append(len(seen))
    assert counts[:4] == [0, 1, 2, 3]


def test_what_digests_and_uids_tell_is_not_put_off(
    cold: Cold, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken_in(cold, 1, 2)
    seen = watched(monkeypatch, lambda: None)
    cold.store(sent(image("1.2.3.1.1")), sent(image("1.2.3.1.2", SeriesInstanceUID="1.2.3.9")))
    assert cold.intake().once()
    assert cold.answers() == {"Registered": 2, "AlreadyHeld": 1, "Conflicting": 1}
    assert seen == []


def test_a_segment_is_kept_until_all_of_it_has_been_compared(cold: Cold) -> None:
    taken_in(cold, 1)
    cold.seal()
    cold.store(sent(image("1.2.3.1.1"), IMPLICIT))
    intake = cold.intake()
    assert intake.once()
    (name,) = cold.reader.ready()
    assert state_of(cold, name) is SegmentState.COMPARING
    cold.seal()
    assert cold.reader.ready() == [name]
    cold.take_in(intake)
    cold.seal()
    assert cold.reader.ready() == []
    assert cold.counts().instances == 2


def test_what_waits_to_be_compared_counts_as_still_in_the_spool(cold: Cold) -> None:
    taken_in(cold, 1)
    cold.store(sent(image("1.2.3.1.1"), IMPLICIT))
    intake = cold.intake()
    doubts = []
    while intake.once():
        with cold.index.reading() as conn:
            doubts.append(_doubt(conn, frozenset(cold.reader.ready()[-1:])))
    assert doubts[0] is Doubt.STILL_IN_SPOOL
    assert doubts[-1] is Doubt.NONE


def test_a_record_that_the_disk_harms_while_it_waits_raises_an_alarm(cold: Cold) -> None:
    taken_in(cold, 1, 2)
    cold.store(sent(image("1.2.3.1.1"), IMPLICIT), sent(image("1.2.3.1.2"), IMPLICIT))
    intake = cold.intake()
    assert intake.once()
    name = cold.reader.ready()[-1]
    harm(cold, name, -100)
    cold.take_in(intake)
    assert state_of(cold, name) is SegmentState.DAMAGED
    assert [row["code"] for row in cold.rows("data_quality")] == ["SEGMENT_DAMAGED"]
    assert cold.answers() == {"Registered": 2, "SameContent": 1}


def test_what_waits_in_a_segment_with_a_torn_end_is_compared_all_the_same(cold: Cold) -> None:
    taken_in(cold, 1)
    cold.store(sent(image("1.2.3.1.1"), IMPLICIT), sent(image("1.2.3.1.2")))
    name = cold.reader.ready()[-1]
    harm(cold, name, -100)
    cold.take_in()
    assert state_of(cold, name) is SegmentState.DAMAGED
    assert cold.answers() == {"Registered": 1, "SameContent": 1}
