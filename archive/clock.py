"""Time as the archive sees it: aware UTC from one place, so that a test can move it."""

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """What every part that needs the time is given."""

    def now(self) -> datetime:
        """Return the time of day, aware, in UTC."""

    def monotonic(self) -> float:
        """Return seconds that never go back, for durations inside one process."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the machine's time of day in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return the machine's monotonic seconds."""
        return time.monotonic()


def milliseconds(at: datetime) -> int:
    """Return an aware time as whole milliseconds since 1970, as every row keeps it."""
    return round(at.timestamp() * 1000)


def from_milliseconds(value: int) -> datetime:
    """Return the aware UTC time of a row's milliseconds."""
    return datetime.fromtimestamp(value / 1000, UTC)
