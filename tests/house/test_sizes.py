import statistics

from tests.house.source import ROOT, all_files, functions, product_files

ATTIC_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "service", "data", "info"}


def test_no_module_is_longer_than_400_lines() -> None:
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines())
        for path in all_files()
    }
    assert {name: lines for name, lines in lengths.items() if lines > 400} == {}


def test_no_function_has_more_than_50_lines_of_body() -> None:
    long = {name: lines for path in all_files() for name, lines in functions(path) if lines > 50}
    assert long == {}


def test_half_of_all_functions_have_at_most_6_lines_and_nine_in_ten_at_most_20() -> None:
    lengths = [lines for path in product_files() for _, lines in functions(path)]
    median, ninetieth = statistics.median(lengths), statistics.quantiles(lengths, n=10)[-1]
    assert (median, ninetieth) <= (6, 20), f"median {median}, 90th percentile {ninetieth}"
    assert ninetieth <= 20


def test_nothing_is_named_like_an_attic() -> None:
    names = {
        str(path.relative_to(ROOT))
        for path in all_files()
        if ATTIC_NAMES & {path.stem, path.parent.name}
    }
    assert names == set()
