"""How many associations are open at a door, and whose."""

import threading
from collections import Counter

from archive.dimse.limits import DoorLimits


class Places:
    """Counts what is open, in all and of each calling AE title. Used by several threads."""

    def __init__(self, limits: DoorLimits) -> None:
        self._limits = limits
        self._lock = threading.Lock()
        self._open: Counter[str] = Counter()

    def take(self, calling_ae: str) -> str:
        """Count one more association; return why there is no place, empty where it was counted."""
        with self._lock:
            refusal = self._refusal(calling_ae)
            if not refusal:
                self._open[calling_ae] += 1
        return refusal

    def leave(self, calling_ae: str) -> None:
        """Count one association less."""
        with self._lock:
            self._open[calling_ae] -= 1
            if not self._open[calling_ae]:
                del self._open[calling_ae]

    def open(self) -> dict[str, int]:
        """Return how many associations are open, by calling AE title."""
        with self._lock:
            return dict(self._open)

    def _refusal(self, calling_ae: str) -> str:
        if self._open.total() >= self._limits.associations:
            return "associations"
        if self._open[calling_ae] >= self._limits.associations_per_ae:
            return "associations_per_ae"
        return ""
