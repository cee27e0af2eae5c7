"""Who may call, and where objects may be sent."""

from dataclasses import dataclass
from typing import Protocol

from archive.words.identity import Asker, Issuer


class Callers(Protocol):
    """The table of calling AE titles."""

    def caller(self, ae_title: str) -> Asker | None:
        """Return as whom a calling AE asks; None refuses its association."""


@dataclass(frozen=True, slots=True)
class Destination:
    """A peer that objects of a C-MOVE, and results of storage commitment, are sent to."""

    ae_title: str
    host: str
    port: int
    organisation: str | None = None
    """ODS code of the trust whose patient numbers it takes; None: those of whoever asks."""
    authority: Issuer | None = None
    """Which numbers of that trust, where the table of callers does not say it."""


class Destinations(Protocol):
    """The table of peers that are called."""

    def destination(self, ae_title: str) -> Destination | None:
        """Return where an AE title is reached; None: it is not known here."""
