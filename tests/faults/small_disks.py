"""Disks that fill up under real processes: a file system of a few megabytes, and a file limit.

The file system is a tmpfs in a mount namespace of its own, which root may make, and elsewhere
anybody who may make a user namespace. The limit is the one of the kernel (RLIMIT_FSIZE): a write
that goes beyond it is cut short in the middle, and the next one fails. Everybody may set it.
"""

import contextlib
import resource
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import psutil

from tests.peers.processes import run

NAMESPACE = ("unshare", "--map-root-user", "--mount")


class SmallDisk(Protocol):
    """A directory in which there is little room."""

    runner: tuple[str, ...]
    """A command that lets what follows it run on this disk."""
    seen: Path
    """Where the test sees the directory."""

    def become_full(self, process: psutil.Process) -> None:
        """Leave so little room for a process that it can store small objects, and no others."""

    def become_free(self, process: psutil.Process) -> None:
        """Give it room again."""


class SmallFileSystem:
    """A tmpfs, seen by what runs in its namespace."""

    OCTETS = 32 * 1024 * 1024
    LEFT = 4 * 1024 * 1024

    def __init__(self, holder: psutil.Process, directory: Path) -> None:
        self.runner: tuple[str, ...] = ("nsenter", f"--target={holder.pid}")
        self.runner += ("--user", "--preserve-credentials", "--mount")
        self.seen = Path(f"/proc/{holder.pid}/root{directory}")

    @property
    def _filling(self) -> Path:
        return self.seen / "somebody-elses"

    def become_full(self, process: psutil.Process) -> None:
        used = sum(path.stat().st_size for path in self.seen.iterdir())
        self._filling.write_bytes(bytes(self.OCTETS - self.LEFT - used))

    def become_free(self, process: psutil.Process) -> None:
        self._filling.unlink()


class FileLimit:
    """No file of a process may grow longer."""

    OCTETS = 4 * 1024 * 1024

    def __init__(self, directory: Path) -> None:
        self.runner: tuple[str, ...] = ()
        self.seen = directory

    def become_full(self, process: psutil.Process) -> None:
        self._limit(process, self.OCTETS)

    def become_free(self, process: psutil.Process) -> None:
        self._limit(process, resource.RLIM_INFINITY)

    def _limit(self, process: psutil.Process, octets: int) -> None:
        for one in (process, *process.children(recursive=True)):
            one.rlimit(resource.RLIMIT_FSIZE, (octets, resource.RLIM_INFINITY))


def may_make_file_systems() -> bool:
    """Tell whether this machine lets us mount."""
    ran = run([*NAMESPACE, "mount", "-t", "tmpfs", "none", "/mnt"])
    return ran.exit_status == 0


@contextlib.contextmanager
def small_file_system(directory: Path) -> Iterator[SmallFileSystem]:
    """Give a file system that is mounted on a directory, for those who enter."""
    directory.mkdir(parents=True)
    mount = f"mount -t tmpfs -o size={SmallFileSystem.OCTETS} none '{directory}'"
    command = [*NAMESPACE, "sh", "-c", f"{mount} && echo mounted && exec cat"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdin is not None
        assert holder.stdout.readline() == b"mounted\n"
        yield SmallFileSystem(psutil.Process(holder.pid), directory)
        holder.stdin.close()
