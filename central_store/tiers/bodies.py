"""Request bodies: small ones whole and bounded, packs in blocks."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

from starlette.requests import ClientDisconnect, Request

from archive.errors import PayloadTooLarge

BLOCK = 1024 * 1024
"""Octets that are gathered before they are written."""

IDLE_SECONDS = 60.0
"""A body of which nothing comes for so long is given up."""

TakeBlock = Callable[[bytes], Awaitable[None]]


async def bounded(request: Request, most: int) -> bytes:
    """Return the whole body.

    Raises:
        PayloadTooLarge: it has more than ``most`` octets; no more than that is ever kept.
    """
    if int(request.headers.get("Content-Length", "0")) > most:
        raise PayloadTooLarge(f"The message is longer than {most} octets.")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            raise PayloadTooLarge(f"The message is longer than {most} octets.")
    return bytes(body)


async def in_blocks(
    request: Request, take: TakeBlock, *, idle_seconds: float = IDLE_SECONDS
) -> None:
    """Give the body to ``take`` in blocks; what came before a break is given too.

    Raises:
        ClientDisconnect: the caller went away, or sent nothing for ``idle_seconds``.
    """
    stream = aiter(request.stream())
    gathered = bytearray()
    try:
        while (chunk := await _next(stream, idle_seconds)) is not None:
            gathered += chunk
            if len(gathered) >= BLOCK:
                block = bytes(gathered)
                gathered.clear()
                await take(block)
    except ClientDisconnect:
        if gathered:
            await take(bytes(gathered))
        raise
    if gathered:
        await take(bytes(gathered))


async def _next(stream: AsyncIterator[bytes], idle_seconds: float) -> bytes | None:
    try:
        async with asyncio.timeout(idle_seconds):
            return await anext(stream, None)
    except TimeoutError as error:
        raise ClientDisconnect from error
