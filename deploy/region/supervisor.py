"""Keeps the region's processes running: starts, watches, restarts and ends them.

One thread, one `select`. Each child is a process group of its own, tied to this process by a death
pipe, so that none outlives it. Orphaned grandchildren come to this process, which reaps them: the
machine's first process may not.
"""

import ctypes
import os
import select
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import structlog

from archive.clock import Clock, SystemClock
from deploy.region.directory import RegionDirectory
from deploy.region.errors import StartFailed
from deploy.region.ports import KeptPorts
from deploy.region.process import Child, Inherited, Order, last_lines, start
from deploy.region.signals import Signals, caught_signals
from deploy.region.status import write_status
from deploy.region.ward import ChildState, Ward

_log = structlog.get_logger("region")

_PR_SET_CHILD_SUBREAPER = 36  # prctl(2)
_LOOK_SECONDS = 0.05
_REST_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Patience:
    """How long the supervisor waits, in seconds, and how many falls a start may have."""

    start: float = 60.0
    end: float = 7.0
    end_last: float = 2.0
    falls_at_start: int = 3


@dataclass(slots=True)
class Supervisor:
    """Runs `children` until it is told to end by SIGTERM, SIGINT or SIGHUP.

    `on_ready` is called once, when every child is ready for the first time. Only
    one supervisor can live in a process, in its main thread: it reaps whatever ends.
    """

    children: Sequence[Child]
    directory: RegionDirectory
    ports: KeptPorts
    children_lock: int
    on_ready: Callable[[], None]
    clock: Clock = field(default_factory=SystemClock)
    patience: Patience = field(default_factory=Patience)
    _wards: dict[str, Ward] = field(init=False, default_factory=dict)
    _inherited: Inherited = field(init=False)
    _all_were_ready: bool = field(init=False, default=False)
    _ending: bool = field(init=False, default=False)

    def run(self) -> None:
        """Return when the region was told to end and has ended.

        Raises StartFailed, with everything ended, when it does not come up.
        """
        now = self.clock.now()
        self._wards = {child.name: Ward(child, now) for child in self.children}
        with caught_signals() as signals, _death_pipe() as pipe:
            _adopt_orphans()
            self._inherited = Inherited(death_pipe=pipe, children_lock=self.children_lock)
            try:
                self._keep_running(signals)
            finally:
                self._end_all(signals)

    def _keep_running(self, signals: Signals) -> None:
        deadline = self.clock.monotonic() + self.patience.start
        while not self._is_told_to_end(signals):
            self._reap()
            self._look_after_each()
            if not self._all_were_ready:
                self._come_up(deadline)
            self._wait(signals)

    def _is_told_to_end(self, signals: Signals) -> bool:
        if signals.asked_to_end():
            self._ending = True
        return self._ending

    def _look_after_each(self) -> None:
        for ward in self._wards.values():
            if ward.state is ChildState.STARTING:
                self._look_whether_ready(ward)
            elif ward.state in (ChildState.WAITING, ChildState.RESTING) and self._may_start(ward):
                self._start(ward)

    def _may_start(self, ward: Ward) -> bool:
        if self.clock.monotonic() < ward.start_at:
            return False
        if ward.started_at:
            return True
        return all(self._wards[name].state is ChildState.READY for name in ward.child.needs)

    def _start(self, ward: Ward) -> None:
        name = ward.child.name
        try:
            ward.child.prepare()
            log = self.directory.log / f"{name}.log"
            ward.running = start(ward.child, log=log, inherited=self._inherited)
        except OSError as error:
            self._fell(ward, why=f"could not be started: {error}")
            return
        ward.restarts += ward.falls > 0
        ward.started_at = self.clock.monotonic()
        self._move(ward, to=ChildState.STARTING)
        _log.info("child.started", child=name, pid=ward.running.pid, restarts=ward.restarts)

    def _look_whether_ready(self, ward: Ward) -> None:
        if ward.child.probe is not None and ward.child.probe():
            self._is_ready(ward, ports={})
        elif self.clock.monotonic() - ward.started_at > self.patience.start and ward.running:
            _log.warning("child.not_ready", child=ward.child.name, seconds=self.patience.start)
            ward.running.kill()

    def _read_ready(self, ward: Ward) -> None:
        """Take the one line of a child that becomes ready; a child that ends says nothing."""
        ports = ward.running.read_ready() if ward.running else None
        if ports is not None:
            self._is_ready(ward, ports=ports)

    def _is_ready(self, ward: Ward, *, ports: dict[str, int]) -> None:
        ward.ports = ports
        ward.ready_at = self.clock.monotonic()
        self.ports.keep(ward.child.name, ports)
        self._move(ward, to=ChildState.READY)
        _log.info("child.ready", child=ward.child.name, **ports)

    def _come_up(self, deadline: float) -> None:
        late = [ward for ward in self._wards.values() if ward.state is not ChildState.READY]
        if not late:
            self._all_were_ready = True
            self.on_ready()
            self._tell()
            _log.info("region.ready", directory=str(self.directory.root))
        elif self.clock.monotonic() > deadline:
            raise self._start_failed(late[0], "was not ready in time")

    def _reap(self) -> None:
        """Take every process that has ended: children, and orphans that came to us."""
        for pid in _ended_processes():
            ward = next((one for one in self._wards.values() if _is(one, pid)), None)
            if ward is None:
                os.waitpid(pid, 0)
            else:
                self._ended(ward)

    def _ended(self, ward: Ward) -> None:
        if ward.running is None:
            return
        ward.running.forget_ready_pipe()
        how = _said(ward.running.reap())
        ward.running = None
        ward.ports = {}
        if not self._ending:
            self._fell(ward, why=how)
            return
        ward.last_end = how
        if ward.state is not ChildState.ENDING:
            self._move(ward, to=ChildState.ENDING)
        self._move(ward, to=ChildState.ENDED)

    def _fell(self, ward: Ward, *, why: str) -> None:
        pause = ward.fell(why=why, at=self.clock.monotonic())
        self._move(ward, to=ChildState.RESTING)
        _log.warning("child.fell", child=ward.child.name, end=why, again_in_seconds=pause)
        if not self._all_were_ready and ward.falls >= self.patience.falls_at_start:
            raise self._start_failed(ward, f"ended {ward.falls} times ({why})")

    def _start_failed(self, ward: Ward, what: str) -> StartFailed:
        log = self.directory.log / f"{ward.child.name}.log"
        words = "\n    ".join(last_lines(log))
        return StartFailed(
            f"{ward.child.name} {what}; the end of {log}:\n    {words}", child=ward.child.name
        )

    def _end_all(self, signals: Signals) -> None:
        self._ending = True
        for ward in self._wards.values():
            if ward.state in (ChildState.WAITING, ChildState.RESTING):
                self._move(ward, to=ChildState.ENDED)
        self._end(signals, Order.FIRST, seconds=self.patience.end)
        self._end(signals, Order.LAST, seconds=self.patience.end_last)

    def _end(self, signals: Signals, order: Order, *, seconds: float) -> None:
        """Ask all of one order to end, wait, and kill the rest."""
        wards = [ward for ward in self._wards.values() if ward.child.order is order]
        for ward in wards:
            if ward.running is not None:
                ward.running.ask_to_end()
                self._move(ward, to=ChildState.ENDING)
        deadline = self.clock.monotonic() + seconds
        while any(ward.running for ward in wards):
            self._reap()
            if self.clock.monotonic() > deadline:
                _kill(wards)
            select.select([signals.pipe], [], [], _LOOK_SECONDS)
            signals.asked_to_end()

    def _wait(self, signals: Signals) -> None:
        waiting = {
            ward.running.ready_pipe: ward
            for ward in self._wards.values()
            if ward.running and ward.running.ready_pipe is not None
        }
        steady = all(ward.state is ChildState.READY for ward in self._wards.values())
        seconds = _REST_SECONDS if steady else _LOOK_SECONDS
        readable, _, _ = select.select([signals.pipe, *waiting], [], [], seconds)
        for pipe in readable:
            if pipe in waiting:
                self._read_ready(waiting[pipe])

    def _move(self, ward: Ward, *, to: ChildState) -> None:
        ward.move(to=to, now=self.clock.now())
        self._tell()

    def _tell(self) -> None:
        wards = [ward.told() for ward in self._wards.values()]
        ready = self._all_were_ready and not self._ending
        with suppress(OSError):  # a full disk must not end the region; the next move tells again
            write_status(self.directory.status, wards, ready=ready)


@contextmanager
def _death_pipe() -> Iterator[int]:
    """Yield the end that children read; the other closes with this process, however it ends."""
    read_end, write_end = os.pipe()
    try:
        yield read_end
    finally:
        os.close(write_end)
        os.close(read_end)


def _adopt_orphans() -> None:
    """Become the parent of grandchildren whose own parent has ended, so that they are reaped."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _ended_processes() -> Iterator[int]:
    """Name the processes that ended, each until it is reaped by the caller."""
    while True:
        try:
            ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return
        if ended is None:
            return
        yield ended.si_pid


def _is(ward: Ward, pid: int) -> bool:
    return ward.running is not None and ward.running.pid == pid


def _kill(wards: Sequence[Ward]) -> None:
    for ward in wards:
        if ward.running is not None:
            ward.running.kill()


def _said(status: int) -> str:
    """Put an exit status into words."""
    if status >= 0:
        return f"exit status {status}"
    try:
        return f"ended by {signal.Signals(-status).name}"
    except ValueError:
        return f"ended by signal {-status}"
