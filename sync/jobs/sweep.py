"""The sweep forgives: a lost nudge, a lost worker, a peer that was away, a broker that swallows."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from sync.jobs.executor import Executor
from sync.jobs.work import PRESSING, JobClass

SWEEP_S = 0.5
"""Also how late work may begin whose time has come: nothing else wakes a retry."""

_PATIENCE = 6
"""Sweeps in a row that may find a class due, with slots free, before no broker is asked."""

_log = structlog.get_logger("jobs")


@dataclass(slots=True)
class Sweep:
    """Looks at the ledger; `once` is called every `SWEEP_S`.

    `nudge` wakes by the broker, `wake_here` this very process: what stays due although nudges
    were sent is done without the broker.
    """

    executor: Executor
    nudge: Callable[[JobClass], None]
    wake_here: Callable[[JobClass], None]
    _stays_due: Counter[JobClass] = field(default_factory=Counter)

    def once(self) -> bool:
        """Recover leases and wake this worker for what is due; False: no need to hurry.

        Raises:
            DatabaseUnavailable: the next sweep sees to it.
        """
        self._welcome_back()
        recovered = self.executor.ledger.recover()
        if recovered:
            _log.warning("leases.recovered", jobs=recovered)
        for job_class in PRESSING:
            self._wake(job_class)
        return False

    def _welcome_back(self) -> None:
        for destination in self.executor.breakers.take_back():
            hastened = self.executor.ledger.hasten(destination)
            _log.info("peer.back", destination=destination, hastened=hastened)

    def _wake(self, job_class: JobClass) -> None:
        due = self.executor.due(job_class)
        self._stays_due[job_class] = self._stays_due[job_class] + 1 if due else 0
        wake = self.nudge if self._stays_due[job_class] <= _PATIENCE else self.wake_here
        for _ in range(due):
            wake(job_class)
