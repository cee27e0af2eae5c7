"""When failed work is tried again: a pure decision, in this one place."""

import random
from collections.abc import Callable
from dataclasses import dataclass

from archive.errors import NotAuthenticated, Refused, StateMoved, Unavailable


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of failed work: tried again after so many milliseconds, or given up."""

    retry_after_ms: int | None

    @property
    def gives_up(self) -> bool:
        """Whether a person must look now."""
        return self.retry_after_ms is None


def counts(error: BaseException) -> bool:
    """Tell whether an error counts against the work: no answer, or a wrong token, says nothing."""
    return not isinstance(error, Unavailable | NotAuthenticated)


GIVE_UP = Decision(retry_after_ms=None)


@dataclass(frozen=True, slots=True)
class Policy:
    """Refused fails at once, Unavailable is tried for ever, all else a few times.

    Attempts that met no answer are not among those few.

    Work to which the peer's door was shut is tried for ever, too: an operator changes the token.

    The pause doubles from `first_ms` to `longest_ms`, and is spread by `jitter` (a number from 0
    to 1) over a quarter each way, so that many jobs do not knock at the same instant.
    """

    first_ms: int = 500
    longest_ms: int = 300_000
    most_tries: int = 3
    jitter: Callable[[], float] = random.random

    def decide(self, error: BaseException, *, attempt: int, spoilt: int) -> Decision:
        """Return what becomes of work whose `attempt` (from 1) ended in `error`.

        `spoilt` says how many attempts before it ended in errors that count against the work.
        """
        if not counts(error):
            return self.again(attempt)
        if isinstance(error, Refused) and not isinstance(error, StateMoved):
            return GIVE_UP  # a row that moved meanwhile is read anew, like anything unexpected
        return self.again(attempt) if spoilt + 1 < self.most_tries else GIVE_UP

    def again(self, attempt: int) -> Decision:
        """Return the pause after `attempt`."""
        doublings = min(max(attempt, 1) - 1, 32)
        pause = min(self.first_ms << doublings, self.longest_ms)
        return Decision(round(pause * (0.75 + self.jitter() / 2)))
