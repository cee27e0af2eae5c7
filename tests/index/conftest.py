"""A migrated index for each test, on both databases, copied from one that is migrated once."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from archive.clock import SystemClock
from archive.index.engine import Index
from tests.index.builders import Rows, open_rows
from tests.peers.postgresql import PostgreSQL, needs_postgresql, postgresql


@pytest.fixture(scope="session")
def server() -> Iterator[PostgreSQL]:
    with postgresql() as running:
        yield running


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("migrated") / "index.sqlite"
    _migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def migrated_database(server: PostgreSQL) -> str:
    name = server.new_database()
    _migrate(server.url(name))
    return name


@pytest.fixture(
    params=["sqlite", pytest.param("postgresql", marks=needs_postgresql())],
)
def rows(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rows]:
    opened = open_rows(_url(request, tmp_path), tmp_path)
    yield opened
    opened.index.close()


def _url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("migrated_file"), tmp_path / "index.sqlite")
        return f"sqlite:///{tmp_path / 'index.sqlite'}"
    server: PostgreSQL = request.getfixturevalue("server")
    template: str = request.getfixturevalue("migrated_database")
    return server.url(server.new_database(template=template))


def _migrate(url: str) -> None:
    index = Index(url, clock=SystemClock())
    index.migrate()
    index.close()
