"""What one DICOM door takes on at once, and for how long."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DoorLimits:
    """Limits of a door; each is refused in the words of PS3.8."""

    associations: int = 200
    """Associations open at once, of all callers; one more is rejected (transient)."""
    associations_per_ae: int = 50
    """Associations open at once of one calling AE title."""
    pdu_bytes: int = 128 * 1024
    """Octets of a P-DATA-TF PDU that this side takes (PS3.8 Section D.1)."""
    idle_seconds: float = 600.0
    """A peer that says nothing for so long is aborted."""
    total_seconds: float = 12 * 3600.0
    """An association open for so long is aborted, whatever it does."""
    artim_seconds: float = 30.0
    """A connection that has not asked for an association for so long is closed (PS3.8 9.1.5)."""
