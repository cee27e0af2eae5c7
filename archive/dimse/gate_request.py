"""Who calls whom, read from the first octets of a connection (PS3.8 Section 9.3.2)."""

from dataclasses import dataclass

BEGINNING_OCTETS = 42
"""Of an A-ASSOCIATE-RQ: type, length, version, and both AE titles (PS3.8 Table 9-11)."""

_A_ASSOCIATE_RQ = 0x01
_HEAD = 6
_CALLED = slice(10, 26)
_CALLING = slice(26, 42)


@dataclass(frozen=True, slots=True)
class Beginning:
    """How a connection begins."""

    calling_ae: str
    """Empty where the first octets are no A-ASSOCIATE-RQ."""
    called_ae: str
    is_request: bool


_SOMETHING_ELSE = Beginning("", "", is_request=False)


def read_beginning(octets: bytes) -> Beginning | None:
    """Return how a connection begins, of its first octets; None while too few have come."""
    if octets[:1] not in (b"", bytes((_A_ASSOCIATE_RQ,))):
        return _SOMETHING_ELSE
    if len(octets) < BEGINNING_OCTETS:
        return _SOMETHING_ELSE if _is_whole(octets) else None
    return Beginning(_title(octets[_CALLING]), _title(octets[_CALLED]), is_request=True)


def _is_whole(octets: bytes) -> bool:
    """Tell whether a PDU ends that is too short to be a request."""
    return len(octets) >= _HEAD and len(octets) >= _HEAD + int.from_bytes(octets[2:_HEAD], "big")


def _title(octets: bytes) -> str:
    return octets.decode("ascii", "replace").strip(" \0")
