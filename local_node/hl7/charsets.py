"""Character sets of HL7 v2 (table 0211) and how a message is decoded that may lie about its own."""

import codecs
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

_UTF8 = "utf-8"
_WESTERN = "cp1252"
_LATIN_1 = "latin-1"
_C1 = range(0x80, 0xA0)

CODECS: Mapping[str, str] = MappingProxyType(
    {
        "ASCII": "ascii",
        "ISO IR6": "ascii",
        "8859/1": _LATIN_1,
        **{f"8859/{part}": f"iso8859-{part}" for part in (*range(2, 12), 13, 14, 15, 16)},
        "UNICODE": _UTF8,
        "UNICODE UTF-8": _UTF8,
        "UTF-8": _UTF8,
        "UTF8": _UTF8,
        "ISO-8859-1": _LATIN_1,
        "ISO8859-1": _LATIN_1,
        "WINDOWS-1252": _WESTERN,
        "CP1252": _WESTERN,
        "GB 18030-2000": "gb18030",
        "KS X 1001": "euc_kr",
        "BIG-5": "big5",
    }
)
"""Python's codec for each name of MSH-18: table 0211, then what senders write in its place."""


_IANA = {"ascii": "us-ascii", _LATIN_1: "iso-8859-1", _WESTERN: "windows-1252", "euc_kr": "euc-kr"}


def iana_name(codec: str) -> str:
    """Return the name by which HTTP and MIME know one of Python's codecs."""
    return _IANA.get(codec, codec.replace("iso8859", "iso-8859"))


@dataclass(frozen=True, slots=True, repr=False)
class Decoded:
    """A message as text."""

    text: str
    codec: str
    """Python's name of what it was decoded by."""
    doubt: str = ""
    """Why the text may be wrong, for a person; empty when declaration and octets agree."""


def decode(octets: bytes, declared: str) -> Decoded:
    """Decode by MSH-18 where it holds, else as UTF-8 strictly, else as Western European.

    Never fails: a wrong declaration must not lose a message.
    """
    if octets.isascii():
        return Decoded(octets.decode("ascii"), _ascii_as(declared))
    codec = CODECS.get(declared.strip().upper())
    if codec is None:
        return _guessed(octets, declared)
    text = None if codec == "ascii" else _strictly(octets, codec)
    if text is None:
        return _guessed(octets, declared)
    return _unless_utf8(octets, text, codec)


def _ascii_as(declared: str) -> str:
    """Return the codec for an answer to a message that happens to hold ASCII only."""
    codec = CODECS.get(declared.strip().upper(), "ascii")
    return codec if codecs.encode("MSH", codec) == b"MSH" else "ascii"


def _unless_utf8(octets: bytes, text: str, codec: str) -> Decoded:
    """Take UTF-8 for what is declared Western European and is valid UTF-8 throughout.

    Nobody's name has an Ã before a ¤ at every accent; a sender's default setting has.
    """
    if codec in (_LATIN_1, _WESTERN):
        utf8 = _strictly(octets, _UTF8)
        if utf8 is not None:
            return Decoded(utf8, _UTF8, "declared Western European, is UTF-8")
    if codec == _LATIN_1:
        return Decoded(_western(octets), codec)
    return Decoded(text, codec)


def _guessed(octets: bytes, declared: str) -> Decoded:
    why = "the declared character set does not hold" if declared else "none is declared"
    text = _strictly(octets, _UTF8)
    if text is not None:
        return Decoded(text, _UTF8, f"{why}; taken as UTF-8")
    return Decoded(_western(octets), _LATIN_1, f"{why}; taken as Western European")


def _western(octets: bytes) -> str:
    """Decode ISO 8859-1; octets that it gives to controls mean their Windows letters."""
    if not any(octet in _C1 for octet in octets):
        return octets.decode(_LATIN_1)
    return _strictly(octets, _WESTERN) or octets.decode(_LATIN_1)


def _strictly(octets: bytes, codec: str) -> str | None:
    try:
        return octets.decode(codec)
    except UnicodeDecodeError:
        return None
