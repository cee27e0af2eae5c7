"""The MLLP listener of a node (HL7 2.5 Appendix C.4): many senders, one thread, a spool behind.

AA is sent after the message is on the disk. Database, broker and centre may all be down.
"""

import asyncio
import socket
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import structlog

from archive.binding import binding
from archive.clock import Clock
from archive.errors import ConfigurationInvalid
from archive.store.spool import Spool
from local_node.hl7.conversation import Conversation, MllpLimits

__all__ = ["MllpLimits", "MllpListener"]

_log = structlog.get_logger("hl7")

_DISK_THREADS = 8
_STOP_SECONDS = 5.0
"""How long messages that are being written may take to be answered when the listener stops."""


@dataclass(slots=True)
class MllpListener:
    """Takes HL7 v2 messages into ``spool``, in a thread of its own."""

    spool: Spool
    clock: Clock
    host: str
    port: int
    """0 lets the machine choose."""
    limits: MllpLimits = field(default_factory=MllpLimits)
    _conversations: dict[Conversation, asyncio.Task[None]] = field(default_factory=dict, init=False)
    _disk_threads: ThreadPoolExecutor = field(init=False)
    _thread: threading.Thread | None = field(default=None, init=False)
    _loop: asyncio.AbstractEventLoop | None = field(default=None, init=False)
    _stopping: asyncio.Event | None = field(default=None, init=False)

    def start(self) -> int:
        """Bind, begin to listen, and return the port.

        Raises:
            ConfigurationInvalid: the address cannot be bound.
        """
        bound: Future[int] = Future()
        self._disk_threads = ThreadPoolExecutor(_DISK_THREADS, thread_name_prefix="mllp-disk")
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._serve(bound)), name="mllp", daemon=True
        )
        self._thread.start()
        return bound.result()

    def stop(self) -> None:
        """Take no more, answer what is being written, close every connection, and return."""
        if self._thread is None or self._loop is None or self._stopping is None:
            return
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()
        self._disk_threads.shutdown(wait=False)

    async def _serve(self, bound: "Future[int]") -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        self._loop.set_exception_handler(_say_defect)
        try:
            with binding("MLLP", self.host, self.port):
                server = await asyncio.start_server(self._accepted, self.host, self.port)
        except ConfigurationInvalid as error:
            bound.set_exception(error)
            return
        bound.set_result(server.sockets[0].getsockname()[1])
        await self._stopping.wait()
        server.close()
        await self._end_all()

    def _accepted(self, reader: asyncio.StreamReader, stream: asyncio.StreamWriter) -> None:
        if len(self._conversations) >= self.limits.connections:
            _log.warning("mllp.too_many_connections", connections=len(self._conversations))
            stream.close()
            return
        stream.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        conversation = Conversation(
            reader=reader,
            stream=stream,
            writer=self.spool.writer(),
            clock=self.clock,
            limits=self.limits,
            disk_threads=self._disk_threads,
        )
        task = asyncio.get_running_loop().create_task(conversation.run())
        self._conversations[conversation] = task
        task.add_done_callback(lambda done: self._ended(conversation, done))

    def _ended(self, conversation: Conversation, task: "asyncio.Task[None]") -> None:
        del self._conversations[conversation]
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error(
                "mllp.defect", association=conversation.association, cause=type(error).__name__
            )

    async def _end_all(self) -> None:
        tasks = list(self._conversations.values())
        for conversation in list(self._conversations):
            conversation.stop()
        if tasks:
            await asyncio.wait(tasks, timeout=_STOP_SECONDS)


def _say_defect(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log what asyncio caught, by type only: its text may quote what a peer sent."""
    error = context.get("exception")
    _log.error("mllp.defect", cause=type(error).__name__, what=context.get("message", ""))
