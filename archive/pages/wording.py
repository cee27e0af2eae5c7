"""Numbers, times and names as a person reads them."""

from archive.clock import from_milliseconds

_SECOND = 1000
_STEPS = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))
_UNITS = ("bytes", "kB", "MB", "GB", "TB", "PB")
_THOUSAND = 1000.0
_DATE_LENGTH = 8
_MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()


def counted(number: int, one: str, several: str) -> str:
    """Return ``1 study`` or ``1,234 studies``."""
    return f"{number:,} {one if number == 1 else several}"


def age(since_ms: int, now_ms: int) -> str:
    """Return how long ago something was, in its two largest units: ``2 h 5 min``."""
    left = max(0, now_ms - since_ms) // _SECOND
    parts = []
    for unit, seconds in _STEPS:
        if left >= seconds:
            parts.append(f"{left // seconds} {unit}")
        left %= seconds
    return " ".join(parts[:2]) or "less than 1 s"


def moment(at_ms: int) -> str:
    """Return a time of this system in full: ``1 Mar 2026 12:00:05 UTC``."""
    at = from_milliseconds(at_ms)
    return f"{at.day} {_MONTHS[at.month - 1]} {at.year} {at:%H:%M:%S} UTC"


def size(octets: int) -> str:
    """Return a size in decimal units: ``1.2 GB``."""
    number, unit = float(octets), 0
    while number >= _THOUSAND and unit < len(_UNITS) - 1:
        number, unit = number / _THOUSAND, unit + 1
    return f"{number:,.0f} {_UNITS[unit]}" if unit == 0 else f"{number:,.1f} {_UNITS[unit]}"


def day(value: str) -> str:
    """Return a DA value as a person writes it; what is no date stays as it is."""
    if (
        len(value) != _DATE_LENGTH
        or not value.isdecimal()
        or not 1 <= int(value[4:6]) <= len(_MONTHS)
    ):
        return value
    return f"{int(value[6:])} {_MONTHS[int(value[4:6]) - 1]} {value[:4]}"


def person(value: str) -> str:
    """Return a PN value's first group as ``Doe, Archibald James`` (PS3.5 Section 6.2.1.1)."""
    components = [part.strip() for part in value.partition("=")[0].split("^")]
    family, *others = components
    given = " ".join(part for part in others[:2] if part)
    return ", ".join(part for part in (family, given) if part)
