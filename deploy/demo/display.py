"""What a person sees of the story while it runs: plain lines, or a terminal's small luxuries."""

import contextlib
import io
import sys
from collections.abc import Iterator, Sequence
from typing import Literal

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from deploy.demo.evidence import StepFailed
from deploy.demo.steps import Held

INDENT = "      "
NUMBERS = ("", "seconds", "digests")


class Display:
    """Prints to standard output; without a terminal, one plain line for each thing said."""

    def __init__(self) -> None:
        _let_odd_characters_pass(sys.stdout)
        self._console = Console(highlight=False, soft_wrap=True, emoji=False)

    def title(self, text: str) -> None:
        """Say what this is."""
        self._console.print(Text(text, style="bold"))

    def say(self, text: str) -> None:
        """Say one thing."""
        self._console.print(Text(text))

    @contextlib.contextmanager
    def doing(self, text: str) -> Iterator[None]:
        """Say what is being done, as long as it is; what holds or fails says so afterwards."""
        if not self._console.is_terminal:
            self._console.print(Text(f"{text} ..."))
            yield
            return
        with self._console.status(Text(text), spinner="line"):
            yield

    def held(self, text: str, held: Held) -> None:
        """Tell a step that held, with its evidence."""
        self._head(text, f"held, {held.seconds:.1f} s", style="green")
        for line in held.evidence.lines:
            self._below(line)

    def failed(self, text: str, failure: StepFailed) -> None:
        """Tell a step that failed: what was expected, what was seen, where to look."""
        self._head(text, "FAILED", style="bold red")
        self._below(f"expected  {failure.expected}")
        self._below(f"seen      {failure.seen}")
        if failure.hint:
            self._below(f"hint      {failure.hint}")

    def summary(self, held: Sequence[Held], *, steps: int) -> None:
        """Show a table of what held."""
        table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
        for column in ("", "step", "seconds", "digests", "result"):
            justify: Literal["left", "right"] = "right" if column in NUMBERS else "left"
            table.add_column(column, justify=justify, no_wrap=True)
        for number, each in enumerate(held, start=1):
            digests = str(len(each.evidence.digests) or "")
            table.add_row(str(number), each.step.title, f"{each.seconds:.1f}", digests, "held")
        self._console.print()
        self._console.print(table)
        seconds = sum(each.seconds for each in held)
        self.title(f"{len(held)} of {steps} steps held, in {seconds:.1f} s")

    def _head(self, text: str, outcome: str, *, style: str) -> None:
        """Say how it ended; where no line was overwritten, the step stands above already."""
        if self._console.is_terminal:
            self._console.print(Text.assemble((text, "bold"), "  ", (outcome, style)))
        else:
            self._below(outcome)

    def _below(self, text: str) -> None:
        if self._console.is_terminal:
            self._console.print(Padding(Text(text), (0, 0, 0, len(INDENT))), soft_wrap=False)
        else:
            self._console.print(Text(f"{INDENT}{text}"))


def _let_odd_characters_pass(stream: object) -> None:
    """Keep a terminal or pipe that knows ASCII only from ending the story."""
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="replace")
