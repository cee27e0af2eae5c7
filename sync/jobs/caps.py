"""How many jobs may run to one destination at once, over all workers of a tier."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace


@dataclass(frozen=True, slots=True)
class Caps:
    """A cap for each destination; work inside this tier (no destination) has none."""

    default: int = 4
    by_destination: Mapping[str, int] = field(default_factory=dict)

    def of(self, destination: str) -> int | None:
        """Return the most jobs that may run to a destination, None for any number."""
        if not destination:
            return None
        return self.by_destination.get(destination, self.default)

    def narrowed(self, limits: Mapping[str, int]) -> "Caps":
        """Return these caps where no destination of `limits` gets more than it says."""
        narrow = {
            destination: min(limit, self.by_destination.get(destination, self.default))
            for destination, limit in limits.items()
        }
        return replace(self, by_destination={**self.by_destination, **narrow})

    def full(self, running: Mapping[str, int]) -> frozenset[str]:
        """Return the destinations that take no further job, given how many run to each."""
        known = {*running, *self.by_destination}
        return frozenset(d for d in known if self._is_full(d, running.get(d, 0)))

    def _is_full(self, destination: str, running: int) -> bool:
        most = self.of(destination)
        return most is not None and running >= most
