"""The rows of the table: a figure of each round, and the target it is held against."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tests.bench.run import Measured
from tests.bench.sides import NAMES, NODE, ORTHANC, STORESCP
from tests.bench.verdict import Quartiles, Target

Round = Mapping[str, Measured]
"""What the arms of an experiment measured in one round, by their names."""

Figure = Callable[[Measured], float]

NAGLE_ON, NAGLE_OFF = "Nagle on", "Nagle off"


@dataclass(frozen=True, slots=True)
class Compared:
    """A figure of one arm, against the same figure of another one where there is one."""

    figure: Figure
    unit: str
    arm: str
    against: str | None = None

    def value(self, one: Round) -> float:
        """Return the ratio of a round, or the figure itself where nobody is compared."""
        ours = self.figure(one[self.arm])
        return ours if self.against is None else ours / self.figure(one[self.against])

    def is_in(self, one: Round) -> bool:
        """Tell whether a round has what it takes."""
        return self.arm in one and (self.against is None or self.against in one)


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the table."""

    experiment: str
    title: str
    compared: Compared
    target: Target | None
    """None for figures that only stand beside."""

    def values(self, rounds: Sequence[Round]) -> list[float]:
        """Return the figure of each round that has it."""
        return [self.compared.value(one) for one in rounds if self.compared.is_in(one)]

    def median_of(self, arm: str, rounds: Sequence[Round]) -> float:
        """Return the median of what an arm measured, in the row's unit."""
        of_arm = [self.compared.figure(one[arm]) for one in rounds if self.compared.is_in(one)]
        return Quartiles.of(of_arm).median


def name_of(arm: str) -> str:
    """Return an arm's name for readers."""
    side, _, rest = arm.partition(" ")
    return f"{NAMES[side]} {rest}".strip()


def _rate(one: Measured) -> float:
    return one.rate


def _searchable_rate(one: Measured) -> float:
    return one.searchable_rate


def _receive_cpu(one: Measured) -> float:
    """CPU seconds a GB: of our receiving processes, or of all that another side has."""
    role = "receive" if "receive" in one.consumed else "whole"
    return one.consumed[role].cpu_seconds / one.octets * 1e9


def _whole_cpu(one: Measured) -> float:
    return sum(role.cpu_seconds for role in one.consumed.values()) / one.octets * 1e9


def _receive_peak(one: Measured) -> float:
    return one.consumed["receive"].largest_peak_bytes / 1e6


def _sealed(one: Measured) -> float:
    assert one.settled_seconds is not None
    return one.settled_seconds


def _at_least(bound: float) -> Target:
    return Target(bound, at_least=True)


def _at_most(bound: float) -> Target:
    return Target(bound, at_least=False)


RATE, CPU = "/s", "s/GB"


def _faster(experiment: str, title: str, bound: float, figure: Figure = _rate) -> Row:
    return Row(experiment, title, Compared(figure, RATE, NODE, ORTHANC), _at_least(bound))


def _cpu(experiment: str, title: str, figure: Figure, bound: float | None) -> Row:
    target = None if bound is None else _at_most(bound)
    return Row(experiment, title, Compared(figure, CPU, NODE, ORTHANC), target)


def _nagle(experiment: str, title: str, side: str, bound: float | None) -> Row:
    compared = Compared(_rate, RATE, f"{side} {NAGLE_ON}", f"{side} {NAGLE_OFF}")
    return Row(experiment, title, compared, None if bound is None else _at_least(bound))


ROWS = (
    _faster("ct1", "CT, 1 association", 2.5),
    _faster("ct4", "CT, 4 associations", 2.5),
    _faster("small1", "34 KB, 1 association", 2.0),
    _faster("small4", "34 KB, 4 associations", 1.5),
    _nagle("nagle-ct", "CT, sender with Nagle on", NODE, 0.8),
    _nagle("nagle-ct", "… Orthanc's", ORTHANC, None),
    _nagle("nagle-ct", "… storescp's", STORESCP, None),
    _nagle("nagle-small", "34 KB, sender with Nagle on", NODE, 0.8),
    _nagle("nagle-small", "… Orthanc's", ORTHANC, None),
    _nagle("nagle-small", "… storescp's", STORESCP, None),
    _cpu("ct1", "CT: receive CPU against Orthanc's whole CPU", _receive_cpu, 0.25),
    _cpu("ct1", "CT: whole node's CPU, all sealed", _whole_cpu, 1.0),
    _cpu("small1", "34 KB: receive CPU", _receive_cpu, None),
    _cpu("small1", "34 KB: whole node's CPU, all sealed", _whole_cpu, None),
    Row(
        "ct4",
        "CT, 4 associations, against storescp",
        Compared(_rate, RATE, NODE, STORESCP),
        _at_least(0.7),
    ),
    _faster("dx", "60 MB DX, 1 association", 3.0),
    Row(
        "dx",
        "60 MB DX: peak of the largest receive process",
        Compared(_receive_peak, "MB", NODE),
        _at_most(80),
    ),
    _faster("long", "10 GB of CT, 1 association, until searchable", 1.5, _searchable_rate),
    Row(
        "long",
        "10 GB: from last image to all sealed",
        Compared(_sealed, "s", NODE),
        _at_most(30),
    ),
)
