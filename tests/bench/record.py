"""What was measured, kept as JSON: every run, so that a later bench of some rows keeps the rest."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.bench.consumption import Consumed
from tests.bench.rows import Round
from tests.bench.run import Measured


@dataclass(frozen=True, slots=True)
class Taken:
    """The rounds of one experiment, and where and when they were run."""

    began: str
    """UTC, ISO 8601."""
    commit: str
    machine: Mapping[str, str]
    rounds: Sequence[Round]

    def busy_runs(self, share: float) -> int:
        """Return how many runs began on a machine that others used more than this share of."""
        return sum(run.busy > share for one in self.rounds for run in one.values())


Record = dict[str, Taken]
"""By experiment."""


def read_record(path: Path) -> Record:
    """Return what a file tells; nothing where it is not there."""
    if not path.is_file():
        return {}
    told = json.loads(path.read_text(encoding="utf-8"))
    return {key: _taken(one) for key, one in told["experiments"].items()}


def write_record(path: Path, record: Record) -> None:
    """Write what was measured."""
    told = {"experiments": {key: asdict(one) for key, one in record.items()}}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


def _taken(told: Mapping[str, object]) -> Taken:
    rounds = told["rounds"]
    assert isinstance(rounds, list)
    read = [{arm: _measured(run) for arm, run in one.items()} for one in rounds]
    return Taken(**{**told, "rounds": read})  # type: ignore[arg-type]


def _measured(told: Mapping[str, object]) -> Measured:
    by_role = told["consumed"]
    assert isinstance(by_role, dict)
    consumed = {role: Consumed(**one) for role, one in by_role.items()}
    return Measured(**{**told, "consumed": consumed})  # type: ignore[arg-type]
