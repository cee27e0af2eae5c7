"""The tiers that an operator's command speaks of: one by its file, or all of a region."""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from archive.clock import SystemClock
from archive.config import ArchiveSettings, load
from archive.errors import ConfigurationInvalid
from archive.index.engine import Index


@dataclass(frozen=True, slots=True)
class Tier:
    """One tier with its rows opened."""

    name: str
    index: Index


def open_tiers(config: Path | None, directory: Path | None, tier: str = "") -> list[Tier]:
    """Return the tier of a configuration file, or those of a region's directory.

    Raises:
        ConfigurationInvalid: neither is given, no region lies in the directory, or it has no tier
            of that name.
    """
    found = [_open(file) for file in _files(config, directory)]
    chosen = [each for each in found if tier in ("", each.name)]
    if not chosen:
        raise ConfigurationInvalid("There is no such tier.", tier=tier or "any")
    return chosen


def _files(config: Path | None, directory: Path | None) -> Iterator[Path]:
    if config is not None:
        yield config
    elif directory is not None:
        yield from _files_of_region(directory)
    else:
        raise ConfigurationInvalid("Name a configuration file (--config) or a region (--dir).")


def _files_of_region(directory: Path) -> list[Path]:
    files = sorted((directory / "config").glob("*.toml"))
    if not files:
        raise ConfigurationInvalid("No region lies in this directory.", directory=str(directory))
    return files


def _open(file: Path) -> Tier:
    if not file.is_file():
        raise ConfigurationInvalid("The configuration file is not there.", path=str(file))
    is_node = "node" in tomllib.loads(file.read_text())
    settings, name = _node(file) if is_node else _centre(file)
    index = Index(settings.database_url, clock=SystemClock())
    index.migrate()
    return Tier(name=name, index=index)


def _node(file: Path) -> tuple[ArchiveSettings, str]:
    from local_node.config import NodeSettings

    settings = load(NodeSettings, file)
    return settings, settings.node.name


def _centre(file: Path) -> tuple[ArchiveSettings, str]:
    from central_store.config import CentralSettings

    settings = load(CentralSettings, file)
    return settings, settings.central.name
