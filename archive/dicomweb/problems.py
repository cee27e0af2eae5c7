"""What an error becomes over HTTP: a status, and a body that says what happens next (RFC 9457).

The body of every problem::

    {"type": "about:blank", "title": "Not Found", "status": 404,
     "detail": "No such study.", "hint": "Check the identifier; …", "error": "NotFound"}

``error`` is the name of the error's class, by which another tier raises it anew. A failure that
nobody foresaw has a ``key`` instead, which is in one log line and tells the caller nothing else.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from archive import errors
from archive.errors import ArchiveError

STATUS: Mapping[type[ArchiveError], HTTPStatus] = {
    errors.Refused: HTTPStatus.BAD_REQUEST,
    errors.InvalidUid: HTTPStatus.BAD_REQUEST,
    errors.InvalidQuery: HTTPStatus.BAD_REQUEST,
    errors.MalformedMessage: HTTPStatus.BAD_REQUEST,
    errors.NotAuthenticated: HTTPStatus.UNAUTHORIZED,
    errors.NotPermitted: HTTPStatus.FORBIDDEN,
    errors.UnknownCallingAE: HTTPStatus.FORBIDDEN,
    errors.UnknownDestination: HTTPStatus.BAD_REQUEST,
    errors.NoAuthority: HTTPStatus.BAD_REQUEST,
    errors.NoLocalNumber: HTTPStatus.FORBIDDEN,
    errors.UnknownIssuer: HTTPStatus.BAD_REQUEST,
    errors.NotFound: HTTPStatus.NOT_FOUND,
    errors.Gone: HTTPStatus.GONE,
    errors.NotAcceptable: HTTPStatus.NOT_ACCEPTABLE,
    errors.PayloadTooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    errors.EncodingChanged: HTTPStatus.PRECONDITION_FAILED,
    errors.StateMoved: HTTPStatus.CONFLICT,
    errors.ConfigurationInvalid: HTTPStatus.INTERNAL_SERVER_ERROR,
    errors.Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.DiskFloorReached: HTTPStatus.INSUFFICIENT_STORAGE,
    errors.SegmentClosed: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.StorageFailed: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.DatabaseUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.BrokerUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.PeerUnreachable: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.PeerDeclined: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.NotYetHeld: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.Damaged: HTTPStatus.INTERNAL_SERVER_ERROR,
    errors.DigestMismatch: HTTPStatus.INTERNAL_SERVER_ERROR,
    errors.TornRecord: HTTPStatus.INTERNAL_SERVER_ERROR,
    errors.PackMalformed: HTTPStatus.INTERNAL_SERVER_ERROR,
    errors.DataSetUnreadable: HTTPStatus.INTERNAL_SERVER_ERROR,
    errors.PixelsDiffer: HTTPStatus.INTERNAL_SERVER_ERROR,
}
"""The status of each error. An error of another room has that of its nearest base."""

RETRY_AFTER_S = 5
"""When what is unavailable may be asked for again."""

_MEDIA_TYPE = "application/problem+json"
_CHALLENGE = 'Bearer realm="imagestore"'


@dataclass(frozen=True, slots=True)
class Problem:
    """What a caller is told instead of what was asked for."""

    status: int
    title: str
    detail: str
    hint: str
    error: str
    more: Mapping[str, object] = field(default_factory=dict)
    """Further members of the body."""
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def body(self) -> dict[str, object]:
        """Return the members of the JSON body."""
        told = {
            name: getattr(self, name) for name in ("title", "status", "detail", "hint", "error")
        }
        return {"type": "about:blank", **told, **self.more}


ProblemPage = Callable[[Request, Problem], Response]
"""Shows a problem to a person with a browser."""


def status_of(kind: type[ArchiveError]) -> HTTPStatus:
    """Return the status of an error, or of its nearest base in the table."""
    known = (STATUS[base] for base in kind.__mro__ if base in STATUS)
    return next(known, HTTPStatus.INTERNAL_SERVER_ERROR)


def problem_of(error: ArchiveError) -> Problem:
    """Return what an error becomes."""
    status = status_of(type(error))
    headers = {}
    if status is HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = _CHALLENGE
    if isinstance(error, errors.Unavailable):
        headers["Retry-After"] = str(RETRY_AFTER_S)
    successors = error.facts.get("successors")
    return Problem(
        status=status.value,
        title=status.phrase,
        detail=error.sentence,
        hint=error.hint,
        error=type(error).__name__,
        more={} if successors is None else {"successors": successors},
        headers=headers,
    )


_SENTENCES: Mapping[int, tuple[str, str, str]] = {
    404: ("NotFound", "There is nothing at this address.", "Check the address."),
    405: ("MethodNotAllowed", "This address does not answer to that method.", "See Allow."),
    416: ("RangeNotSatisfiable", "The range lies outside of what is there.", "See Content-Range."),
}


def problem_of_status(error: HTTPException) -> Problem:
    """Return what a refusal of the framework becomes."""
    status = HTTPStatus(error.status_code)
    name, sentence, hint = _SENTENCES.get(status.value, ("Refused", status.description, ""))
    return Problem(
        status.value, status.phrase, sentence, hint, error=name, headers=error.headers or {}
    )


def unforeseen(key: str) -> Problem:
    """Return what a failure that nobody foresaw becomes; the log has the rest under ``key``."""
    status = HTTPStatus.INTERNAL_SERVER_ERROR
    return Problem(
        status=status.value,
        title=status.phrase,
        detail="Something failed that was not foreseen; nothing that was stored is affected.",
        hint=f"Give the operator of this tier the key {key}.",
        error="Unforeseen",
        more={"key": key},
    )


def answer(request: Request, problem: Problem) -> Response:
    """Return a problem as a page where a browser asks for one, else as JSON."""
    page: ProblemPage | None = getattr(request.app.state, "problem_page", None)
    if page is not None and "text/html" in request.headers.get("Accept", ""):
        return page(request, problem)
    return JSONResponse(
        problem.body,
        status_code=problem.status,
        headers=dict(problem.headers),
        media_type=_MEDIA_TYPE,
    )


async def answer_error(request: Request, error: Exception) -> Response:
    """Answer an ArchiveError or a refusal of the framework."""
    if isinstance(error, ArchiveError):
        request.state.error = error
        return answer(request, problem_of(error))
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for these two alone
    return answer(request, problem_of_status(error))
