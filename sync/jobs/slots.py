"""How much one worker does at once, with one slot that only urgent work gets."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from archive.errors import ConfigurationInvalid
from sync.jobs.work import JobClass

_FEWEST = 2


@dataclass(slots=True)
class Slots:
    """Places at the bench; one of them takes only urgent work."""

    total: int
    _urgent: int = 0
    _ordinary: int = 0
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def __post_init__(self) -> None:
        if self.total < _FEWEST:
            raise ConfigurationInvalid(
                "A worker needs at least two slots, one of them for urgent work.",
                slots=self.total,
            )

    @contextmanager
    def taken(self, job_class: JobClass) -> Iterator[bool]:
        """Hold a slot for the length of the block; gives False, at once, when none is free."""
        got = self._take(job_class)
        try:
            yield got
        finally:
            if got:
                self._count(job_class, -1)

    def free(self, job_class: JobClass) -> int:
        """Return how many jobs of the class could start now."""
        with self._changed:
            return self._free(job_class)

    def wait_empty(self, seconds: float) -> bool:
        """Wait until nothing runs; False when `seconds` were not enough."""
        with self._changed:
            return self._changed.wait_for(lambda: self._urgent + self._ordinary == 0, seconds)

    def _free(self, job_class: JobClass) -> int:
        places = self.total - self._urgent - self._ordinary
        if job_class is JobClass.URGENT:
            return places
        return min(places, self.total - 1 - self._ordinary)

    def _take(self, job_class: JobClass) -> bool:
        with self._changed:
            if self._free(job_class) <= 0:
                return False
            self._count(job_class, 1)
            return True

    def _count(self, job_class: JobClass, change: int) -> None:
        with self._changed:
            if job_class is JobClass.URGENT:
                self._urgent += change
            else:
                self._ordinary += change
            self._changed.notify_all()
