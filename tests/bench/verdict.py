"""Quartiles, and what they say about a target."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum


class Verdict(Enum):
    """What the runs say about a target."""

    REACHED = "reached"
    """The quartiles lie on the good side of the target, or on it."""
    MISSED = "missed"
    """They lie on the other side."""
    NOT_RESOLVED = "not resolved"
    """The target lies between them, or there are too few runs for quartiles."""


FEWEST = 3
"""Fewer values have no quartiles worth the name."""


@dataclass(frozen=True, slots=True)
class Quartiles:
    """The middle of some values."""

    lower: float
    median: float
    upper: float
    count: int

    @classmethod
    def of(cls, values: Sequence[float]) -> "Quartiles":
        """Return the quartiles of values, interpolated, the least and the greatest included.

        Raises:
            ValueError: there are none.
        """
        if not values:
            raise ValueError("no values have no quartiles")
        if len(values) == 1:
            return cls(values[0], values[0], values[0], 1)
        lower, median, upper = statistics.quantiles(values, n=4, method="inclusive")
        return cls(lower, median, upper, len(values))


@dataclass(frozen=True, slots=True)
class Target:
    """A bound that a figure is to keep."""

    bound: float
    at_least: bool

    def verdict(self, quartiles: Quartiles) -> Verdict:
        """Say whether the interval between the quartiles keeps the bound."""
        worse, better = quartiles.lower, quartiles.upper
        if quartiles.count < FEWEST:
            return Verdict.NOT_RESOLVED
        if not self.at_least:
            worse, better = better, worse
        if self.is_kept(worse):
            return Verdict.REACHED
        return Verdict.NOT_RESOLVED if self.is_kept(better) else Verdict.MISSED

    def is_kept(self, value: float) -> bool:
        """Tell whether a value is on the good side of the bound, or on it."""
        return value >= self.bound if self.at_least else value <= self.bound

    def times_better(self, value: float) -> float:
        """Return how many times better than the bound a value is; 1 is on it."""
        return value / self.bound if self.at_least else self.bound / value
