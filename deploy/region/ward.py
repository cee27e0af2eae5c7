"""What the supervisor knows of one child: its state, when it may start again, how often it fell."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from deploy.region.process import Child, Running

FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 10.0
STEADY_SECONDS = 30.0
"""A child that was ready this long has recovered: its next fall begins with the first pause."""


class ChildState(StrEnum):
    """Where a child stands."""

    WAITING = "WAITING"
    """What it needs is not ready yet."""
    STARTING = "STARTING"
    READY = "READY"
    RESTING = "RESTING"
    """It fell; it is started again after a pause."""
    ENDING = "ENDING"
    """It was told to end."""
    ENDED = "ENDED"


MOVES: Mapping[ChildState, frozenset[ChildState]] = {
    ChildState.WAITING: frozenset({ChildState.STARTING, ChildState.RESTING, ChildState.ENDED}),
    ChildState.STARTING: frozenset({ChildState.READY, ChildState.RESTING, ChildState.ENDING}),
    ChildState.READY: frozenset({ChildState.RESTING, ChildState.ENDING}),
    ChildState.RESTING: frozenset({ChildState.STARTING, ChildState.RESTING, ChildState.ENDED}),
    ChildState.ENDING: frozenset({ChildState.ENDED}),
    ChildState.ENDED: frozenset(),
}


class ImpossibleMove(AssertionError):
    """The supervisor moved a child in a way that no table allows: a defect."""


def pause_seconds(falls: int) -> float:
    """Return how long a child rests after its `falls`-th fall in a row (1, 2, …)."""
    return float(min(FIRST_PAUSE_SECONDS * 2 ** min(falls - 1, 16), LONGEST_PAUSE_SECONDS))


@dataclass(slots=True)
class Ward:
    """One child and what became of it. Times in `_at` are monotonic seconds."""

    child: Child
    since: datetime
    state: ChildState = ChildState.WAITING
    running: Running | None = None
    restarts: int = 0
    falls: int = 0
    started_at: float = 0.0
    ready_at: float = 0.0
    start_at: float = 0.0
    last_end: str = ""
    ports: dict[str, int] = field(default_factory=dict)

    def move(self, *, to: ChildState, now: datetime) -> None:
        """Change the state; raises ImpossibleMove."""
        if to not in MOVES[self.state]:
            raise ImpossibleMove(f"{self.child.name}: {self.state} → {to}")
        self.state = to
        self.since = now

    def fell(self, *, why: str, at: float) -> float:
        """Note a fall and return the pause before the next start in seconds."""
        steady = self.ready_at > 0 and at - self.ready_at >= STEADY_SECONDS
        self.falls = 1 if steady else self.falls + 1
        self.ready_at = 0.0
        self.last_end = why
        pause = pause_seconds(self.falls)
        self.start_at = at + pause
        return pause

    def told(self) -> dict[str, object]:
        """Return what the status file says of the child."""
        return {
            "name": self.child.name,
            "state": self.state.value,
            "pid": self.running.pid if self.running else None,
            "since": self.since.isoformat(timespec="seconds"),
            "restarts": self.restarts,
            "last_end": self.last_end,
            "ports": self.ports,
        }
