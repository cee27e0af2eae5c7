"""What a step of the story is, what it gives, and how it fails."""

import hashlib
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TypeVar

POLL_SECONDS = 0.05

Seen = TypeVar("Seen")


class StepFailed(Exception):
    """What was expected did not come about."""

    def __init__(self, *, expected: object, seen: object, hint: str = "") -> None:
        super().__init__(f"expected {expected}; seen {seen}")
        self.expected = str(expected)
        self.seen = str(seen)
        self.hint = hint


def fingerprint(digests: Collection[str]) -> str:
    """Return one short word for a set of digests: equal words, equal octets."""
    joined = "\n".join(sorted(digests))
    return f"{len(digests)} digests, together {hashlib.sha256(joined.encode()).hexdigest()[:16]}"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a step saw: sentences for a person."""

    lines: tuple[str, ...]
    digests: Collection[str] = ()
    """SHA-256 in hexadecimal of every Data Set that was compared, as it was seen."""


def evidence(*lines: str, digests: Collection[str] = ()) -> Evidence:
    """Return evidence of these lines."""
    return Evidence(lines, digests)


def check(holds: object, *, expected: object, seen: object, hint: str = "") -> None:
    """Raise StepFailed where something does not hold."""
    if not holds:
        raise StepFailed(expected=expected, seen=seen, hint=hint)


def check_equal(seen: object, expected: object, what: str, *, hint: str = "") -> None:
    """Raise StepFailed where two things that ought to be equal are not."""
    if seen != expected:
        raise StepFailed(expected=f"{what}: {_short(expected)}", seen=_short(seen), hint=hint)


def eventually(
    look: Callable[[], Seen],
    holds: Callable[[Seen], object],
    *,
    expected: object,
    seconds: float,
    hint: str = "",
) -> Seen:
    """Look again and again until what is seen holds, and return it.

    Raises:
        StepFailed: it does not within ``seconds``; tells what was seen last.
    """
    deadline = time.monotonic() + seconds
    while not holds(seen := look()):
        if time.monotonic() > deadline:
            raise StepFailed(
                expected=f"{expected} within {seconds:.0f} s", seen=_short(seen), hint=hint
            )
        time.sleep(POLL_SECONDS)
    return seen


def _short(value: object) -> str:
    text = f"{sorted(map(str, value))}" if isinstance(value, set | frozenset) else f"{value}"
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} … ({len(text)} characters)"


LONGEST = 600
"""Characters of something seen that are told."""
