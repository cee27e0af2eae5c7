"""The real processes of one tier, started, killed and started again by the test itself."""

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from archive.process import DEATH_PIPE, READY_FD
from tests.peers.processes import wait_until

ROOT = Path(__file__).resolve().parents[2]
READY_SECONDS = 30.0
END_SECONDS = 10.0


def _death_pipe() -> tuple[int, int]:
    """Return a pipe whose write end nobody but this process has: children end with it."""
    read_end, write_end = os.pipe()
    os.set_inheritable(read_end, True)
    return read_end, write_end


_DEATH = _death_pipe()


def _has_ended(process: psutil.Process) -> bool:
    """Tell whether a process is gone, or only waits for whoever inherited it to look."""
    try:
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


@dataclass
class Process:
    """One process of ours; its log is appended to over all its lives."""

    arguments: tuple[str, ...]
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    before_start: Callable[[], None] = lambda: None
    ports: dict[str, int] = field(default_factory=dict)
    program: str = "deploy.command"
    runner: tuple[str, ...] = ()
    """A command that becomes what follows it."""
    _process: subprocess.Popen[bytes] | None = None
    _ready: int | None = None

    def start(self) -> None:
        """Start it and return when it is ready."""
        self.begin()
        self.await_ready()

    def begin(self) -> None:
        """Start it."""
        assert self._process is None, "it runs already"
        self.before_start()
        read_end, write_end = os.pipe()
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                (*self.runner, sys.executable, "-m", self.program, *self.arguments),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=self._environment(write_end),
                pass_fds=(_DEATH[0], write_end),
                start_new_session=True,
            )
        os.close(write_end)
        self._ready = read_end

    def await_ready(self) -> None:
        """Return when it is ready."""
        assert self._ready is not None, "it was not begun"
        with os.fdopen(self._ready, "rb") as ready:
            self._ready = None
            assert select.select([ready], [], [], READY_SECONDS)[0], f"not ready: {self.said()}"
            line = ready.readline()
        assert line, f"ended before it was ready: {self.said()}"
        self.ports = json.loads(line)["ports"]

    def kill(self) -> None:
        """End it as `kill -9` does, and return when it is gone."""
        self.signal(signal.SIGKILL)
        self._gone()

    def kill_all(self) -> None:
        """End it and every process that it started, as `kill -9` does, all at once."""
        everybody = self.children()
        assert self._process is not None, "it does not run"
        self._process.send_signal(signal.SIGKILL)
        for child in everybody:
            with contextlib.suppress(psutil.NoSuchProcess):
                child.kill()
        self._gone()
        wait_until(lambda: all(map(_has_ended, everybody)), what="its processes ended")

    def children(self) -> list[psutil.Process]:
        """Return the processes that it started, and those that they did."""
        found: list[psutil.Process] = self.running().children(recursive=True)
        return found

    def running(self) -> psutil.Process:
        """Return the process as the system sees it."""
        assert self._process is not None, "it does not run"
        return psutil.Process(self._process.pid)

    def ask_to_end(self) -> None:
        """Ask it to end, if it runs."""
        if self._process is not None:
            self.signal(signal.SIGTERM)

    def stop(self) -> None:
        """Ask it to end, and return when it is gone; it must be within ten seconds."""
        self.ask_to_end()
        if self._process is not None:
            self._gone()

    def signal(self, number: signal.Signals) -> None:
        assert self._process is not None, "it does not run"
        self._process.send_signal(number)

    def said(self) -> str:
        """Return its log."""
        return self.log.read_text(errors="replace")

    def wait_said(self, text: str, *, seconds: float = 20) -> None:
        wait_until(lambda: text in self.said(), what=f"{text!r} in {self.log}", seconds=seconds)

    def _gone(self) -> None:
        process, self._process = self._process, None
        assert process is not None
        try:
            process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise

    def _environment(self, ready: int) -> dict[str, str]:
        return {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
            **self.environment,
            DEATH_PIPE: str(_DEATH[0]),
            READY_FD: str(ready),
        }
