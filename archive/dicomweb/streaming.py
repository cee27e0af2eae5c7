"""Responses that stream: nothing is held but what is on its way.

A body is made in the thread pool, piece by piece, each when the one before has gone; a slow caller
therefore holds neither a thread nor a transaction.
"""

import json
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from itertools import chain

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

_PIECE = 64 * 1024
DICOM_JSON = "application/dicom+json"


class Streamed(StreamingResponse):
    """A streaming response that answers HEAD without making its body."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the headers, and the body where one was asked for."""
        if scope["method"] == "HEAD":
            self.body_iterator = _nothing()
        await super().__call__(scope, receive, send)


async def _nothing() -> AsyncIterator[bytes]:
    none: tuple[bytes, ...] = ()
    for piece in none:
        yield piece


def begun(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Return the same pieces, the first made already: what fails at once fails before a status."""
    first = next(pieces, b"")
    return chain([first], pieces)


def json_array(items: Iterable[Mapping[str, object]]) -> Iterator[bytes]:
    """Yield a JSON array in UTF-8, in pieces of about 64 KiB."""
    piece, mark = "[", ""
    for item in items:
        piece += mark + _json(item)
        mark = ","
        if len(piece) >= _PIECE:
            yield piece.encode()
            piece = ""
    yield (piece + "]").encode()


def _json(item: Mapping[str, object]) -> str:
    """Return an object in JSON, without the elements that hold what JSON has no number for."""
    try:
        return _dumps(item)
    except ValueError:
        return _dumps({name: value for name, value in item.items() if _can_be_json(value)})


def _can_be_json(value: object) -> bool:
    try:
        _dumps(value)
    except ValueError:
        return False
    return True


def _dumps(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), allow_nan=False)


def with_first(items: Iterator[Mapping[str, object]]) -> Iterator[Mapping[str, object]]:
    """Return the same items, the first made already, so that a refusal comes before a status."""
    first = next(items, None)
    return items if first is None else chain([first], items)
