"""A disk in memory that remembers what was synced, fails on demand, and can lose its power."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from archive.store.disk import Octets

SECTOR = 512


class PowerLost(BaseException):
    """The machine went off: nothing after this instant happens."""


@dataclass
class _File:
    content: bytearray = field(default_factory=bytearray)
    synced: bytes = b""
    longest: bytearray = field(default_factory=bytearray)
    """What was written behind ``content`` before a truncation that is not synced."""


class SimulatedHandle:
    def __init__(self, disk: "SimulatedDisk", path: Path, file: _File) -> None:
        self._disk = disk
        self._path = path
        self._file = file

    def write(self, parts: Sequence[Octets]) -> None:
        octets = b"".join(parts)
        reached = self._disk.happen("write", self._path)
        self._file.content += octets if reached else octets[: len(octets) // 2]
        self._file.longest = max(self._file.longest, self._file.content[:], key=len)
        self._disk.raise_failure()

    def sync(self) -> None:
        if self._disk.happen("sync", self._path):
            self._file.synced = bytes(self._file.content)
            self._file.longest = self._file.content[:]
        self._disk.raise_failure()

    def truncate(self, length: int) -> None:
        if self._disk.happen("truncate", self._path):
            del self._file.content[length:]
        self._disk.raise_failure()

    def close(self) -> None:
        self._disk.happen("close", self._path)
        self._disk.raise_failure()


class SimulatedDisk:
    """Operations are logged as (operation, name). ``failing`` names those that will fail once.

    With ``power`` set, so many operations still happen; the next one raises PowerLost, half done.
    """

    def __init__(self, *, free: int = 2**40, power: int | None = None) -> None:
        self.log: list[tuple[str, str]] = []
        self.failing: set[str] = set()
        self.free = free
        self._power = power
        self._failure: BaseException | None = None
        self._files: dict[Path, _File] = {}
        self._durable_names: dict[Path, _File] = {}

    def make_directory(self, path: Path) -> None:
        self.happen("make_directory", path)

    def create(self, path: Path) -> SimulatedHandle:
        if self.happen("create", path):
            self._files[path] = _File()
        self.raise_failure()
        return SimulatedHandle(self, path, self._files[path])

    def sync_directory(self, path: Path) -> None:
        if self.happen("sync_directory", path):
            self._durable_names = dict(self._files)
        self.raise_failure()

    def rename(self, source: Path, target: Path) -> None:
        if self.happen("rename", source):
            self._files[target] = self._files.pop(source)
        self.raise_failure()

    def free_bytes(self, path: Path) -> int:
        self.happen("free_bytes", path)
        return self.free

    def content(self, name: str) -> bytes:
        """What a process would read now."""
        return bytes(next(file.content for path, file in self._files.items() if path.name == name))

    def names(self) -> list[str]:
        return sorted(path.name for path in self._files)

    def happen(self, operation: str, path: Path) -> bool:
        """Log the operation; False when it is not to succeed."""
        if self._power is not None and len(self.log) >= self._power:
            self._failure = PowerLost()
            return False
        self.log.append((operation, path.name))
        if operation in self.failing:
            self.failing.discard(operation)
            self._failure = OSError(5, f"{operation} fails")
            return False
        return True

    def raise_failure(self) -> None:
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def after_power_loss(self, directory: Path, chance: random.Random) -> None:
        """Write what the disk may hold after a power loss into a real directory.

        What was synced is whole. Of the rest each sector has, by chance, its octets, zeros, or
        octets of some older file; the length is anywhere between; a name that was not synced is
        the one before, the one after, or missing.
        """
        for file in {
            id(f): f for f in (*self._files.values(), *self._durable_names.values())
        }.values():
            name = self._surviving_name(file, chance)
            if name is not None:
                (directory / name).write_bytes(_surviving(file, chance))

    def _surviving_name(self, file: _File, chance: random.Random) -> str | None:
        names = [path.name for path, held in self._durable_names.items() if held is file]
        later = [path.name for path, held in self._files.items() if held is file]
        return chance.choice(names or [None]) if chance.random() < 0.5 or not later else later[0]


def _surviving(file: _File, chance: random.Random) -> bytes:
    longest = bytes(file.longest) if len(file.longest) > len(file.content) else bytes(file.content)
    length = chance.randint(len(file.synced), max(len(file.synced), len(longest)))
    unsynced = longest[len(file.synced) : length]
    sectors = (unsynced[at : at + SECTOR] for at in range(0, len(unsynced), SECTOR))
    return file.synced + b"".join(_sector(sector, chance) for sector in sectors)


def _sector(octets: bytes, chance: random.Random) -> bytes:
    fate = chance.randrange(4)
    if fate == 0:
        return bytes(len(octets))
    if fate == 1:
        return chance.randbytes(len(octets))
    return octets
