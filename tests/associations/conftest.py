"""A running door for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from archive.clock import SystemClock
from archive.index.engine import Index
from tests.associations.door import Archive, opened


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("migrated") / "index.sqlite"
    index = Index(f"sqlite:///{path}", clock=SystemClock())
    index.migrate()
    index.close()
    return path


@pytest.fixture
def archive(tmp_path: Path, migrated: Path) -> Iterator[Archive]:
    with opened(tmp_path, migrated) as running:
        yield running
