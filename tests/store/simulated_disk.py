"""A disk in memory that remembers what was synced, fails on demand, and can lose its power.

It has a page cache: what is written is read back at once, and reaches the platter when it is
synced. Without a sync, any of it may, in any order: each block has the octets of before, of after,
or of some instant between. After a failed sync or a failed write-back the cache takes what it has
for clean, as Linux does, whatever of it reached the platter.
"""

import random
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from archive.store.disk import Octets

SECTOR = 512
BLOCK = 4096


class PowerLost(BaseException):
    """The machine went off: nothing after this instant happens."""


@dataclass(frozen=True)
class Write:
    """Octets put at an offset."""

    offset: int
    octets: bytes

    def length(self, before: int) -> int:
        """Return the length of a file after it."""
        return max(before, self.offset + len(self.octets))

    def touches(self, start: int, stop: int) -> bool:
        return self.offset < stop and self.offset + len(self.octets) > start

    def within(self, block: bytes, start: int, stop: int) -> bytes:
        """Return what a block of the file, once ``block``, is after it."""
        begin, end = max(self.offset, start), min(self.offset + len(self.octets), stop)
        head = block[: begin - start].ljust(begin - start, b"\0")
        octets = self.octets[begin - self.offset : end - self.offset]
        return head + octets + block[end - start :]


@dataclass(frozen=True)
class Cut:
    """Octets dropped behind a length."""

    behind: int

    def length(self, before: int) -> int:
        """Return the length of a file after it."""
        return min(before, self.behind)

    def touches(self, start: int, stop: int) -> bool:
        return start <= self.behind < stop

    def within(self, block: bytes, start: int, stop: int) -> bytes:
        """Return what a block of the file, once ``block``, is after it."""
        return block[: self.behind - start]


Change = Write | Cut


@dataclass
class _File:
    cached: bytes = b""
    """What a process reads."""
    clean: bytes = b""
    """What a process read when nothing was dirty."""
    platter: bytes = b""
    """What is left for sure when the power goes."""
    dirty: list[Change] = field(default_factory=list)
    """What was done since, and is not synced."""
    lost: bool = False
    """A write-back failed, which the next sync must tell."""

    def do(self, change: Change) -> None:
        length = change.length(len(self.cached))
        self.cached = change.within(self.cached, 0, length)
        self.dirty.append(change)

    def settle(self) -> None:
        """Let every block that was touched reach the platter, as it is read now."""
        touched = (
            any(change.touches(at, at + SECTOR) for change in self.dirty)
            for at in range(0, len(self.cached), SECTOR)
        )
        blocks = (
            (self.cached if is_touched else self.platter)[n * SECTOR : (n + 1) * SECTOR]
            for n, is_touched in enumerate(touched)
        )
        self._clean_with(b"".join(blocks))

    def settle_by_chance(self, chance: random.Random) -> None:
        """Let any of it reach the platter, and take all of it for clean."""
        self._clean_with(self.survived(chance))

    def _clean_with(self, platter: bytes) -> None:
        self.platter, self.clean = platter, self.cached
        self.dirty.clear()

    def survived(self, chance: random.Random) -> bytes:
        """Return what may be left of it when the power goes now."""
        size = chance.choice((SECTOR, BLOCK))
        length = self._length(chance)
        ranges = ((at, min(at + size, length)) for at in range(0, length, size))
        return b"".join(self._block(start, stop, chance) for start, stop in ranges)

    def _length(self, chance: random.Random) -> int:
        lengths = [len(self.clean)]
        for change in self.dirty:
            lengths.append(change.length(lengths[-1]))
        lengths[0] = len(self.platter)
        return chance.choice((chance.choice(lengths), chance.randint(min(lengths), max(lengths))))

    def _block(self, start: int, stop: int, chance: random.Random) -> bytes:
        """Return a block as it was at some instant; where the file ended then, anything."""
        states, now = [self.platter[start:stop]], self.clean[start:stop]
        for change in self.dirty:
            if change.touches(start, stop):
                now = change.within(now, start, stop)
                states.append(now)
        octets = chance.choice((states[0], states[-1], states[-1], chance.choice(states)))
        missing = stop - start - len(octets)
        is_old = len(states[0]) == stop - start
        return octets + (bytes(missing) if is_old else chance.choice(_anything(missing, chance)))


def _anything(length: int, chance: random.Random) -> tuple[bytes, bytes]:
    return bytes(length), chance.randbytes(length)


class SimulatedHandle:
    def __init__(self, disk: "SimulatedDisk", path: Path, file: _File) -> None:
        self._disk = disk
        self._path = path
        self._file = file

    def write(self, parts: Sequence[Octets]) -> None:
        self._put("write", len(self._file.cached), b"".join(parts))

    def fill(self, offset: int, octets: Octets) -> None:
        assert offset + len(octets) <= len(self._file.cached), "only over what was appended"
        self._put("fill", offset, bytes(octets))

    def _put(self, operation: str, offset: int, octets: bytes) -> None:
        reached = self._disk.happen(operation, self._path)
        self._file.do(Write(offset, octets if reached else octets[: len(octets) // 2]))
        self._disk.raise_failure()

    def begin_writing(self, offset: int, length: int) -> None:
        """With `write-back` among what fails, it fails unseen; the next sync has to tell."""
        if self._disk.happen("begin_writing", self._path) and self._disk.takes("write-back"):
            self._file.settle_by_chance(self._disk.chance)
            self._file.lost = True
        self._disk.raise_failure()

    def sync(self) -> None:
        reached = self._disk.happen("sync", self._path)
        lost, self._file.lost = self._file.lost, False
        if reached and lost:
            self._disk.fail("sync")
        if self._disk.has_power and (lost or not reached):
            self._file.settle_by_chance(self._disk.chance)
        elif reached:
            self._file.settle()
        self._disk.raise_failure()

    def truncate(self, length: int) -> None:
        if self._disk.happen("truncate", self._path):
            self._file.do(Cut(length))
        self._disk.raise_failure()

    def close(self) -> None:
        self._disk.happen("close", self._path)
        self._disk.raise_failure()


class SimulatedDisk:
    """Operations are logged as (operation, name). ``failing`` names those that will fail once.

    With ``power`` set, so many operations still happen; the next one raises PowerLost, half done.
    """

    def __init__(self, *, free: int = 2**40, power: int | None = None, seed: int = 0) -> None:
        self.log: list[tuple[str, str]] = []
        self.failing: set[str] = set()
        self.failed: list[int] = []
        """Which of ``log`` have failed."""
        self.free = free
        self.chance = random.Random(seed)
        self._power = power
        self._failing_here = threading.local()
        self._files: dict[Path, _File] = {}
        self._durable_names: dict[Path, _File] = {}
        self._names: list[tuple[_File, Path]] = []
        """Every name that a file got since names were synced, in order."""

    @property
    def _failure(self) -> BaseException | None:
        """What the operation of this thread ends with."""
        return getattr(self._failing_here, "failure", None)

    @_failure.setter
    def _failure(self, failure: BaseException | None) -> None:
        self._failing_here.failure = failure

    @property
    def has_power(self) -> bool:
        return not isinstance(self._failure, PowerLost)

    def make_directory(self, path: Path) -> None:
        self.happen("make_directory", path)
        self.raise_failure()

    def create(self, path: Path) -> SimulatedHandle:
        if self.happen("create", path):
            self._name(_File(), path)
        self.raise_failure()
        return SimulatedHandle(self, path, self._files[path])

    def sync_directory(self, path: Path) -> None:
        if self.happen("sync_directory", path):
            self._durable_names = dict(self._files)
            self._names.clear()
        self.raise_failure()

    def rename(self, source: Path, target: Path) -> None:
        if self.happen("rename", source):
            self._name(self._files.pop(source), target)
        self.raise_failure()

    def free_bytes(self, path: Path) -> int:
        self.happen("free_bytes", path)
        self.raise_failure()
        return self.free

    def content(self, name: str) -> bytes:
        """What a process would read now."""
        return next(file.cached for path, file in self._files.items() if path.name == name)

    def names(self) -> list[str]:
        return sorted(path.name for path in self._files)

    def happen(self, operation: str, path: Path) -> bool:
        """Log the operation; False when it is not to succeed."""
        if self._power is not None and len(self.log) >= self._power:
            self._failure = PowerLost()
            return False
        self.log.append((operation, path.name))
        if self.takes(operation):
            self.fail(operation)
            return False
        return True

    def fail(self, operation: str) -> None:
        """Let what was logged last fail; ``raise_failure`` raises it."""
        self.failed.append(len(self.log) - 1)
        self._failure = OSError(5, f"{operation} fails")

    def takes(self, operation: str) -> bool:
        """Tell whether the operation is to fail, once."""
        fails = operation in self.failing
        self.failing.discard(operation)
        return fails

    def raise_failure(self) -> None:
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def after_power_loss(self, directory: Path, chance: random.Random) -> None:
        """Write what the disk may hold after a power loss into a real directory.

        What was synced is whole. Of the rest each block has, by chance, its octets of before, of
        after or of an instant between, and behind what was synced also zeros or octets of some
        older file; the length is anywhere between. Each file has, by chance, the name that was
        synced or any that it got since; without a synced one it may have none.
        """
        for file in _each((*self._files.values(), *self._durable_names.values())):
            name = self._surviving_name(file, chance)
            if name is not None:
                (directory / name).write_bytes(file.survived(chance))

    def _name(self, file: _File, path: Path) -> None:
        self._files[path] = file
        self._names.append((file, path))

    def _surviving_name(self, file: _File, chance: random.Random) -> str | None:
        names: list[str | None] = []
        names += [path.name for path, held in self._durable_names.items() if held is file] or [None]
        names += [path.name for held, path in self._names if held is file]
        return chance.choice(names)


def _each(files: Sequence[_File]) -> list[_File]:
    return list({id(file): file for file in files}.values())
