"""A migrated index for each test, copied from one that is migrated once."""

import shutil
from pathlib import Path

import pytest

from archive.clock import SystemClock
from archive.index.engine import Index
from tests.index.builders import Rows, open_rows


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("migrated") / "index.sqlite"
    index = Index(f"sqlite:///{path}", clock=SystemClock())
    index.migrate()
    index.close()
    return path


@pytest.fixture
def rows(tmp_path: Path, migrated: Path) -> Rows:
    shutil.copy(migrated, tmp_path / "index.sqlite")
    return open_rows(f"sqlite:///{tmp_path / 'index.sqlite'}", tmp_path)
