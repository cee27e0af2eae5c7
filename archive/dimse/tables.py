"""The tables of callers and destinations, from settings: they need no database."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from archive.dimse.limits import DoorLimits
from archive.dimse.peers import Destination
from archive.words.identity import Asker, Issuer

if TYPE_CHECKING:
    from archive.config import LimitSettings, PeerSettings


@dataclass(frozen=True, slots=True)
class CallerTable:
    """Calling AE titles and as whom each asks."""

    rows: Mapping[str, tuple[str, Issuer | None]]
    """AE title to (ODS code, assigning authority)."""
    anyone: tuple[str, Issuer | None] | None = None
    """As whom an AE title without a row asks; None refuses it."""

    def caller(self, ae_title: str) -> Asker | None:
        """Return as whom a calling AE asks; None refuses its association."""
        found = self.rows.get(ae_title, self.anyone)
        if found is None:
            return None
        return Asker(organisation=found[0], authority=found[1], who=ae_title)


@dataclass(frozen=True, slots=True)
class DestinationTable:
    """C-MOVE destinations by AE title."""

    rows: Mapping[str, Destination]

    def destination(self, ae_title: str) -> Destination | None:
        """Return where an AE title is reached; None: it is not known here."""
        return self.rows.get(ae_title)


def destination_table(
    peers: "tuple[PeerSettings, ...]", authority_of: Callable[[str], Issuer | None]
) -> DestinationTable:
    """Return the table of the peers in the settings.

    ``authority_of`` tells which patient numbers a trust's peers take, by its ODS code.
    """
    rows = {
        peer.ae_title: Destination(
            ae_title=peer.ae_title,
            host=peer.host,
            port=peer.port,
            organisation=peer.organisation or None,
            authority=authority_of(peer.organisation),
        )
        for peer in peers
    }
    return DestinationTable(rows)


def door_limits(limits: "LimitSettings") -> DoorLimits:
    """Return the limits of a DICOM door that the settings give."""
    return DoorLimits(
        associations=limits.associations,
        associations_per_ae=limits.associations_per_ae,
        pdu_bytes=limits.pdu_bytes,
        idle_seconds=limits.association_idle_seconds,
        total_seconds=limits.association_total_seconds,
    )
