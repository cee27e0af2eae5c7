"""UIDs as PS3.5 Section 9 builds them, and the few that the archive itself knows."""

import re
import uuid
from typing import NewType

from archive.errors import InvalidUid

Uid = NewType("Uid", str)

UID_LENGTH_LIMIT = 64
"""Characters at most (PS3.5 Section 9.1)."""

_FORM = re.compile(r"[0-9]+(\.[0-9]+)*")

KEY_OBJECT_SELECTION = Uid("1.2.840.10008.5.1.4.1.1.88.59")
"""Key Object Selection Document Storage (PS3.4 Section B.5)."""

IMPLEMENTATION_CLASS_UID = Uid("2.25.214829930577139735230316293164153041985")
IMPLEMENTATION_VERSION_NAME = "RIS_STORE_0_1"


def parse_uid(text: str) -> Uid:
    """Return the UID in ``text``, without the padding null or spaces some senders add.

    Leading zeros in a component are taken as sent: they are wrong, common, and harmless.

    Raises:
        InvalidUid: empty, over 64 characters, or anything but digits and single dots
            (PS3.5 Section 9.1).
    """
    stripped = text.rstrip("\0 ").lstrip(" ")
    if len(stripped) > UID_LENGTH_LIMIT or not _FORM.fullmatch(stripped):
        raise InvalidUid("The UID is not built as PS3.5 Section 9.1 asks.", uid=text[:80])
    return Uid(stripped)


def is_uid(text: str) -> bool:
    """Tell whether ``text`` is a well-built UID."""
    return len(text) <= UID_LENGTH_LIMIT and _FORM.fullmatch(text) is not None


def derived_uid(*parts: str) -> Uid:
    """Return a UID under 2.25 that the same parts always give (PS3.5 Section B.2)."""
    name = "\n".join(parts)
    return Uid(f"2.25.{uuid.uuid5(uuid.NAMESPACE_OID, name).int}")
