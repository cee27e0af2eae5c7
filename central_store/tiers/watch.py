"""Waiting for orders: one look at the database wakes every question that stands.

A question that waits holds neither a thread nor a connection. While anybody waits, one task of
the event loop looks, every quarter of a second, which nodes have orders.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from archive.errors import DatabaseUnavailable

_EVERY_S = 0.25


@dataclass(eq=False, slots=True)
class _Question:
    """One that stands; its event belongs to the loop that it was asked in."""

    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)
    answered: asyncio.Event = field(default_factory=asyncio.Event)
    has_orders: bool = False


class OrderWatch:
    """Wakes those who wait for a node's orders. All of them wait in one event loop."""

    def __init__(self, look: Callable[[], set[int]], *, every_s: float = _EVERY_S) -> None:
        """Take the look, which is run in a thread and returns the nodes that have orders."""
        self._look = look
        self._every_s = every_s
        self._standing: dict[int, set[_Question]] = {}
        self._task: asyncio.Task[None] | None = None
        self._stopped = False

    @property
    def is_looking(self) -> bool:
        """Tell whether the database is looked at, because somebody waits."""
        return self._task is not None and not self._task.done()

    @property
    def waiting(self) -> int:
        """How many questions stand."""
        return sum(map(len, list(self._standing.values())))

    async def wait(self, node_id: int, *, seconds: float) -> bool:
        """Return when the node has orders, or after so many seconds; whether it has."""
        with self._standing_question(node_id) as question:
            try:
                await asyncio.wait_for(question.answered.wait(), 0 if self._stopped else seconds)
            except TimeoutError:
                return False
            return question.has_orders

    def stop(self) -> None:
        """Let no question stand any more: this process ends. May be called from any thread."""
        self._stopped = True
        for question in [each for standing in list(self._standing.values()) for each in standing]:
            question.loop.call_soon_threadsafe(question.answered.set)

    @contextmanager
    def _standing_question(self, node_id: int) -> Iterator[_Question]:
        question = _Question()
        standing = self._standing.setdefault(node_id, set())
        standing.add(question)
        if not self.is_looking:
            self._task = asyncio.create_task(self._run(), name="orders-watch")
        try:
            yield question
        finally:
            standing.discard(question)
            if not standing:
                self._standing.pop(node_id, None)

    async def _run(self) -> None:
        while self._standing:
            for node_id in await self._with_orders():
                for question in self._standing.get(node_id, ()):
                    question.has_orders = True
                    question.answered.set()
            await asyncio.sleep(self._every_s)

    async def _with_orders(self) -> set[int]:
        try:
            return await asyncio.to_thread(self._look)
        except DatabaseUnavailable:
            return set()  # whoever waits is answered when the time is over, and asks again
