"""Documents beside a study: which there are, and each as it was received."""

from collections.abc import Callable, Iterator, Mapping

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute

from archive.clock import from_milliseconds
from archive.dicomweb.access import Rule, asker_of, route
from archive.dicomweb.streaming import Streamed
from archive.dicomweb.wado import STUDY
from archive.errors import NotFound
from archive.reader import Reader, Report
from archive.words.uids import parse_uid

_SANDBOX = "default-src 'none'; sandbox"
"""A document may be of any kind, and must not act as a page of this tier."""


def document_routes(reader: Callable[[], Reader]) -> list[BaseRoute]:
    """Return the list of a study's documents, and the documents."""

    def listed(request: Request) -> Response:
        return JSONResponse([_told(report) for report in _reports(request, reader())])

    def document(request: Request) -> Response:
        return _document(request, reader())

    return [
        route(STUDY + "/documents", listed, rule=Rule.TRUST_USER),
        route(STUDY + "/documents/{document}", document, rule=Rule.TRUST_USER),
    ]


def _reports(request: Request, reader: Reader) -> list[Report]:
    study_uid = parse_uid(request.path_params["study"])
    return reader.reports(asker_of(request), study_uid=study_uid)


def _told(report: Report) -> Mapping[str, object]:
    return {
        "uid": report.document_uid,
        "title": report.title,
        "status": report.report_status,
        "custodian": report.custodian,
        "media_type": report.media_type,
        "charset": report.charset,
        "received": from_milliseconds(report.received_ms).isoformat(timespec="milliseconds"),
        "size": report.size,
        "sha256": report.sha256.hex(),
    }


def _document(request: Request, reader: Reader) -> Response:
    wanted = parse_uid(request.path_params["document"])
    found = [each for each in _reports(request, reader) if each.document_uid == wanted]
    if not found:
        raise NotFound("No such document beside that study.", uid=wanted)
    report = found[0]
    body: Iterator[bytes] = iter(()) if request.method == "HEAD" else reader.document(report)
    headers = {
        "ETag": f'"{report.sha256.hex()}"',
        "Content-Length": str(report.size),
        "Content-Disposition": f'attachment; filename="{report.document_uid}"',
        "Content-Security-Policy": _SANDBOX,
        "Content-Type": _media_type(report),
    }
    return Streamed(body, headers=headers)


def _media_type(report: Report) -> str:
    """Return the media type as received, with the character set where one is known."""
    stated = report.media_type or "application/octet-stream"
    return f"{stated}; charset={report.charset}" if report.charset else stated
