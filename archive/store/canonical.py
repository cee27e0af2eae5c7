"""Canonical JSON (RFC 8785): one value, one sequence of octets, so that its SHA-256 is an identity.

Values here are objects with ASCII keys, arrays, text, whole numbers below 2^53, true, false and
null. Fractions are not used: their canonical form is the hard part of the RFC.
"""

import json
from collections.abc import Mapping

from archive.errors import MalformedMessage, PackMalformed
from archive.words.objects import parse_sha256

INTEGER_LIMIT = 2**53
"""Whole numbers from here on do not survive every JSON reader (RFC 8785 Section 3.2.2.3)."""


def encode(value: object) -> bytes:
    """Return the one canonical form, in UTF-8.

    Raises:
        UnicodeEncodeError: a text holds half a surrogate pair.
    """
    text = json.dumps(
        value, ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":")
    )
    return text.encode()


def decode(octets: bytes) -> object:
    """Return the value of octets that are canonical.

    Raises:
        PackMalformed: not JSON, or not its canonical form: duplicate keys, spaces, another order
            or another way to write a text or number.
    """
    try:
        value: object = json.loads(octets.decode())
        canonical = encode(value)
    except (ValueError, RecursionError) as error:
        raise PackMalformed("The octets are not JSON.") from error
    if canonical != octets:
        raise PackMalformed("The JSON is not in its canonical form (RFC 8785).")
    return value


class Fields:
    """An object read strictly: exactly the keys that its form has, each of its type."""

    def __init__(self, value: object, *keys: str) -> None:
        """Take the object.

        Raises:
            PackMalformed: not an object, or a key is missing or unknown.
        """
        if not isinstance(value, dict) or value.keys() != set(keys):
            raise PackMalformed("An object does not have the keys it must.", keys=sorted(keys))
        self._fields: Mapping[str, object] = value

    def __getitem__(self, key: str) -> object:
        return self._fields[key]

    def text(self, key: str) -> str:
        """Return a text."""
        value = self._fields[key]
        if not isinstance(value, str):
            raise PackMalformed("A text was expected.", key=key)
        return value

    def number(self, key: str) -> int:
        """Return a whole number from 0 to 2^53 - 1."""
        value = self._fields[key]
        if type(value) is not int or not 0 <= value < INTEGER_LIMIT:
            raise PackMalformed("A whole number from 0 was expected.", key=key)
        return value

    def array(self, key: str) -> list[object]:
        """Return an array."""
        value = self._fields[key]
        if not isinstance(value, list):
            raise PackMalformed("An array was expected.", key=key)
        return value

    def sha256(self, key: str) -> bytes:
        """Return the 32 bytes of 64 lower-case hexadecimal digits."""
        try:
            return parse_sha256(self.text(key))
        except MalformedMessage as error:
            raise PackMalformed("A SHA-256 was expected.", key=key) from error

    def version(self, known: int) -> None:
        """Check the form's own version, kept under ``version``."""
        if self.number("version") != known:
            raise PackMalformed("The version is not known here.", version=self["version"])
