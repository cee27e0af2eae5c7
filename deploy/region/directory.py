"""Where a region keeps its things, and how a small file is replaced without a torn moment."""

import json
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from archive.errors import Damaged


class RegionFileBroken(Damaged):
    """A file of the region's directory is not what the region wrote."""

    hint = "Restore the named file, or move it away to have it made anew."


@dataclass(frozen=True, slots=True)
class RegionDirectory:
    """The names under `DIR`; `root` is absolute."""

    root: Path

    @property
    def lock(self) -> Path:
        """Held by the supervisor for its life: the only proof that the region is up."""
        return self.root / "lock"

    @property
    def children_lock(self) -> Path:
        """Held by every child for its life, so that a new run waits for the old one's last."""
        return self.root / "children.lock"

    @property
    def log(self) -> Path:
        """One log file for each process."""
        return self.root / "log"

    @property
    def config(self) -> Path:
        """One configuration file for each tier or process."""
        return self.root / "config"

    @property
    def valkey(self) -> Path:
        """The broker's append-only file and its configuration."""
        return self.root / "valkey"

    @property
    def ports(self) -> Path:
        """The ports that were bound, kept for the next start."""
        return self.root / "ports.json"

    @property
    def run(self) -> Path:
        """Names the private directory of this run's unix sockets."""
        return self.root / "run"

    @property
    def status(self) -> Path:
        """What the supervisor knows of its children now."""
        return self.root / "status.json"

    @property
    def secrets(self) -> Path:
        """Tokens and keys, made once."""
        return self.root / "secrets.json"

    @property
    def region(self) -> Path:
        """Where everything answers; there while all is ready."""
        return self.root / "region.json"

    def make(self) -> None:
        """Make the directory and its rooms, readable by their owner alone."""
        for room in (self.root, self.log, self.config, self.valkey):
            room.mkdir(mode=0o700, parents=True, exist_ok=True)


def write_private(path: Path, text: str) -> None:
    """Replace `path` as a whole by `text`, durable, readable by its owner alone."""
    _replace(path, text, settle=os.fsync)
    _sync_directory(path.parent)


def write_quickly(path: Path, value: object) -> None:
    """Replace `path` as a whole by `value` in JSON; a power loss may undo it."""
    _replace(path, json.dumps(value, indent=2) + "\n", settle=lambda _descriptor: None)


def write_json(path: Path, value: object) -> None:
    """Replace `path` as a whole by `value` in JSON, as `write_private` does."""
    write_private(path, json.dumps(value, indent=2) + "\n")


def read_json(path: Path) -> dict[str, object]:
    """Return the object in `path`, empty when there is no such file.

    Raises RegionFileBroken when the file is not a JSON object.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise RegionFileBroken(f"{path} is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise RegionFileBroken(f"{path} holds no JSON object")
    return value


def _replace(path: Path, text: str, *, settle: Callable[[int], None]) -> None:
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            settle(descriptor)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
