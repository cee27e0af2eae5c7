"""What a caller accepts (PS3.18 Sections 8.3.3.1 and 8.7; RFC 9110 Section 12.5.1)."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from starlette.requests import Request

from archive.errors import NotAcceptable
from archive.view.wire import ANY_SYNTAX
from archive.words.syntaxes import EXPLICIT_VR_LITTLE_ENDIAN

DICOM = "application/dicom"
_MULTIPART = "multipart/related"
_JSON = frozenset({"application/dicom+json", "application/json", "application/*", "*/*"})
_ANY = "*/*"
_RANGE_LIMIT = 64

_PARTS = re.compile(r'(?:[^,"]|"(?:[^"\\]|\\.)*")+')
_PARAMETERS = re.compile(r';\s*([^\s=;]+)\s*=\s*("(?:[^"\\]|\\.)*"|[^;]*)')


@dataclass(frozen=True, slots=True)
class MediaRange:
    """One media range of an Accept header."""

    essence: str
    """Type and subtype in lower case."""
    parameters: Mapping[str, str]
    """By lower-case name, quotes taken off."""
    quality: float


@dataclass(frozen=True, slots=True)
class Acceptable:
    """In what form instances may be sent."""

    single: bool
    """One instance alone as ``application/dicom``; else in ``multipart/related``."""
    syntaxes: tuple[str, ...]
    """Transfer syntaxes in the caller's order; ``*`` is each and every one."""
    by_default: bool
    """No transfer syntax was named: the default stands, with the exceptions made for it."""


def media_ranges(header: str) -> list[MediaRange]:
    """Return the media ranges of an Accept header, the best first; refused ones are left out."""
    ranges = (_media_range(part) for part in _PARTS.findall(header)[:_RANGE_LIMIT])
    wanted = [each for each in ranges if each.quality > 0]
    return sorted(wanted, key=lambda each: -each.quality)


def _media_range(part: str) -> MediaRange:
    essence = part.partition(";")[0].strip().lower()
    parameters = {
        name.lower(): _unquoted(value.strip()) for name, value in _PARAMETERS.findall(part)
    }
    return MediaRange(essence, parameters, _quality(parameters.pop("q", "1")))


def _unquoted(value: str) -> str:
    if len(value) > 1 and value[0] == value[-1] == '"':
        return re.sub(r"\\(.)", r"\1", value[1:-1])
    return value


def _quality(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


def accepted_ranges(request: Request) -> list[MediaRange]:
    """Return what a request accepts: its ``accept`` parameter, else its header, else anything."""
    stated = request.query_params.getlist("accept") or request.headers.getlist("Accept")
    return media_ranges(", ".join(stated) or _ANY)


def require_json(request: Request) -> None:
    """Let a request pass that takes DICOM JSON.

    Raises:
        NotAcceptable: it takes only other media types, such as DICOM XML.
    """
    if not any(each.essence in _JSON for each in accepted_ranges(request)):
        raise NotAcceptable("This resource is given as application/dicom+json.")


def acceptable_dicom(ranges: Sequence[MediaRange], *, is_instance: bool) -> Acceptable:
    """Return how instances may be sent; ``is_instance``: the target is one instance.

    Without a ``transfer-syntax`` parameter that is Explicit VR Little Endian (PS3.18 Section
    8.7.3.4).

    Raises:
        NotAcceptable: no range takes ``application/dicom`` in a form that the target has.
    """
    fitting = [each for each in ranges if _is_multipart(each) or (is_instance and _is_one(each))]
    if not fitting:
        raise NotAcceptable('Accept multipart/related; type="application/dicom".')
    single = not _is_multipart(fitting[0])
    of_form = [each for each in fitting if _is_multipart(each) is not single]
    named = _named(of_form)
    by_default = any("transfer-syntax" not in each.parameters for each in of_form)
    default = (EXPLICIT_VR_LITTLE_ENDIAN,) if by_default else ()
    return Acceptable(single, (*named, *default), by_default=by_default)


def _named(ranges: Iterable[MediaRange]) -> tuple[str, ...]:
    named = (each.parameters.get("transfer-syntax", "") for each in ranges)
    return tuple(syntax for syntax in named if syntax)


def _is_multipart(each: MediaRange) -> bool:
    is_related = each.essence in (_MULTIPART, "multipart/*", _ANY)
    return is_related and each.parameters.get("type", DICOM).lower() in (DICOM, _ANY)


def _is_one(each: MediaRange) -> bool:
    return each.essence in (DICOM, "application/*")


def takes_anything(acceptable: Acceptable) -> bool:
    """Tell whether every transfer syntax is accepted."""
    return ANY_SYNTAX in acceptable.syntaxes
