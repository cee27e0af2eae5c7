"""The HTTP server of one process, on a socket that is bound before anything is said to be ready."""

import contextlib
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from types import FrameType

import uvicorn
from starlette.types import ASGIApp

from archive.binding import binding

_BACKLOG = 512
_GRACE_S = 3
"""How long answers that have begun may go on after a stop."""
_IDLE_S = 30
_STOPPING = (signal.SIGINT, signal.SIGTERM)


class HttpServer:
    """Serves an app until it is stopped, by :meth:`stop`, SIGTERM or SIGINT."""

    def __init__(
        self, app: ASGIApp, *, host: str, port: int, on_stop: Callable[[], None] | None = None
    ) -> None:
        """Bind at once; port 0 takes a free one.

        ``on_stop`` is called when the server is asked to stop, from any thread: what makes answers
        wait shall let them go.

        Raises:
            ConfigurationInvalid: the address cannot be bound.
        """
        self._socket = _bound(host, port)
        config = uvicorn.Config(
            app,
            access_log=False,
            log_config=None,
            log_level="warning",
            lifespan="auto",
            server_header=False,
            timeout_keep_alive=_IDLE_S,
            timeout_graceful_shutdown=_GRACE_S,
        )
        self._server = _Server(config)
        self._server.on_stop = on_stop or (lambda: None)

    @property
    def port(self) -> int:
        """The port that is bound."""
        return int(self._socket.getsockname()[1])

    def run(self, on_ready: Callable[[int], None]) -> None:
        """Serve in this thread; ``on_ready`` is called with the port as soon as requests are taken.

        In the main thread SIGTERM and SIGINT end it: no new requests, those in hand get three
        seconds, then it returns.
        """
        self._server.on_ready = lambda: on_ready(self.port)
        with contextlib.closing(self._socket):
            self._server.run(sockets=[self._socket])

    def stop(self) -> None:
        """Let :meth:`run` return; may be called from any thread, before or after it began."""
        self._server.ask_to_stop()


class _Server(uvicorn.Server):
    """uvicorn's server that says when it is ready and survives the signal that stops it."""

    on_ready: Callable[[], None]
    on_stop: Callable[[], None]

    def ask_to_stop(self) -> None:
        self.should_exit = True
        self.on_stop()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.on_ready()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take signals without raising them again: what the process does next is its own affair."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self._stop) for number in _STOPPING}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self.ask_to_stop()


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with binding("HTTP", host, port):
        listener = socket.create_server((host, port), family=family, backlog=_BACKLOG)
    listener.set_inheritable(False)
    return listener
