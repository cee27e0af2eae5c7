"""A process that serves an empty app and says what it does; run by the tests of the server."""

import asyncio
import sys
from collections.abc import AsyncIterator

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse

from archive.dicomweb.access import Rule, route
from archive.dicomweb.app import build_app
from archive.dicomweb.server import HttpServer
from archive.index.counts import Counts
from archive.logs import log_to_stderr


async def fast(_request: Request) -> Response:
    return PlainTextResponse("fast")


async def endless(_request: Request) -> Response:
    async def body() -> AsyncIterator[bytes]:
        while True:
            yield b"x"
            await asyncio.sleep(0.05)

    return StreamingResponse(body())


def say(word: object) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


log_to_stderr()
app = build_app(
    name="T",
    routes=[
        route("/fast", fast, rule=Rule.PUBLIC),
        route("/endless", endless, rule=Rule.PUBLIC),
    ],
    tokens=(),
    ready_checks={},
    counts=Counts,
)
HttpServer(app, host="127.0.0.1", port=0).run(say)
say("returned")
