"""The stored octets of one instance, to whoever may see its identifiers as they are stored.

``…/instances/{instance}/stored`` gives the Part 10 file as this archive keeps it, in whatever
transfer syntax; no view is applied. Its strong ETag is the SHA-256 of the Data Set, in
hexadecimal, and ``?sha256=`` picks exact octets where a UID has several.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from archive.dicomweb.accept import DICOM
from archive.dicomweb.access import Rule, asker_of, route
from archive.dicomweb.streaming import Streamed
from archive.dicomweb.wado import INSTANCE
from archive.errors import InvalidQuery, MalformedMessage, NotYetHeld
from archive.index.header import Elsewhere
from archive.reader import Outgoing, Reader
from archive.words.identity import Asker
from archive.words.objects import parse_sha256
from archive.words.uids import parse_uid

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


@dataclass(frozen=True, slots=True)
class Span:
    """Consecutive octets of a representation."""

    start: int
    length: int


def stored_route(reader: Callable[[], Reader]) -> BaseRoute:
    """Return the route of stored octets."""

    def stored(request: Request) -> Response:
        return _stored(request, reader())

    return route(INSTANCE + "/stored", stored, rule=Rule.TRUST_USER)


def _stored(request: Request, reader: Reader) -> Response:
    asker = asker_of(request)
    outgoing = reader.stored(
        asker,
        study_uid=parse_uid(request.path_params["study"]),
        series_uid=parse_uid(request.path_params["series"]),
        sop_uid=parse_uid(request.path_params["instance"]),
        sha256=_wanted_digest(request),
    )
    _check_may_see(asker, outgoing)
    if isinstance(outgoing.location, Elsewhere):
        raise NotYetHeld("The instance is announced and on its way.")
    tag = f'"{outgoing.digest.hex}"'
    if tag in _tags(request.headers.get("If-None-Match", "")):
        return Response(status_code=304, headers={"ETag": tag})
    return _octets(request, reader, outgoing, tag=tag, total=outgoing.location.length)


def _octets(
    request: Request, reader: Reader, outgoing: Outgoing, *, tag: str, total: int
) -> Response:
    span = _span(request, tag=tag, total=total)
    body: Iterator[bytes] = iter(())
    if request.method != "HEAD":
        body = cut(reader.part10(outgoing), span)
        asker = asker_of(request)
        reader.note_delivery(asker, outgoing, destination=asker.who, means="WADO")
    response = Streamed(body, media_type=f"{DICOM}; transfer-syntax={_syntax(outgoing)}")
    response.headers["ETag"] = tag
    response.headers["Accept-Ranges"] = "bytes"
    response.headers["Content-Length"] = str(span.length)
    if span.length < total:
        last = span.start + span.length - 1
        response.status_code = 206
        response.headers["Content-Range"] = f"bytes {span.start}-{last}/{total}"
    return response


def _syntax(outgoing: Outgoing) -> str:
    return outgoing.digest.transfer_syntax


def _wanted_digest(request: Request) -> bytes | None:
    text = request.query_params.get("sha256")
    if text is None:
        return None
    try:
        return parse_sha256(text)
    except MalformedMessage as error:
        raise InvalidQuery(error.sentence, parameter="sha256") from error


def _check_may_see(asker: Asker, outgoing: Outgoing) -> None:
    """Refuse a trust that has no number for the person, but for the custodian itself."""
    if outgoing.refusal is not None and outgoing.custodian != asker.organisation:
        raise outgoing.refusal


def _tags(header: str) -> list[str]:
    return [tag.strip().removeprefix("W/") for tag in header.split(",")]


def _span(request: Request, *, tag: str, total: int) -> Span:
    """Return what is asked for (RFC 9110 Section 14.2); several ranges at once are not made.

    Raises:
        HTTPException: 416, the range lies behind the end.
    """
    match = _RANGE.fullmatch(request.headers.get("Range", "").replace(" ", ""))
    is_current = request.headers.get("If-Range", tag) == tag
    if match is None or not is_current or match.groups() == ("", ""):
        return Span(0, total)
    first, last = match.groups()
    start = int(first) if first else max(0, total - int(last))
    end = min(int(last), total - 1) if first and last else total - 1
    if start > end:
        raise HTTPException(416, headers={"Content-Range": f"bytes */{total}"})
    return Span(start, end - start + 1)


def cut(chunks: Iterator[bytes], span: Span) -> Iterator[bytes]:
    """Yield the octets of a span."""
    skip, left = span.start, span.length
    for chunk in chunks:
        piece = chunk[skip : skip + left]
        skip = max(0, skip - len(chunk))
        left -= len(piece)
        if piece:
            yield piece
        if left == 0:
            return
