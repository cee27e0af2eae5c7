"""Regions of tests: real processes, each findable by a mark in its environment."""

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from archive.process import READY_FD
from deploy.region.directory import RegionDirectory, read_json

ROOT = Path(__file__).parents[2]
MARK = "REGION_OF_A_TEST"
SECONDS = 30.0


def becomes_true(condition: Callable[[], object], *, seconds: float = SECONDS) -> bool:
    """Poll until the condition holds; False when it never does."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def marked_processes(mark: str) -> dict[int, str]:
    """Return the living processes that carry the mark, with their command lines."""
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            if f"{MARK}={mark}".encode() in (entry / "environ").read_bytes().split(b"\0"):
                found[int(entry.name)] = (entry / "cmdline").read_text().replace("\0", " ")
        except OSError:
            continue  # it has ended meanwhile
    return {pid: command for pid, command in found.items() if command}


def holders_of(path: Path) -> set[int]:
    """Return the living processes that have the file open."""
    return {int(link.parts[2]) for link in Path("/proc").glob("[0-9]*/fd/*") if _leads(link, path)}


def _leads(link: Path, path: Path) -> bool:
    try:
        return link.readlink() == path
    except OSError:
        return False  # it has ended, or closed it, meanwhile


class Stage:
    """A supervisor of a test's own children, as a process of its own."""

    def __init__(self, root: Path) -> None:
        self.directory = RegionDirectory(root)
        self.mark = uuid.uuid4().hex
        self.process: subprocess.Popen[str] | None = None

    def start(self, *children: dict[str, str]) -> None:
        """Start the supervisor and return when all children are ready, or it has ended."""
        read_end = self.begin(*children)
        assert select.select([read_end], [], [], SECONDS)[0], "neither ready nor ended"
        os.close(read_end)

    def begin(self, *children: dict[str, str]) -> int:
        """Start the supervisor; return the pipe on which it reports ready."""
        read_end, write_end = os.pipe()
        self.process = subprocess.Popen(
            [
                sys.executable,
                str(Path(__file__).with_name("stage.py")),
                str(self.directory.root),
                json.dumps(children),
            ],
            env={**os.environ, MARK: self.mark, READY_FD: str(write_end), "PYTHONPATH": str(ROOT)},
            pass_fds=[write_end],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        os.close(write_end)
        return read_end

    def child(self, name: str) -> dict[str, Any]:
        """Return what the status file says of a child."""
        children: Any = read_json(self.directory.status)["children"]
        return next(one for one in children if one["name"] == name)

    def others(self) -> dict[int, str]:
        """Return the living processes of this stage but for its supervisor."""
        assert self.process is not None
        return {k: v for k, v in marked_processes(self.mark).items() if k != self.process.pid}

    def end(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
        """Signal the supervisor; return its exit status and what it said."""
        assert self.process is not None
        self.process.send_signal(number)
        said, _ = self.process.communicate(timeout=SECONDS)
        return self.process.returncode, said

    def clear(self) -> None:
        """Leave nothing behind."""
        if self.process is not None and self.process.poll() is None:
            self.end()
        for pid in marked_processes(self.mark):
            with contextlib.suppress(ProcessLookupError):  # it was just ending by itself
                os.kill(pid, signal.SIGKILL)
