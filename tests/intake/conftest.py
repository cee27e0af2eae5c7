"""The cold side of a node for each test, on an index that is migrated once."""

import shutil
from pathlib import Path

import pytest

from archive.index.engine import Index
from tests.intake.house import Cold, MovedClock, cold_side


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("migrated") / "index.sqlite"
    index = Index(f"sqlite:///{path}", clock=MovedClock())
    index.migrate()
    index.close()
    return path


@pytest.fixture
def cold(tmp_path: Path, migrated: Path) -> Cold:
    shutil.copy(migrated, tmp_path / "index.sqlite")
    clock = MovedClock()
    return cold_side(tmp_path, Index(f"sqlite:///{tmp_path / 'index.sqlite'}", clock=clock), clock)
