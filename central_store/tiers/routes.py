"""The routes that nodes call, under ``/tiers/v1``; ``docs/tiers.md`` tells each of them."""

import asyncio
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from http import HTTPStatus
from typing import TypeVar

import structlog
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute

from archive.dicomweb.access import Rule, node_of, route
from archive.dicomweb.problems import answer, problem_of
from archive.errors import (
    ArchiveError,
    Damaged,
    EncodingChanged,
    MalformedMessage,
    NotFound,
    StateMoved,
)
from archive.words.objects import parse_sha256
from central_store.tiers.bodies import IDLE_SECONDS, bounded, in_blocks
from central_store.tiers.calling import CallingNode
from central_store.tiers.ranges import upload_offset, wanted_range
from central_store.tiers.receiving import Tiers
from central_store.tiers.uploads import PackName, Upload
from sync.transfer.messages import (
    AnnouncementMessage,
    ArrivalMessage,
    Message,
    OrdersMessage,
    OutcomeMessage,
    PatientsMessage,
    ReceiptMessage,
    StatesMessage,
    read_message,
)
from sync.transfer.peer import API, OFFSET_HEADER

ANNOUNCEMENT_LIMIT = 64 * 1024 * 1024
"""Octets of an announcement at most."""
MESSAGE_LIMIT = 4 * 1024 * 1024
"""Octets of any other message at most."""
LONGEST_WAIT_S = 60.0
"""A question for orders stands no longer than this."""

_DIGITS = 15
"""Of a number at most: it stays below 2^53."""

_log = structlog.get_logger("tiers")

Kind = TypeVar("Kind", bound=Message)


def tier_routes(tiers: Tiers, *, idle_seconds: float = IDLE_SECONDS) -> list[BaseRoute]:
    """Return the routes of a central store; an upload silent for ``idle_seconds`` is given up."""
    packs = _Packs(tiers, idle_seconds)
    facts = _Facts(tiers)
    orders = _Orders(tiers)
    pack = f"{API}/packs/{{content}}/{{encoding}}"
    order = f"{API}/orders/{{order_id}}"
    return [
        _route(f"{API}/announcements", facts.announce, "POST"),
        _route(pack, packs.offset, "HEAD"),
        _route(pack, packs.put, "PUT"),
        _route(pack, packs.get, "GET"),
        _route(f"{API}/states", facts.states, "POST"),
        _route(f"{API}/patients", facts.patients, "POST"),
        _route(f"{API}/arrivals", facts.arrival, "POST"),
        _route(f"{API}/orders", orders.wait, "GET"),
        _route(f"{order}/acknowledgement", orders.acknowledge, "POST"),
        _route(f"{order}/outcome", orders.finish, "POST"),
    ]


def _route(path: str, endpoint: Callable[[Request], object], method: str) -> BaseRoute:
    return route(path, endpoint, rule=Rule.NODE, methods=(method,))  # type: ignore[arg-type]


class _Facts:
    """What nodes tell."""

    def __init__(self, tiers: Tiers) -> None:
        self._tiers = tiers

    async def announce(self, request: Request) -> Response:
        octets = await bounded(request, ANNOUNCEMENT_LIMIT)
        try:
            return await run_in_threadpool(self._announce, request, octets)
        except Damaged as error:
            return _refused(request, error)

    def _announce(self, request: Request, octets: bytes) -> Response:
        node = _node(self._tiers, request)
        message = read_message(AnnouncementMessage, octets)
        return _json(self._tiers.facts.announce(node, message))

    async def states(self, request: Request) -> Response:
        return await self._take(request, StatesMessage, self._tiers.facts.states)

    async def patients(self, request: Request) -> Response:
        return await self._take(request, PatientsMessage, self._tiers.facts.patients)

    async def arrival(self, request: Request) -> Response:
        return await self._take(request, ArrivalMessage, self._tiers.facts.arrival)

    async def _take(
        self, request: Request, kind: type[Kind], take: Callable[[CallingNode, Kind], None]
    ) -> Response:
        octets = await bounded(request, MESSAGE_LIMIT)

        def work() -> Response:
            take(_node(self._tiers, request), read_message(kind, octets))
            return _done()

        return await run_in_threadpool(work)


class _Packs:
    """Packs up and down."""

    def __init__(self, tiers: Tiers, idle_seconds: float) -> None:
        self._tiers = tiers
        self._idle_seconds = idle_seconds

    def offset(self, request: Request) -> Response:
        """Say how much of an upload is here."""
        name = _pack_name(request)
        held = self._tiers.uploads.offset(_node(self._tiers, request), name)
        return Response(status_code=HTTPStatus.NO_CONTENT.value, headers={OFFSET_HEADER: str(held)})

    async def put(self, request: Request) -> Response:
        """Receive a pack."""
        name = _pack_name(request)
        offset = upload_offset(request.headers.get("Content-Range"), name.length)
        node = await run_in_threadpool(_node, self._tiers, request)
        try:
            receipt = await self._receive(request, node, name, offset)
        except (StateMoved, Damaged) as error:
            return _refused(request, error)
        return _json(receipt)

    async def _receive(
        self, request: Request, node: CallingNode, name: PackName, offset: int
    ) -> ReceiptMessage:
        uploads = self._tiers.uploads
        begun = await run_in_threadpool(uploads.begin, node, name, offset=offset)
        if isinstance(begun, ReceiptMessage):
            return begun
        try:
            await self._stage(request, node, begun)
            return await run_in_threadpool(uploads.finish, node, name, begun)
        finally:
            begun.close()

    async def _stage(self, request: Request, node: CallingNode, upload: Upload) -> None:
        async def take(block: bytes) -> None:
            await run_in_threadpool(upload.write, block)

        try:
            await in_blocks(request, take, idle_seconds=self._idle_seconds)
        except ClientDisconnect:
            _log.info("pack.cut", node=node.name, held=upload.held, lacking=upload.lacking)
            raise

    def get(self, request: Request) -> Response:
        """Give a pack out."""
        content, encoding = _digests(request)
        node = _node(self._tiers, request)
        pack = self._tiers.downloads.find(node, content=content, encoding=encoding)
        _check_condition(request, pack.encoding)
        part = wanted_range(request.headers.get("Range"), pack.length)
        headers = {"ETag": f'"{pack.encoding}"', "Accept-Ranges": "bytes"}
        first, count = part or (0, pack.length)
        if count == 0:
            headers["Content-Range"] = f"bytes */{pack.length}"
            return Response(status_code=_NOT_SATISFIABLE.value, headers=headers)
        if part is not None:
            headers["Content-Range"] = f"bytes {first}-{first + count - 1}/{pack.length}"
        return StreamingResponse(
            self._tiers.downloads.read(pack, offset=first, length=count),
            status_code=(HTTPStatus.OK if part is None else HTTPStatus.PARTIAL_CONTENT).value,
            headers=headers | {"Content-Length": str(count)},
            media_type="application/x-tar",
        )


_NOT_SATISFIABLE = HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE


class _Orders:
    """Orders down, their outcomes up."""

    def __init__(self, tiers: Tiers) -> None:
        self._tiers = tiers

    async def wait(self, request: Request) -> Response:
        """Answer with what is offered, as soon as anything is or the time is over."""
        seconds = _wait_seconds(request)
        node = await run_in_threadpool(_node, self._tiers, request)
        offered = await run_in_threadpool(self._tiers.orders.offered, node)
        if offered.orders or not await self._woken(request, node, seconds):
            return _json(offered)
        return _json(await run_in_threadpool(self._offered_now, request, node))

    async def _woken(self, request: Request, node: CallingNode, seconds: float) -> bool:
        """Wait for orders while the caller does; whether there are any."""
        waiting = asyncio.ensure_future(self._tiers.watch.wait(node.node_id, seconds=seconds))
        leaving = asyncio.ensure_future(_gone(request))
        try:
            done, _ = await asyncio.wait({waiting, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
            leaving.cancel()
        return waiting in done and waiting.result()

    def _offered_now(self, request: Request, node: CallingNode) -> OrdersMessage:
        _node(self._tiers, request)
        return self._tiers.orders.offered(node)

    def acknowledge(self, request: Request) -> Response:
        """Take that an order is written down."""
        node = _node(self._tiers, request)
        self._tiers.orders.acknowledge(node, _order_id(request))
        return _done()

    async def finish(self, request: Request) -> Response:
        """Take how an order ended."""
        octets = await bounded(request, MESSAGE_LIMIT)
        return await run_in_threadpool(self._finish, request, octets)

    def _finish(self, request: Request, octets: bytes) -> Response:
        node = _node(self._tiers, request)
        outcome = read_message(OutcomeMessage, octets)
        self._tiers.orders.finish(node, _order_id(request), outcome)
        return _done()


def _node(tiers: Tiers, request: Request) -> CallingNode:
    entry = node_of(request)
    return tiers.roll.call(entry.name, organisation=entry.organisation)


async def _gone(request: Request) -> None:
    """Return when the caller has gone away."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _refused(request: Request, error: ArchiveError) -> Response:
    """Answer a pack that is refused: where its upload stands, or that it is not what it says."""
    problem = problem_of(error)
    if isinstance(error, StateMoved):
        headers = {**problem.headers, OFFSET_HEADER: str(error.facts.get("held", 0))}
        problem = replace(problem, headers=headers)
    else:
        status = HTTPStatus.UNPROCESSABLE_ENTITY
        problem = replace(problem, status=status.value, title=status.phrase)
    request.state.error = error
    return answer(request, problem)


def _check_condition(request: Request, encoding: str) -> None:
    wanted = request.headers.get("If-Match")
    if wanted is not None and wanted.strip() not in {"*", f'"{encoding}"'}:
        raise EncodingChanged("The pack is held in another encoding.", held=encoding)


def _pack_name(request: Request) -> PackName:
    content, encoding = _digests(request)
    length = _number(request.query_params.get("length", ""))
    if length <= 0:
        raise MalformedMessage("The length of a pack is a number from 1 on.")
    return PackName(content, encoding, length)


def _digests(request: Request) -> Sequence[str]:
    texts = request.path_params["content"], request.path_params["encoding"]
    return [parse_sha256(text).hex() for text in texts]


def _order_id(request: Request) -> int:
    order_id = _number(request.path_params["order_id"])
    if order_id < 0:
        raise NotFound("An order is named by its number.")
    return order_id


def _wait_seconds(request: Request) -> float:
    try:
        seconds = float(request.query_params.get("wait", "0"))
    except ValueError:
        seconds = math.nan
    if math.isnan(seconds):
        raise MalformedMessage("The wait is a number of seconds.")
    return min(max(seconds, 0.0), LONGEST_WAIT_S)


def _number(text: str) -> int:
    """Return a number from 0 on; -1 where the text is none, or too long for one."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= _DIGITS else -1


def _json(message: Message) -> Response:
    return Response(message.model_dump_json(), media_type="application/json")


def _done() -> Response:
    return Response(status_code=HTTPStatus.NO_CONTENT.value)
