"""The table as Markdown, between the markers of a page."""

from collections.abc import Iterator
from pathlib import Path

from tests.bench.consumption import CALM_SHARE
from tests.bench.record import Record, Taken
from tests.bench.rows import ROWS, Row, name_of
from tests.bench.verdict import Quartiles, Target

BEGIN, END = "<!-- bench: begin -->", "<!-- bench: end -->"
HEADING = (
    "| work | this store | beside it | ratio: median (quartiles) | pairs | target | verdict |\n"
    "| --- | --- | --- | --- | --- | --- | --- |"
)


def table(record: Record) -> str:
    """Return the rows of all experiments that were run."""
    lines = [_line(row, record[row.experiment]) for row in ROWS if row.experiment in record]
    return "\n".join([HEADING, *lines])


def _line(row: Row, taken: Taken) -> str:
    compared = row.compared
    quartiles = Quartiles.of(row.values(taken.rounds))
    ours = _figure(row.median_of(compared.arm, taken.rounds), compared.unit)
    theirs = ""
    if compared.against is not None:
        other = _figure(row.median_of(compared.against, taken.rounds), compared.unit)
        theirs = f"{name_of(compared.against)} {other}"
    cells = (
        row.title,
        ours,
        theirs,
        _interval(quartiles),
        str(quartiles.count),
        bound(row.target),
        row.target.verdict(quartiles).value if row.target else "beside",
    )
    return f"| {' | '.join(cells)} |"


def _figure(value: float, unit: str) -> str:
    return f"{number(value)} {unit}" if unit != "/s" else f"{number(value)}/s"


def number(value: float) -> str:
    """Write a number with three digits that count."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def _interval(of: Quartiles) -> str:
    return f"**{number(of.median)}** ({number(of.lower)}–{number(of.upper)})"


def bound(target: Target | None) -> str:
    """Write a target; a dash for none."""
    if target is None:
        return "–"
    return f"{'≥' if target.at_least else '≤'} {target.bound:g}"


def conditions(record: Record) -> Iterator[str]:
    """Say when, where and from which commit, once for all experiments that share it."""
    shared: dict[tuple[str, ...], list[str]] = {}
    for key, taken in record.items():
        facts = [f"commit {taken.commit}", *(f"{n}: {v}" for n, v in taken.machine.items())]
        shared.setdefault(tuple(facts), []).append(f"{key} ({_when(taken)})")
    for told, keys in shared.items():
        yield f"Measured {', '.join(keys)}:\n"
        yield from (f"- {fact}" for fact in told)
        yield ""


def _when(taken: Taken) -> str:
    runs = sum(len(one) for one in taken.rounds)
    busy = taken.busy_runs(CALM_SHARE)
    noise = f", {busy} of {runs} runs began on a busy machine" if busy else ""
    return f"{taken.began}{noise}"


def with_block(page: str, block: str) -> str:
    """Return a page with what stands between its markers replaced.

    Raises:
        ValueError: it has not both markers, each once and in order.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end or BEGIN in rest or END in after:
        raise ValueError(f"the page needs {BEGIN} and {END}, each once and in order")
    return f"{before}{BEGIN}\n{block.strip()}\n{END}{after}"


def block(record: Record, pictures: Iterator[str]) -> str:
    """Return what goes between the markers; ``pictures`` are lines that show the plots."""
    return "\n".join([table(record), "", *pictures, "", *conditions(record)])


def write_page(path: Path, text: str) -> None:
    """Replace the block of a page on disk, or begin one with it."""
    page = path.read_text(encoding="utf-8") if path.is_file() else f"{BEGIN}\n{END}\n"
    path.write_text(with_block(page, text), encoding="utf-8")
