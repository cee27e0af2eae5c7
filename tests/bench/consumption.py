"""What processes and the machine have consumed, as /proc tells it."""

import contextlib
import os
import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
CALM_SHARE = 0.1
"""A machine that is busy for less than this share of its processors' time is calm."""
_PEAK = re.compile(r"^VmHWM:\s+(\d+) kB", re.MULTILINE)
_PROPORTIONAL = re.compile(r"^Pss:\s+(\d+) kB", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Consumed:
    """What one role of a side took."""

    cpu_seconds: float
    """User and system, of its processes and of their children that have ended."""
    processes: int
    largest_peak_bytes: int
    """Largest peak of resident memory (VmHWM) of one of its processes."""
    proportional_bytes: int
    """Sum of proportional memory (Pss) of its processes at the end."""


def cpu_seconds(root: int) -> float:
    """Return user and system time of a process tree, children that have ended included."""
    return sum(_ticks(pid) for pid in tree(root)) / TICKS_PER_SECOND


def consumed(root: int, *, before: float) -> Consumed:
    """Return what a process tree took since its CPU time was ``before``."""
    pids = tree(root)
    return Consumed(
        cpu_seconds=cpu_seconds(root) - before,
        processes=len(pids),
        largest_peak_bytes=max(_kilobytes(pid, "status", _PEAK) for pid in pids),
        proportional_bytes=sum(_kilobytes(pid, "smaps_rollup", _PROPORTIONAL) for pid in pids),
    )


def tree(root: int) -> list[int]:
    """Return a process and all that descend from it."""
    children = _children()
    found, todo = [], [root]
    while todo:
        pid = todo.pop()
        found.append(pid)
        todo += children.get(pid, ())
    return found


def _children() -> Mapping[int, list[int]]:
    children: dict[int, list[int]] = {}
    for path in Path("/proc").iterdir():
        if path.name.isdigit() and (stat := _stat(int(path.name))):
            children.setdefault(int(stat[1]), []).append(int(path.name))
    return children


def _stat(pid: int) -> list[str]:
    """Return the fields of /proc/PID/stat behind the name; none where the process is gone."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return []


def _ticks(pid: int) -> int:
    return sum(int(field) for field in _stat(pid)[11:15])


def _kilobytes(pid: int, file: str, pattern: re.Pattern[str]) -> int:
    with contextlib.suppress(OSError):
        found = pattern.search(Path(f"/proc/{pid}/{file}").read_text())
        return int(found[1]) * 1024 if found else 0
    return 0


def busy_share(seconds: float = 0.3) -> float:
    """Return the share of all processors' time in which the machine was busy, just now."""
    idle_before, all_before = _machine_ticks()
    time.sleep(seconds)
    idle, total = _machine_ticks()
    return 1 - (idle - idle_before) / max(1, total - all_before)


def _machine_ticks() -> tuple[int, int]:
    fields = [int(one) for one in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    return fields[3] + fields[4], sum(fields)


def settle(seconds: float) -> float:
    """Sync all disks, wait until the machine is calm, and return how busy it still is."""
    os.sync()
    deadline = time.monotonic() + seconds
    while (busy := busy_share()) > CALM_SHARE and time.monotonic() < deadline:
        pass
    return busy


def wait_idle(roots: Iterable[int], *, seconds: float) -> None:
    """Return when these process trees have used next to no CPU for a quarter of a second."""
    roots = tuple(roots)
    deadline = time.monotonic() + seconds
    used = sum(cpu_seconds(root) for root in roots)
    while time.monotonic() < deadline:
        time.sleep(0.25)
        before, used = used, sum(cpu_seconds(root) for root in roots)
        if used - before <= 2 / TICKS_PER_SECOND:
            return
