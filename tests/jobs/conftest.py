"""Ledgers on real databases: one whose clock a test moves, one on PostgreSQL."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from archive.clock import SystemClock
from archive.index.engine import Index
from sync.jobs.ledger import Ledger
from sync.jobs.policy import Policy
from tests.jobs.clocks import MovedClock
from tests.peers.postgresql import PostgreSQL, postgresql
from tests.peers.valkey import ValkeyPeer, valkey


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("migrated") / "index.sqlite"
    index = Index(f"sqlite:///{path}", clock=SystemClock())
    index.migrate()
    index.close()
    return path


@pytest.fixture
def database(tmp_path: Path, migrated: Path) -> Path:
    return Path(shutil.copy(migrated, tmp_path / "index.sqlite"))


@pytest.fixture
def clock() -> MovedClock:
    return MovedClock()


@pytest.fixture
def index(database: Path, clock: MovedClock) -> Iterator[Index]:
    """SQLite under the moved clock: the database's clock is the test's."""
    opened = Index(f"sqlite:///{database}", clock=clock)
    yield opened
    opened.close()


@pytest.fixture
def ledger(index: Index) -> Ledger:
    return Ledger(index, Policy(jitter=lambda: 0.5))


@pytest.fixture(scope="session")
def server() -> Iterator[PostgreSQL]:
    with postgresql() as running:
        yield running


@pytest.fixture(scope="session")
def template(server: PostgreSQL) -> str:
    name = server.new_database()
    index = Index(server.url(name), clock=SystemClock())
    index.migrate()
    index.close()
    return name


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str:
    """The address of a migrated database of either kind, under its own clock."""
    if request.param == "sqlite":
        return f"sqlite:///{request.getfixturevalue('database')}"
    server: PostgreSQL = request.getfixturevalue("server")
    return server.url(server.new_database(template=request.getfixturevalue("template")))


@pytest.fixture
def either(url: str) -> Iterator[Ledger]:
    """A ledger on either database, in real time."""
    index = Index(url, clock=SystemClock())
    yield Ledger(index, Policy(first_ms=1, longest_ms=50))
    index.close()


@pytest.fixture
def broker() -> Iterator[ValkeyPeer]:
    with valkey() as running:
        yield running
