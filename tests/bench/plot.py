"""Pictures of the runs, as SVG: every value a dot, quartiles a box, the target a line."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

from tests.bench.page import bound, number
from tests.bench.record import Record, Taken
from tests.bench.rows import ROWS, Row, name_of
from tests.bench.verdict import Quartiles, Verdict

WIDTH = 960
LEFT, RIGHT = 330, 210
STEP = 34
TOP = 64
COLOURS = {
    Verdict.REACHED: "#1a7f37",
    Verdict.NOT_RESOLVED: "#9a6700",
    Verdict.MISSED: "#cf222e",
}
INK, PALE = "#1f2328", "#d0d7de"
SIDE_COLOURS = {"node": "#0969da", "orthanc": "#8250df", "storescp": "#57606a"}


@dataclass(slots=True)
class Drawing:
    """An SVG under way."""

    height: int
    parts: list[str] = field(default_factory=list)

    def text(
        self, x: float, y: float, words: str, *, anchor: str = "start", ink: str = INK
    ) -> None:
        self.parts.append(
            f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{ink}">'
            f"{escape(words)}</text>"
        )

    def line(
        self, x1: float, y1: float, x2: float, y2: float, *, ink: str, wide: float = 1
    ) -> None:
        self.parts.append(
            f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" '
            f'stroke="{ink}" stroke-width="{wide:g}"/>'
        )

    def box(self, x1: float, x2: float, y: float, *, ink: str) -> None:
        """Draw a box around the middle of a line of values."""
        self.parts.append(
            f'<rect x="{x1:.1f}" y="{y - 9:.1f}" width="{max(1.0, x2 - x1):.1f}" height="18" '
            f'fill="{ink}" fill-opacity="0.15" stroke="{ink}"/>'
        )

    def dot(self, x: float, y: float, *, ink: str) -> None:
        self.parts.append(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{ink}" fill-opacity="0.6"/>'
        )

    def strip(self, xs: Sequence[float], y: float, *, ink: str) -> None:
        """Draw values as dots, with a box from quartile to quartile and a stroke at the median."""
        middle = Quartiles.of(xs)
        self.box(middle.lower, middle.upper, y, ink=ink)
        self.line(middle.median, y - 9, middle.median, y + 9, ink=ink, wide=3)
        for x in xs:
            self.dot(x, y, ink=ink)

    def svg(self) -> str:
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {self.height}" '
            f'font-family="sans-serif" font-size="13">'
        )
        ground = f'<rect width="{WIDTH}" height="{self.height}" fill="#ffffff"/>'
        return "\n".join([head, ground, *self.parts, "</svg>", ""])


def targets_picture(record: Record) -> str:
    """Return the picture of all rows with a target: how many times better than it."""
    rows = [row for row in ROWS if row.target and row.experiment in record]
    drawing = Drawing(TOP + STEP * len(rows) + 40)
    drawing.text(16, 26, "Every pair of runs against its target; right of the line is better.")
    _scale(drawing, bottom=TOP + STEP * len(rows))
    for place, row in enumerate(rows):
        _target_strip(drawing, row, record[row.experiment], TOP + STEP * (place + 0.5))
    return drawing.svg()


def _scale(drawing: Drawing, *, bottom: float) -> None:
    for times in (0.25, 0.5, 1, 2, 4, 8):
        x = _place(times)
        is_target = times == 1
        drawing.line(
            x, TOP - 8, x, bottom, ink=INK if is_target else PALE, wide=2 if is_target else 1
        )
        words = "target" if is_target else f"{times:g} times"
        drawing.text(x, bottom + 20, words, anchor="middle")


def _place(times: float) -> float:
    """Return where on the picture a multiple of the target lies: a logarithmic scale."""
    within = min(max(times, 0.2), 10)
    share = (math.log2(within) - math.log2(0.2)) / (math.log2(10) - math.log2(0.2))
    return LEFT + share * (WIDTH - LEFT - RIGHT)


def _target_strip(drawing: Drawing, row: Row, taken: Taken, y: float) -> None:
    assert row.target is not None
    values = row.values(taken.rounds)
    middle = Quartiles.of(values)
    verdict = row.target.verdict(middle)
    ink = COLOURS[verdict]
    drawing.text(LEFT - 14, y + 5, row.title, anchor="end")
    drawing.strip([_place(row.target.times_better(one)) for one in values], y, ink=ink)
    unit = "" if row.compared.against else f" {row.compared.unit}"
    told = f"{number(middle.median)}{unit} ({bound(row.target)}) {verdict.value}"
    drawing.text(WIDTH - RIGHT + 14, y + 5, told, ink=ink)


def rates_picture(record: Record) -> str:
    """Return the picture of every run's rate, each experiment on a scale of its own."""
    lines = [(key, arm) for key, taken in record.items() for arm in _arms(taken)]
    drawing = Drawing(TOP + STEP * len(lines) + 20)
    drawing.text(
        16, 26, "Instances a second until the last answer, every run; each experiment has a scale."
    )
    for place, (key, arm) in enumerate(lines):
        _rate_strip(drawing, key, arm, record[key], TOP + STEP * (place + 0.5))
    return drawing.svg()


def _arms(taken: Taken) -> list[str]:
    return list(dict.fromkeys(arm for one in taken.rounds for arm in one))


def _rate_strip(drawing: Drawing, key: str, arm: str, taken: Taken, y: float) -> None:
    fastest = max(run.rate for one in taken.rounds for run in one.values())
    rates = [one[arm].rate for one in taken.rounds if arm in one]
    wide = WIDTH - LEFT - RIGHT
    ink = SIDE_COLOURS[arm.partition(" ")[0]]
    drawing.text(LEFT - 14, y + 5, f"{key}: {name_of(arm)}", anchor="end")
    drawing.line(LEFT, y, WIDTH - RIGHT, y, ink=PALE)
    drawing.strip([LEFT + wide * rate / fastest for rate in rates], y, ink=ink)
    drawing.text(WIDTH - RIGHT + 14, y + 5, f"{number(Quartiles.of(rates).median)}/s", ink=ink)
