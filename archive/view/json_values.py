"""The DICOM JSON of single values (PS3.18 Section F.2), from their octets to JSON text.

What is written here without pydicom is what pydicom would write: plain ASCII, well-formed numbers.
All else is given to pydicom, value by value.
"""

import base64
import json
import re
import struct
from collections.abc import Callable
from math import isfinite

from archive.view.decoding import encodings_of, keeps_ascii

BULK_OCTETS = 1024
"""A binary value longer than this is bulk data, and left out with its element."""
BINARY = frozenset("OB OD OF OL OV OW UN".split())

_NUMBERS = {"US": "H", "SS": "h", "UL": "I", "SL": "i", "UV": "Q", "SV": "q", "FL": "f", "FD": "d"}
_SIZES = {"H": 2, "h": 2, "I": 4, "i": 4, "Q": 8, "q": 8, "f": 4, "d": 8}

_printable = re.compile(rb"[ !#-~]*\0?").fullmatch
"""ASCII that JSON takes as it is, but for backslashes; with the padding of a UID."""
_uids = re.compile(rb"[0-9.\\]*\0?").fullmatch
_integers = re.compile(rb" *[+-]?[0-9]{1,15} *(?:\\ *[+-]?[0-9]{1,15} *)*\0?").fullmatch
_DECIMAL = rb" *[+-]?(?:[0-9]{1,30}(?:\.[0-9]{0,30})?|\.[0-9]{1,30})(?:[eE][+-]?[0-9]{1,2})? *"
_decimals = re.compile(_DECIMAL + rb"(?:\\" + _DECIMAL + rb")*\0?").fullmatch

_encode: Callable[[object], str] = json.JSONEncoder(ensure_ascii=False).encode


class LeftOut(Exception):
    """JSON has no form for a value: its element is left out."""


class Declined(Exception):
    """Something odd: the whole instance is for pydicom to say."""


class _Unusual(Exception):
    """The value is for pydicom to say."""


def value_json(value: bytes, *, tag: int, vr: str, character_set: bytes) -> str:
    """Return the members of an element's JSON object as text, without braces.

    ``vr`` is one of PS3.5 Table 6.2-1 but SQ; ``value`` is little endian; ``character_set`` is the
    value of (0008,0005) that holds for it.

    Raises:
        LeftOut: the value is none that its representation can hold.
        Declined: so long a value of a broken length counts as binary for pydicom.
    """
    if not value:
        return f'"vr":"{vr}"'
    try:
        several = _WRITERS[vr](value, vr, character_set)
    except (_Unusual, struct.error):
        return decoded_json(value, tag=tag, vr=vr, character_set=character_set)
    return f'"vr":"{vr}","Value":[{several}]' if several else f'"vr":"{vr}"'


def decoded_json(value: bytes, *, tag: int, vr: str, character_set: bytes) -> str:
    """Return what :func:`value_json` returns, as pydicom decodes it; errors as there."""
    from pydicom.dataelem import RawDataElement, convert_raw_data_element
    from pydicom.tag import BaseTag

    raw = RawDataElement(
        BaseTag(tag), vr, len(value), value, 0, is_implicit_VR=False, is_little_endian=True
    )
    try:
        element = convert_raw_data_element(raw, encoding=list(encodings_of(character_set)))
        model = element.to_json_dict(None, BULK_OCTETS)
        text = json.dumps(model, ensure_ascii=False, allow_nan=False)
    except Exception as error:
        raise LeftOut from error
    if element.VR in BINARY and len(value) > BULK_OCTETS:
        raise Declined
    return text[1:-1]


def binary_json(value: bytes, *, vr: str) -> str:
    """Return the members of a binary element's JSON object as text, without braces."""
    if not value:
        return f'"vr":"{vr}"'
    return f'"vr":"{vr}","InlineBinary":"{base64.b64encode(value).decode()}"'


def private_creator(value: bytes, vr: bytes) -> str | None:
    """Return the name in a private creator element (PS3.5 Section 7.8.1); None if it is odd."""
    if vr not in (b"LO", b"UN", b"") or _printable(value) is None or b"\\" in value:
        return None
    return value.decode("ascii").rstrip("\0 ")


# --- representations -----------------------------------------------------------------------------


def _codes(value: bytes, _vr: str, _character_set: bytes) -> str:
    """AS CS DA DT TM: the default repertoire, padded at the end of all."""
    if _printable(value) is None:
        raise _Unusual
    return _quoted(value.decode("ascii").rstrip("\0 ").split("\\"))


def _titles(value: bytes, _vr: str, _character_set: bytes) -> str:
    """AE: spaces around each are padding."""
    if _printable(value) is None or value[-1] == 0:
        raise _Unusual
    return _quoted([one.strip() for one in value.decode("ascii").split("\\")])


def _uid_values(value: bytes, _vr: str, _character_set: bytes) -> str:
    if _uids(value) is None:
        raise _Unusual
    return _quoted(value.decode("ascii").rstrip("\0").split("\\"))


def _texts(value: bytes, _vr: str, character_set: bytes) -> str:
    """LO SH UC: several, each padded at its end."""
    if _printable(value) is None or not keeps_ascii(character_set):
        raise _Unusual
    return _quoted([one.rstrip("\0 ") for one in value.decode("ascii").split("\\")])


def _one_text(value: bytes, _vr: str, character_set: bytes) -> str:
    """LT ST UT: one, in which a backslash is a character."""
    if not value.isascii() or b"\x1b" in value or not keeps_ascii(character_set):
        raise _Unusual
    text = value.decode("ascii").rstrip("\0 ")
    return _encode(text) if text else ""


def _names(value: bytes, _vr: str, character_set: bytes) -> str:
    """PN: the component groups of one name."""
    if _printable(value) is None or b"\\" in value or not keeps_ascii(character_set):
        raise _Unusual
    groups = value.decode("ascii").rstrip("\0 ").rstrip("=").split("=")
    if groups == [""]:
        raise _Unusual
    members = zip(("Alphabetic", "Ideographic", "Phonetic"), groups, strict=False)
    return "{" + ",".join(f'"{name}":"{group}"' for name, group in members) + "}"


def _integer_strings(value: bytes, _vr: str, _character_set: bytes) -> str:
    if _integers(value) is None:
        raise _Unusual
    return ",".join(str(int(one)) for one in value.rstrip(b"\0").split(b"\\"))


def _decimal_strings(value: bytes, _vr: str, _character_set: bytes) -> str:
    if _decimals(value) is None:
        raise _Unusual
    return ",".join(repr(float(one)) for one in value.rstrip(b"\0").split(b"\\"))


def _integers_of(value: bytes, vr: str, _character_set: bytes) -> str:
    return ",".join(map(str, _unpacked(value, vr)))


def _floats_of(value: bytes, vr: str, _character_set: bytes) -> str:
    numbers = _unpacked(value, vr)
    if not all(map(isfinite, numbers)):
        raise _Unusual
    return ",".join(map(repr, numbers))


def _tags(value: bytes, _vr: str, _character_set: bytes) -> str:
    if len(value) % 4:
        raise _Unusual
    words = struct.unpack(f"<{len(value) // 2}H", value)
    pairs = zip(words[::2], words[1::2], strict=True)
    return ",".join(f'"{group:04X}{element:04X}"' for group, element in pairs)


def _for_pydicom(_value: bytes, _vr: str, _character_set: bytes) -> str:
    raise _Unusual


_WRITERS: dict[str, Callable[[bytes, str, bytes], str]] = {
    **dict.fromkeys("AS CS DA DT TM".split(), _codes),
    **dict.fromkeys("LO SH UC".split(), _texts),
    **dict.fromkeys("LT ST UT".split(), _one_text),
    **dict.fromkeys("US SS UL SL UV SV".split(), _integers_of),
    **dict.fromkeys("FL FD".split(), _floats_of),
    **dict.fromkeys(BINARY, _for_pydicom),
    "AE": _titles,
    "AT": _tags,
    "DS": _decimal_strings,
    "IS": _integer_strings,
    "PN": _names,
    "UI": _uid_values,
    "UR": _for_pydicom,
}


def _quoted(texts: list[str]) -> str:
    """Return JSON strings of texts that need no escaping; nothing for one that is empty."""
    return "" if texts == [""] else '"' + '","'.join(texts) + '"'


def _unpacked(value: bytes, vr: str) -> tuple[int, ...] | tuple[float, ...]:
    code = _NUMBERS[vr]
    count, rest = divmod(len(value), _SIZES[code])
    if rest:
        raise _Unusual
    return struct.unpack(f"<{count}{code}", value)
