"""Nudges: what wakes a worker after work was written down. A lost one is forgiven by the sweep."""

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import structlog
from celery import Celery
from kombu.exceptions import OperationalError

from archive.clock import Clock, SystemClock
from archive.errors import BrokerUnavailable
from sync.jobs.celery_app import WAKE
from sync.jobs.work import JobClass

MOST_OUTSTANDING = 8
"""Wake-ups of a class that wait at once: twice the slots of a worker."""

_REST_S = 1.0

_log = structlog.get_logger("nudges")


class Nudger(Protocol):
    """Wakes workers. Call it after the commit, never inside the transaction."""

    def nudge(self, job_class: JobClass, hint: int | None = None) -> None:
        """Wake a worker for a class of work. Never raises, never waits long."""


@dataclass(slots=True)
class CeleryNudger:
    """Sends wake-ups through the broker; any thread may call it. Opens at the first nudge.

    While the broker is away nudges are dropped and counted; it is tried again each second.
    """

    app: Celery
    clock: Clock = field(default_factory=SystemClock)
    most_outstanding: int = MOST_OUTSTANDING
    dropped: int = 0
    _rests_until: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _producer: Any = None

    def nudge(self, job_class: JobClass, hint: int | None = None) -> None:
        """Wake a worker for a class of work; a broker that is away is forgiven."""
        try:
            self.send(job_class, hint)
        except BrokerUnavailable:
            self.dropped += 1

    def send(self, job_class: JobClass, hint: int | None = None) -> None:
        """Send a wake-up, or none when enough of its class wait already.

        Raises:
            BrokerUnavailable: the broker did not take it.
        """
        with self._lock:
            if self.clock.monotonic() < self._rests_until:
                raise BrokerUnavailable("The broker was away a moment ago.")
            try:
                self._send(job_class, hint)
            except self._errors() as error:
                raise self._lost(error) from error

    def close(self) -> None:
        """Let go of the connection; a later nudge opens another."""
        with self._lock:
            self._close()

    def _send(self, job_class: JobClass, hint: int | None) -> None:
        producer = self._opened()
        queue = self.app.amqp.queues[job_class.value](producer.channel)
        if queue.queue_declare().message_count < self.most_outstanding:
            self.app.send_task(
                WAKE,
                args=(job_class.value, hint),
                queue=job_class.value,
                producer=producer,
                retry=False,
                ignore_result=True,
            )

    def _opened(self) -> Any:  # noqa: ANN401 - kombu has no types
        if self._producer is None:
            connection = self.app.connection_for_write()
            self._producer = self.app.amqp.Producer(connection, auto_declare=False)
        return self._producer

    def _errors(self) -> tuple[type[BaseException], ...]:
        return broker_errors(self.app.connection_for_write())

    def _lost(self, error: BaseException) -> BrokerUnavailable:
        self._close()
        self._rests_until = self.clock.monotonic() + _REST_S
        _log.warning("broker.away", error=type(error).__name__, dropped=self.dropped + 1)
        return BrokerUnavailable("The broker did not take a wake-up.")

    def _close(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.connection.collect(socket_timeout=_REST_S)


def broker_errors(connection: Any) -> tuple[type[BaseException], ...]:  # noqa: ANN401 - kombu's
    """Return what a connection raises when its broker is away or goes away."""
    raised = (*connection.connection_errors, *connection.channel_errors)
    return (*raised, OperationalError, OSError)


@dataclass(slots=True)
class LocalNudger:
    """Wakes this very process, when its broker is away: at most `most` threads a class."""

    run: Callable[[JobClass], None]
    most: int
    _awake: Counter[JobClass] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def nudge(
        self,
        job_class: JobClass,
        hint: int | None = None,  # noqa: ARG002 - the port has it, the ledger knows better
    ) -> None:
        """Do work of a class in a thread of its own, unless enough threads do already."""
        with self._lock:
            if self._awake[job_class] >= self.most:
                return
            self._awake[job_class] += 1
        name = f"local-{job_class.value}"
        threading.Thread(target=self._wake, args=(job_class,), name=name, daemon=True).start()

    def _wake(self, job_class: JobClass) -> None:
        try:
            self.run(job_class)
        finally:
            with self._lock:
                self._awake[job_class] -= 1
