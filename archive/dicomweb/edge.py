"""What stands around every request: one log line, safe headers, no internals to the outside.

The line names the route by its template. Paths, queries and headers hold patients' numbers and
tokens, and are never in it.
"""

import time
import uuid
from collections.abc import Mapping

import structlog
from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from archive.dicomweb.problems import answer, unforeseen
from archive.errors import ArchiveError
from archive.unexpected import told_of

_log = structlog.get_logger("http")

_NO_ROUTE = "-"
_CALLERS_WORDS = frozenset({"issuer", "text", "uid"})
"""Facts that repeat what a caller wrote: it may be a patient's number in the wrong place."""
_HEADERS: Mapping[str, str] = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "private, no-store",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
}
"""Set where a response has no value of its own."""


class Edge:
    """The outermost layer of an app."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; what is not HTTP passes."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope.setdefault("state", {})
        await _Exchange(scope, send).run(self._app, receive)


class _Exchange:
    """One request and what became of it."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self._scope = scope
        self._send = send
        self._began = time.monotonic()
        self._status = 0
        self._outcome: dict[str, object] = {}

    async def run(self, app: ASGIApp, receive: Receive) -> None:
        try:
            await app(self._scope, receive, self._forward)
        except ClientDisconnect:
            self._outcome["broken"] = "the caller went away"
        except Exception as error:  # noqa: BLE001 - nothing of it may reach caller or server log
            await self._fail(error, receive)
        finally:
            self._write_line()

    async def _forward(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = int(message["status"])
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
        await self._send(message)

    async def _fail(self, error: Exception, receive: Receive) -> None:
        """Answer 500, or break off a body that has begun: half an answer must not look whole."""
        cause = error.__cause__
        if isinstance(cause, ArchiveError):
            self._scope["state"]["error"] = cause
            self._outcome["broken"] = "the body was broken off"
            return
        told = told_of(error)
        key = uuid.uuid4().hex[:12]
        self._outcome |= {"key": key, "unforeseen": told.pop("error"), "at": told.pop("where")}
        self._outcome |= told
        if self._status == 0:
            request = Request(self._scope, receive)
            response = answer(request, unforeseen(key))
            await response(self._scope, receive, self._forward)

    def _write_line(self) -> None:
        state = self._scope["state"]
        error = state.get("error")
        if isinstance(error, ArchiveError):
            facts = {key: fact for key, fact in error.facts.items() if key not in _CALLERS_WORDS}
            self._outcome |= {"error": type(error).__name__, "facts": facts}
        _log.info(
            "answered",
            method=self._scope["method"],
            route=state.get("route", _NO_ROUTE),
            status=self._status,
            ms=round((time.monotonic() - self._began) * 1000),
            user=getattr(state.get("caller"), "name", _NO_ROUTE),
            **self._outcome,
        )
