"""A region's directory with two tiers in it, as `imagestore region up` lays it out."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from archive.clock import SystemClock
from archive.index.engine import Index
from deploy.command import app

CENTRE = """
environment = "test"
directory = "{directory}"
broker = "redis+socket:///nowhere.sock"
[central]
name = "CENTRE"
ae_title = "CENTRE"
[[organisations]]
ods_code = "RXA"
name = "RXA"
authorities = [{{ namespace = "RXA", kind = "MRN" }}]
"""
NODE = """
environment = "test"
directory = "{directory}"
broker = "redis+socket:///nowhere.sock"
[node]
name = "RXA"
organisation = "RXA"
ae_title = "RXA"
[[authorities]]
namespace = "RXA"
kind = "MRN"
"""
TIERS = {"CENTRE": CENTRE, "RXA": NODE}

Imagestore = Callable[..., Result]


@dataclass(frozen=True)
class RegionDirectory:
    """Where the tiers lie, and their rows."""

    directory: Path
    tiers: dict[str, Index]


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("migrated") / "index.sqlite"
    index = Index(f"sqlite:///{path}", clock=SystemClock())
    index.migrate()
    index.close()
    return path


@pytest.fixture
def region(tmp_path: Path, migrated: Path) -> RegionDirectory:
    (tmp_path / "config").mkdir()
    tiers = {}
    for name, text in TIERS.items():
        directory = tmp_path / name
        directory.mkdir()
        shutil.copy(migrated, directory / "index.sqlite")
        (tmp_path / "config" / f"{name}.toml").write_text(text.format(directory=directory))
        tiers[name] = Index(f"sqlite:///{directory / 'index.sqlite'}", clock=SystemClock())
    return RegionDirectory(tmp_path, tiers)


@pytest.fixture
def imagestore(region: RegionDirectory) -> Imagestore:
    """Return what runs a verb on the region and gives its status and output."""

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(app, [*arguments, "--dir", str(region.directory)])

    return run
