"""A circuit breaker for each peer: a dead one stops only the work that goes to itself."""

import threading
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from archive.clock import Clock
from archive.errors import Damaged, PeerDeclined, PeerUnreachable, Refused


class BreakerState(StrEnum):
    """Whether work goes to a peer."""

    CLOSED = "closed"
    """All work goes."""
    OPEN = "open"
    """The peer did not answer; nothing goes until it has rested."""
    PROBING = "probing"
    """It has rested; one job may go and see."""


@dataclass(slots=True)
class _Line:
    """How a peer did lately."""

    failures: int = 0
    rest_s: float = 0.0
    opens_until: float = 0.0


@dataclass(slots=True)
class Breakers:
    """The breakers of one process; any thread may use them.

    A breaker opens after `threshold` unreachable answers in a row, for `first_rest_s`, twice as
    long after each probe that fails, at most `longest_rest_s`.
    """

    clock: Clock
    threshold: int = 3
    first_rest_s: float = 1.0
    longest_rest_s: float = 30.0
    _lines: dict[str, _Line] = field(default_factory=dict)
    _back: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, destination: str, error: BaseException | None) -> None:
        """Take the end of a job into account.

        A peer that refuses, declines or sends damaged bytes has answered. Trouble of our own (a
        full disk, the database) says nothing about the peer.
        """
        if not destination:
            return
        with self._lock:
            if isinstance(error, PeerUnreachable):
                self._failed(self._lines.setdefault(destination, _Line()))
            elif error is None or isinstance(error, Refused | Damaged | PeerDeclined):
                self._answered(destination)

    def take_back(self) -> Collection[str]:
        """Return, once, the peers that have come back since the last call."""
        with self._lock:
            back, self._back = self._back, set()
            return back

    def limits(self) -> Mapping[str, int]:
        """Return how many jobs may run to each peer that is not in order: none, or one probe."""
        return {
            destination: 0 if state is BreakerState.OPEN else 1
            for destination, state in self.states().items()
        }

    def states(self) -> Mapping[str, BreakerState]:
        """Return the breakers that are not closed, by destination."""
        now = self.clock.monotonic()
        with self._lock:
            return {
                destination: BreakerState.OPEN if now < line.opens_until else BreakerState.PROBING
                for destination, line in self._lines.items()
                if line.rest_s > 0
            }

    def _answered(self, destination: str) -> None:
        line = self._lines.pop(destination, None)
        if line is not None and line.rest_s > 0:
            self._back.add(destination)

    def _failed(self, line: _Line) -> None:
        line.failures += 1
        if line.failures < self.threshold:
            return
        now = self.clock.monotonic()
        if now < line.opens_until:
            return  # a job that was on its way when the breaker opened adds nothing
        line.rest_s = min(max(line.rest_s * 2, self.first_rest_s), self.longest_rest_s)
        line.opens_until = now + line.rest_s
