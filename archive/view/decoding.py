"""Coded text to characters, by the value of Specific Character Set (0008,0005) as it lies.

Most text is ASCII in a character set that keeps ASCII, and costs little. All other text is decoded
by pydicom, which knows the Standard's character sets (PS3.3 Section C.12.1.1.2).
"""

import warnings
from functools import lru_cache

_ESCAPE = b"\x1b"
"""Begins an escape sequence of ISO 2022 (PS3.5 Section 6.1.2.5)."""
_ASCII = bytes(octet for octet in range(128) if octet != _ESCAPE[0])


def decoded(value: bytes, character_set: bytes) -> str:
    """Return the characters of coded text, as far as it can be read. Never fails.

    What the character set does not have becomes U+FFFD; an unknown character set counts as the
    default one, with Latin-1 beyond ASCII.
    """
    if is_plain(value) and keeps_ascii(character_set):
        return value.decode("ascii")
    from pydicom.charset import decode_bytes
    from pydicom.valuerep import TEXT_VR_DELIMS

    try:
        with warnings.catch_warnings(action="ignore"):
            return decode_bytes(value, encodings_of(character_set), TEXT_VR_DELIMS)
    except (LookupError, ValueError):
        return value.decode("latin-1")


def is_plain(value: bytes) -> bool:
    """Tell whether octets are ASCII without escape sequences."""
    return value.isascii() and _ESCAPE not in value


@lru_cache(maxsize=128)
def keeps_ascii(character_set: bytes) -> bool:
    """Tell whether plain octets stand for their ASCII characters.

    Where there are several character sets, the first one holds until an escape sequence (PS3.5
    Section 6.1.2.5.3).
    """
    if not character_set.strip(b"\0 "):
        return True
    from pydicom.charset import python_encoding

    first = encodings_of(character_set)[0]
    if first not in python_encoding.values():
        return False
    return _ASCII.decode(first, "replace") == _ASCII.decode("ascii")


@lru_cache(maxsize=128)
def is_known(character_set: bytes) -> bool:
    """Tell whether every term is one of PS3.3 Section C.12.1.1.2, as pydicom knows them."""
    from pydicom.charset import python_encoding

    terms = character_set.decode("latin-1").rstrip("\0 ").split("\\")
    return all(term in python_encoding for term in terms)


@lru_cache(maxsize=128)
def encodings_of(character_set: bytes) -> tuple[str, ...]:
    """Return the codecs of a value of (0008,0005), the first one first.

    What pydicom does not know counts as the default character set.
    """
    from pydicom.charset import convert_encodings, default_encoding
    from pydicom.values import convert_string

    try:
        with warnings.catch_warnings(action="ignore"):
            names = convert_string(character_set, is_little_endian=True)
            return tuple(convert_encodings(names))
    except (LookupError, ValueError):
        return (default_encoding,)
