"""QIDO-RS: searching for studies, series and instances (PS3.18 Section 10.6).

Answers stream as ``application/dicom+json``. Nothing found is 200 with an empty array: Section
10.6.3 has 204 for it, which many clients take for a fault, and no client minds the array.
"""

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from archive.dicomweb.accept import require_json
from archive.dicomweb.access import Rule, asker_of, route
from archive.dicomweb.attributes import match_json, shown_attributes
from archive.dicomweb.query import Query, parse_query
from archive.dicomweb.streaming import DICOM_JSON, Streamed, json_array, with_first
from archive.reader import Level, Reader
from archive.words.uids import parse_uid

_RESOURCES = (
    ("/studies", Level.STUDY),
    ("/studies/{study}/series", Level.SERIES),
    ("/studies/{study}/series/{series}/instances", Level.IMAGE),
    ("/series", Level.SERIES),
    ("/instances", Level.IMAGE),
    ("/studies/{study}/instances", Level.IMAGE),
)
"""PS3.18 Table 10.6.1-1."""


def search_routes(reader: Callable[[], Reader]) -> list[BaseRoute]:
    """Return the six search resources."""
    return [
        route(path, _Search(reader, level).answer, rule=Rule.TRUST_USER)
        for path, level in _RESOURCES
    ]


class _Search:
    """One search resource."""

    def __init__(self, reader: Callable[[], Reader], level: Level) -> None:
        self._reader = reader
        self._level = level

    def answer(self, request: Request) -> Response:
        require_json(request)
        query = parse_query(self._level, request.query_params.multi_items())
        within = _path_keys(request)
        shown = None
        if query.fields is not None:
            shown = query.fields | shown_attributes(
                self._level,
                in_study="StudyInstanceUID" in within,
                in_series="SeriesInstanceUID" in within,
            )
        base = service_url(request)
        matches = self._reader().search(
            asker_of(request),
            self._level,
            {**query.keys, **within},
            limit=query.limit,
            offset=query.offset,
        )
        answers = with_first(match_json(match, shown, base=base) for match in matches)
        response = Streamed(json_array(answers), media_type=DICOM_JSON)
        _warn(response, query, base)
        return response


def _path_keys(request: Request) -> dict[str, str]:
    names = {"study": "StudyInstanceUID", "series": "SeriesInstanceUID"}
    return {
        keyword: parse_uid(request.path_params[name])
        for name, keyword in names.items()
        if name in request.path_params
    }


def service_url(request: Request) -> str:
    """Return the URL of the DICOMweb service, as the caller named its host."""
    return f"{request.url.scheme}://{request.url.netloc}{request.scope.get('root_path', '')}"


def _warn(response: Response, query: Query, base: str) -> None:
    for sentence in query.warnings:
        response.headers.append("Warning", f'299 {base}: "{sentence}"')
