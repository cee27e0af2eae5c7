"""WADO-RS: instances and their metadata (PS3.18 Section 10.4).

Instances stream one after the other; what one of them needs in memory is let go before the next is
opened. A body that cannot be finished is broken off without its closing boundary.
"""

import uuid
from collections.abc import Callable, Iterator, Sequence
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from archive.dicomweb.accept import DICOM, acceptable_dicom, accepted_ranges, require_json
from archive.dicomweb.access import Rule, asker_of, route
from archive.dicomweb.leaving import Failures, Leaving, part10, select_held
from archive.dicomweb.qido import service_url
from archive.dicomweb.streaming import DICOM_JSON, Streamed, begun, json_array, with_first
from archive.reader import Outgoing, Reader, Selection
from archive.words.uids import parse_uid

STUDY = "/studies/{study}"
SERIES = STUDY + "/series/{series}"
INSTANCE = SERIES + "/instances/{instance}"


def retrieve_routes(reader: Callable[[], Reader]) -> list[BaseRoute]:
    """Return the three resources that are retrieved, and the metadata of each."""
    failures = Failures()

    def instances(request: Request) -> Response:
        return _instances(request, reader(), failures)

    def metadata(request: Request) -> Response:
        return _metadata(request, reader())

    return [
        made
        for path in (STUDY, SERIES, INSTANCE)
        for made in (
            route(path, instances, rule=Rule.TRUST_USER),
            route(path + "/metadata", metadata, rule=Rule.TRUST_USER),
        )
    ]


def _selection(request: Request) -> Selection:
    return Selection(_uid(request, "study"), _uid(request, "series"), _uid(request, "instance"))


def _uid(request: Request, level: str) -> tuple[str, ...]:
    text = request.path_params.get(level)
    return () if text is None else (parse_uid(text),)


def _metadata(request: Request, reader: Reader) -> Response:
    require_json(request)
    asker, selection = asker_of(request), _selection(request)
    select_held(reader, asker, selection)
    models = with_first(reader.metadata(asker, selection))
    return Streamed(json_array(models), media_type=DICOM_JSON)


def _instances(request: Request, reader: Reader, failures: Failures) -> Response:
    is_instance = "instance" in request.path_params
    acceptable = acceptable_dicom(accepted_ranges(request), is_instance=is_instance)
    chosen = select_held(reader, asker_of(request), _selection(request))
    leaving = Leaving(reader, asker_of(request), acceptable, failures)
    sendable = leaving.sendable(chosen)
    if request.method == "HEAD":
        return Response(media_type=DICOM if acceptable.single else _multipart_type("-"))
    if acceptable.single:
        return _one(leaving, sendable[0])
    return _many(request, leaving, sendable, total=len(chosen))


def _one(leaving: Leaving, outgoing: Outgoing) -> Response:
    prepared = leaving.prepared(outgoing)
    media_type = f"{DICOM}; transfer-syntax={prepared.transfer_syntax}"
    return Streamed(part10(outgoing, prepared), media_type=media_type)


def _many(
    request: Request, leaving: Leaving, sendable: Sequence[Outgoing], *, total: int
) -> Response:
    base = service_url(request)
    boundary = uuid.uuid4().hex
    body = begun(_multipart(leaving, sendable, boundary=boundary, base=base))
    response = Streamed(body, media_type=_multipart_type(boundary))
    if len(sendable) < total:
        missing = total - len(sendable)
        response.status_code = HTTPStatus.PARTIAL_CONTENT
        response.headers["Warning"] = (
            f'299 {base}: "{missing} of {total} instances cannot be given in an accepted transfer'
            ' syntax and are left out; transfer-syntax=* takes them as they are stored."'
        )
    return response


def _multipart_type(boundary: str) -> str:
    return f'multipart/related; type="{DICOM}"; boundary={boundary}'


def _multipart(
    leaving: Leaving, sendable: Sequence[Outgoing], *, boundary: str, base: str
) -> Iterator[bytes]:
    """Yield the parts (RFC 2387), each made ready only when the one before has gone."""
    for outgoing in sendable:
        prepared = leaving.prepared(outgoing)
        yield (
            f"--{boundary}\r\n"
            f"Content-Type: {DICOM}; transfer-syntax={prepared.transfer_syntax}\r\n"
            f"Content-Location: {_location(outgoing, base)}\r\n\r\n"
        ).encode()
        yield from part10(outgoing, prepared)
        yield b"\r\n"
    yield f"--{boundary}--\r\n".encode()


def _location(outgoing: Outgoing, base: str) -> str:
    return (
        f"{base}/studies/{outgoing.study_instance_uid}"
        f"/series/{outgoing.series_instance_uid}/instances/{outgoing.sop_instance_uid}"
    )
