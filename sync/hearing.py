"""When the centre was last heard of, as a node's page tells it."""

from dataclasses import dataclass, field

from archive.clock import Clock, milliseconds
from archive.index.directory import hear
from archive.index.engine import Index

_EVERY_MS = 5_000


@dataclass(slots=True)
class Hearing:
    """Notes that a peer has answered, at most once in five seconds."""

    index: Index
    clock: Clock
    name: str
    """Whom: a row among this archive's nodes."""
    _noted_ms: int = field(default=-_EVERY_MS)

    def note(self) -> None:
        """Note that the peer has just answered. Never called inside a transaction."""
        at_ms = milliseconds(self.clock.now())
        if at_ms - self._noted_ms >= _EVERY_MS:
            self._noted_ms = at_ms
            with self.index.writing() as conn:
                hear(conn, self.name, at_ms=at_ms)
