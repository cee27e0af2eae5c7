from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.bench.consumption import Consumed
from tests.bench.page import BEGIN, END, block, table, with_block
from tests.bench.plot import rates_picture, targets_picture
from tests.bench.record import Record, Taken, read_record, write_record
from tests.bench.run import Measured


def measured(rate: float, *, cpu: float = 1.0, role: str = "whole", busy: float = 0.0) -> Measured:
    """Return a run of 100 instances and one GB."""
    took = Consumed(cpu, processes=1, largest_peak_bytes=70_000_000, proportional_bytes=1)
    return Measured(
        count=100,
        octets=10**9,
        seconds=100 / rate,
        searchable_seconds=100 / rate,
        settled_seconds=6.0,
        consumed={role: took},
        busy=busy,
    )


def against(*rates: float) -> Taken:
    """Return rounds in which this store has these rates, and Orthanc 100 instances a second."""
    rounds = [
        {"node": measured(rate, cpu=0.5, role="receive"), "orthanc": measured(100, cpu=4)}
        for rate in rates
    ]
    return Taken("2026-01-05 10:00 UTC", "abc123", {"processors": "2 × Test"}, rounds)


@pytest.fixture
def record() -> Record:
    return {"ct1": against(250, 300, 350), "small1": against(100, 200, 400)}


def test_a_row_has_medians_of_both_sides_ratio_with_quartiles_and_verdict(record: Record) -> None:
    assert (
        "| CT, 1 association | 300/s | Orthanc 100/s | **3** (2.75–3.25) | 3 | ≥ 2.5 | reached |"
    ) in table(record).splitlines()


def test_a_row_whose_quartiles_span_the_target_says_not_resolved(record: Record) -> None:
    assert (
        "| 34 KB, 1 association | 200/s | Orthanc 100/s | **2** (1.5–3) | 3 | ≥ 2 | not resolved |"
    ) in table(record).splitlines()


def test_cpu_of_receiving_is_held_against_the_whole_of_the_other_side(record: Record) -> None:
    line = next(one for one in table(record).splitlines() if "receive CPU against" in one)
    assert "| 0.5 s/GB | Orthanc 4 s/GB | **0.125** (0.125–0.125) | 3 | ≤ 0.25 | reached |" in line


def test_only_experiments_that_were_run_have_rows(record: Record) -> None:
    assert "DX" not in table(record)


def test_rounds_without_the_other_side_are_left_out_of_the_ratios(record: Record) -> None:
    alone = {"node": measured(1000, role="receive")}
    taken = record["ct1"]
    record["ct1"] = Taken(taken.began, taken.commit, taken.machine, [*taken.rounds, alone])
    assert "| CT, 1 association | 300/s | Orthanc 100/s | **3** (2.75–3.25) | 3 |" in table(record)


def test_the_block_tells_commit_machine_and_runs_on_a_busy_machine(record: Record) -> None:
    noisy = {"node": measured(9, role="receive", busy=0.9), "orthanc": measured(9)}
    record["ct1"] = Taken("then", "abc123", {"processors": "2 × Test"}, [noisy])
    told = block(record, iter(["![plot](a.svg)"]))
    assert "- commit abc123\n- processors: 2 × Test" in told
    assert "ct1 (then, 1 of 2 runs began on a busy machine)" in told
    assert "![plot](a.svg)" in told


def test_only_what_stands_between_the_markers_is_replaced() -> None:
    page = f"before\n{BEGIN}\nold\n{END}\nafter\n"
    assert with_block(page, "new\n") == f"before\n{BEGIN}\nnew\n{END}\nafter\n"


@pytest.mark.parametrize("page", ["", BEGIN, f"{END}{BEGIN}", f"{BEGIN}{BEGIN}{END}"])
def test_a_page_without_its_markers_is_left_alone(page: str) -> None:
    with pytest.raises(ValueError, match="bench: begin"):
        with_block(page, "new")


def test_what_was_written_is_read_again(record: Record, tmp_path: Path) -> None:
    path = tmp_path / "some" / "results.json"
    write_record(path, record)
    assert read_record(path) == record
    assert read_record(tmp_path / "none.json") == {}


def test_pictures_have_a_dot_for_every_run(record: Record) -> None:
    dots = "{http://www.w3.org/2000/svg}circle"
    assert len(ET.fromstring(rates_picture(record)).findall(dots)) == 12
    # Rates of ct1 and small1 and two CPU rows of ct1 have targets, with three pairs each.
    assert len(ET.fromstring(targets_picture(record)).findall(dots)) == 12
