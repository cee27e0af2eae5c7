"""A real PostgreSQL on a unix socket in a temporary directory, a fresh database for each asker."""

import itertools
import os
import pwd
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from tests.peers.processes import run, running

_DEBIAN = Path("/usr/lib/postgresql")
_SUPERUSER = "postgres"
_CREATE = SQL("CREATE DATABASE {} TEMPLATE {}")


@dataclass(frozen=True, slots=True)
class PostgreSQL:
    """A server that runs; its directory is its socket's directory too."""

    programs: Path
    directory: Path
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def new_database(self, *, template: str = "template1") -> str:
        """Create a database, empty or a copy of `template`; return its name."""
        name = f"db{next(self._numbers)}"
        with self._connect() as connection:
            connection.execute(_CREATE.format(Identifier(name), Identifier(template)))
        return name

    def url(self, database: str) -> str:
        """Return a database's address as SQLAlchemy reads it."""
        return f"postgresql+psycopg://{_SUPERUSER}@/{database}?host={self.directory}"

    def answers(self) -> bool:
        """Tell whether the server takes connections."""
        try:
            self._connect().close()
        except psycopg.OperationalError:
            return False
        return True

    def _connect(self) -> psycopg.Connection:
        where = f"host={self.directory} user={_SUPERUSER} dbname=postgres"
        return psycopg.connect(where, autocommit=True)


def needs_postgresql() -> pytest.MarkDecorator:
    """Return a mark that skips a test, by name, where PostgreSQL's server is not installed."""
    return pytest.mark.skipif(_programs() is None, reason="not installed: PostgreSQL's server")


@contextmanager
def postgresql() -> Iterator[PostgreSQL]:
    """Give a server; it does not sync, as no test cuts its power. Skips where there is none."""
    programs = _programs()
    if programs is None:
        pytest.skip("not installed: PostgreSQL's server")
    with _short_directory() as directory:
        server = PostgreSQL(programs, directory)
        _initialise(server)
        arguments: list[str | Path] = [
            *_as_owner(),
            *(programs / "postgres", "-D", directory / "rows", "-k", directory),
            *("-c", "listen_addresses=", "-c", "fsync=off", "-c", "full_page_writes=off"),
            *("-c", "max_connections=60", "-c", "shared_buffers=16MB"),
        ]
        log = directory / "log"
        with running(arguments, log=log, ready=server.answers, seconds=60):
            yield server


def _programs() -> Path | None:
    """Find Debian's newest server, else the one on PATH, where initdb lies beside it."""
    found = sorted(_DEBIAN.glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    on_path = shutil.which("postgres")
    if on_path is not None:
        found.insert(0, Path(on_path).resolve())
    whole = [path.parent for path in found if (path.parent / "initdb").exists()]
    return whole[-1] if whole else None


def _initialise(server: PostgreSQL) -> None:
    made = run(
        [
            *_as_owner(),
            *(server.programs / "initdb", "-D", server.directory / "rows", "-U", _SUPERUSER),
            *("-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions"),
        ]
    )
    assert made.exit_status == 0, made.output


@contextmanager
def _short_directory() -> Iterator[Path]:
    """Give a directory whose socket's path fits into 107 octets, and that the server may enter."""
    with tempfile.TemporaryDirectory(prefix="pg-", dir="/tmp", ignore_cleanup_errors=True) as name:
        directory = Path(name)
        if os.geteuid() == 0:
            owner = pwd.getpwnam(_SUPERUSER)
            os.chown(directory, owner.pw_uid, owner.pw_gid)
        yield directory


def _as_owner() -> list[str | Path]:
    """PostgreSQL refuses to run as root; Debian has a user for it."""
    if os.geteuid() != 0:
        return []
    return ["setpriv", "--reuid", _SUPERUSER, "--regid", _SUPERUSER, "--clear-groups", "--"]
