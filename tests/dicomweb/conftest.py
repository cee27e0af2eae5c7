"""A tier for each test, and a client for each who may call it."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest

from archive.clock import SystemClock
from archive.index.engine import Index
from tests.dicomweb.tier import Tier, bearer, served
from tests.index.builders import open_rows

Client = Callable[[str], httpx.Client]


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("migrated") / "index.sqlite"
    index = Index(f"sqlite:///{path}", clock=SystemClock())
    index.migrate()
    index.close()
    return path


def made_tier(directory: Path, migrated: Path) -> Tier:
    shutil.copy(migrated, directory / "index.sqlite")
    return Tier(open_rows(f"sqlite:///{directory / 'index.sqlite'}", directory), directory)


@contextmanager
def clients(tier: Tier) -> Iterator[Client]:
    """Serve a tier; gives a client for a name, ``""`` for somebody without a token."""
    with ExitStack() as opened:
        url = opened.enter_context(served(tier.app()))

        def client(name: str) -> httpx.Client:
            headers = bearer(name) if name else {}
            return opened.enter_context(httpx.Client(base_url=url, headers=headers, timeout=30))

        yield client


@pytest.fixture
def tier(tmp_path: Path, migrated: Path) -> Tier:
    return made_tier(tmp_path, migrated)


@pytest.fixture
def asks(tier: Tier) -> Iterator[Client]:
    with clients(tier) as client:
        yield client
