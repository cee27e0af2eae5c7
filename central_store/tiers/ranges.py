"""Octet ranges as HTTP writes them (RFC 9110 Section 14)."""

import re

from archive.errors import MalformedMessage

_RANGE = re.compile(r"bytes=([0-9]{1,16})-([0-9]{0,16})")
_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,16})-([0-9]{1,16})/([0-9]{1,16})")


def wanted_range(header: str | None, length: int) -> tuple[int, int] | None:
    """Return (first octet, how many) of a Range header; None where the whole is to be sent.

    What is no single range from an octet on is ignored, as RFC 9110 Section 14.2 allows. A range
    that begins at or behind the end comes back with 0 octets: it cannot be satisfied.
    """
    found = _RANGE.fullmatch(header or "")
    if found is None:
        return None
    first = int(found[1])
    last = min(int(found[2]) if found[2] else length - 1, length - 1)
    return first, max(last - first + 1, 0)


def upload_offset(header: str | None, length: int) -> int:
    """Return the octet from which a body goes on to the end of a pack; 0 without a header.

    ``bytes 100-99/100`` says that nothing is left to send.

    Raises:
        MalformedMessage: not a Content-Range, or not one that runs to the end of the pack.
    """
    if header is None:
        return 0
    found = _CONTENT_RANGE.fullmatch(header)
    if found is None or (int(found[2]), int(found[3])) != (length - 1, length):
        raise MalformedMessage("Content-Range must run to the end of the pack.", length=length)
    offset = int(found[1])
    if offset > length:
        raise MalformedMessage("Content-Range begins behind the end.", length=length)
    return offset
