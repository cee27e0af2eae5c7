"""Waiting for orders: one look at the database wakes every question that stands.

A question that waits holds neither a thread nor a connection. While anybody waits, one task of
the event loop looks, every quarter of a second, which nodes have orders.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from archive.errors import DatabaseUnavailable

_EVERY_S = 0.25


class OrderWatch:
    """Wakes those who wait for a node's orders. Belongs to one event loop."""

    def __init__(self, look: Callable[[], set[int]], *, every_s: float = _EVERY_S) -> None:
        """Take the look, which is run in a thread and returns the nodes that have orders."""
        self._look = look
        self._every_s = every_s
        self._waiting: dict[int, set[asyncio.Event]] = {}
        self._task: asyncio.Task[None] | None = None

    @property
    def is_looking(self) -> bool:
        """Tell whether anybody waits, so that the database is looked at."""
        return self._task is not None and not self._task.done()

    async def wait(self, node_id: int, *, seconds: float) -> bool:
        """Return when the node has orders, or after so many seconds; whether it has."""
        with self._place(node_id) as woken:
            try:
                await asyncio.wait_for(woken.wait(), seconds)
            except TimeoutError:
                return False
            return True

    def wake_all(self) -> None:
        """Let every question be answered now, with what there is."""
        for places in self._waiting.values():
            for woken in places:
                woken.set()

    @contextmanager
    def _place(self, node_id: int) -> Iterator[asyncio.Event]:
        woken = asyncio.Event()
        places = self._waiting.setdefault(node_id, set())
        places.add(woken)
        if not self.is_looking:
            self._task = asyncio.create_task(self._run(), name="orders-watch")
        try:
            yield woken
        finally:
            places.discard(woken)
            if not places:
                self._waiting.pop(node_id, None)

    async def _run(self) -> None:
        while self._waiting:
            for node_id in await self._with_orders():
                for woken in self._waiting.get(node_id, ()):
                    woken.set()
            await asyncio.sleep(self._every_s)

    async def _with_orders(self) -> set[int]:
        try:
            return await asyncio.to_thread(self._look)
        except DatabaseUnavailable:
            return set()  # whoever waits is answered when the time is over, and asks again
