"""A worker process: Celery's consumer in a thread, the loops beside it, one clean end.

While the broker is away the sweep runs what is due in threads of this process, so that the ledger
is worked off by a worker that has nothing but its database.
"""

import logging
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

import structlog
from celery import Celery, bootsteps
from celery.app.trace import setup_worker_optimizations
from celery.worker import WorkController, state

from archive.errors import ArchiveError, BrokerUnavailable
from sync.jobs.celery_app import listen
from sync.jobs.executor import Executor
from sync.jobs.heart import BEAT_S
from sync.jobs.loops import Loop, stop_all
from sync.jobs.nudger import CeleryNudger, LocalNudger, broker_errors
from sync.jobs.sweep import SWEEP_S, Sweep
from sync.jobs.work import JobClass

_PATIENCE_S = 10.0
"""How long a broker that answers may take to let the consumer in before we are ready anyway."""

_PUT_DOWN_S = 3.0
"""How long running work has to look at `Claimed.check` once we stop."""

_CLOSE_S = 1.5

_TURN_S = 0.0002
"""How long one thread may keep the interpreter from another. Intake lets it go for every hash and
read, and with Python's 5 ms waited longer for it than it worked (measured: a third of its rate)."""

_CHATTY = ("celery.worker.strategy", "celery.app.trace")
"""They write lines for each wake-up; the executor writes one for each job."""

_log = structlog.get_logger("worker")


class StopRequest:
    """A request to end, which a signal handler may make: its queue is safe to enter again."""

    def __init__(self) -> None:
        self._asked: queue.SimpleQueue[None] = queue.SimpleQueue()

    def ask(self) -> None:
        """Ask for the end; returns at once."""
        self._asked.put(None)

    def wait(self) -> None:
        """Return when the end was asked for."""
        self._asked.get()

    def on_signals(self) -> None:
        """Take SIGTERM and SIGINT as the request; only a main thread can."""

        def ask(_number: int, _frame: FrameType | None) -> None:
            self.ask()

        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, ask)
            signal.signal(signal.SIGINT, ask)


@dataclass(slots=True)
class Waker:
    """Turns wake-ups into work, and work that was done into the next wake-up of its class."""

    executor: Executor
    broker: CeleryNudger
    connected: threading.Event
    local: LocalNudger = field(init=False)

    def __post_init__(self) -> None:
        self.local = LocalNudger(self.run, 2 * self.executor.slots.total)

    def run(self, job_class: JobClass) -> None:
        """Do one job of the class; when there was one, wake somebody for the next."""
        try:
            done = self.executor.run_one(job_class)
        except ArchiveError as error:  # the database is away; the sweep wakes us again
            _log.warning("job.not_claimed", error=type(error).__name__)
            return
        if done and not self.executor.stopping.is_set():
            self.nudge(job_class)

    def nudge(self, job_class: JobClass) -> None:
        """Wake a worker by the broker while it serves us, else this one."""
        if self.connected.is_set():
            try:
                self.broker.send(job_class)
                return
            except BrokerUnavailable:
                self.broker.dropped += 1
        self.local.nudge(job_class)


def run_worker(
    *,
    app: Celery,
    executor: Executor,
    loops: Sequence[Loop] = (),
    on_ready: Callable[[], None] | None = None,
    stop: StopRequest | None = None,
) -> None:
    """Work until SIGTERM, SIGINT or `stop`; then put everything down within a few seconds.

    `on_ready` is called once wake-ups are taken, or at once when the broker is away. `loops` are
    started and stopped with the worker. Work that does not look at `Claimed.check` in time ends
    with the process and is given back by its lease.
    """
    sys.setswitchinterval(_TURN_S)
    stop = stop or StopRequest()
    stop.on_signals()
    connected = threading.Event()
    waker = Waker(executor, CeleryNudger(app), connected)
    listen(app, waker.run)
    consumer = Consumer(app, executor.slots.total, connected)
    own = (
        Loop("heart", executor.heart.once, BEAT_S),
        Loop("sweep", Sweep(executor, waker.nudge, waker.local.nudge).once, SWEEP_S),
    )
    consumer.start()
    for loop in (*own, *loops):
        loop.start()
    consumer.wait_connected(_PATIENCE_S)
    _log.info("worker.ready", owner=executor.owner, broker=connected.is_set())
    if on_ready is not None:
        on_ready()
    stop.wait()
    _end(executor, consumer, waker.broker, own, loops)


class Consumer:
    """Celery's consumer in a thread of this process; `connected` while the broker serves it."""

    def __init__(self, app: Celery, slots: int, connected: threading.Event) -> None:
        self.connected = connected
        for name in _CHATTY:
            logging.getLogger(name).setLevel(logging.WARNING)
        setup_worker_optimizations(app)  # else Celery's threads look tasks up in another app
        app.steps["consumer"].add(_link(connected))
        self._controller = WorkController(
            app=app,
            pool_cls="threads",
            concurrency=slots,
            without_gossip=True,
            without_mingle=True,
            without_heartbeat=True,
        )
        self._app = app
        self._thread = threading.Thread(
            target=self._controller.start, name="celery-consumer", daemon=True
        )

    def start(self) -> None:
        """Begin to connect, for ever again when the broker is away."""
        state.should_stop = None
        self._thread.start()

    def wait_connected(self, seconds: float) -> bool:
        """Wait until wake-ups are taken; False when the broker is away, or after `seconds`."""
        until = time.monotonic() + seconds
        while time.monotonic() < until and self._answers():
            if self.connected.wait(0.2):
                return True
        return self.connected.is_set()

    def stop(self, seconds: float) -> bool:
        """Let go of the broker; False when `seconds` were not enough."""
        state.should_stop = os.EX_OK
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _answers(self) -> bool:
        with self._app.connection_for_read() as connection:
            try:
                connection.ensure_connection(max_retries=0, timeout=1)
            except broker_errors(connection):
                return False
        return True


def _link(connected: threading.Event) -> type[Any]:
    """Return the step that knows whether the consumer has its broker."""

    class Link(bootsteps.StartStopStep):  # type: ignore[misc] # Celery has no types
        requires = ("celery.worker.consumer.tasks:Tasks",)

        def start(self, _consumer: object) -> None:
            connected.set()
            _log.info("broker.connected")

        def stop(self, _consumer: object) -> None:
            connected.clear()

        shutdown = stop

    return Link


def _end(
    executor: Executor,
    consumer: Consumer,
    nudger: CeleryNudger,
    own: Sequence[Loop],
    loops: Sequence[Loop],
) -> None:
    """Put down the work while its leases are still kept, then the rest."""
    for loop in loops:
        loop.stop()
    put_down = executor.stop(_PUT_DOWN_S)
    late = stop_all((*own, *loops), _CLOSE_S)
    closed = consumer.stop(_CLOSE_S)
    nudger.close()
    _log.info("worker.stopped", put_down=put_down, late=list(late), broker_closed=closed)
    if not put_down:
        os._exit(os.EX_OK)  # Celery's threads would hold the process until the work ends
