"""The sweep forgives: a lost nudge, a lost worker, a peer that was away."""

from collections.abc import Callable
from dataclasses import dataclass

import structlog

from sync.jobs.executor import Executor
from sync.jobs.work import PRESSING, JobClass

SWEEP_S = 0.5
"""Also how late work may begin whose time has come: nothing else wakes a retry."""

_log = structlog.get_logger("jobs")


@dataclass(frozen=True, slots=True)
class Sweep:
    """Looks at the ledger; `once` is called every `SWEEP_S`."""

    executor: Executor
    nudge: Callable[[JobClass], None]

    def once(self) -> bool:
        """Recover leases and wake this worker for what is due; False: no need to hurry.

        Raises:
            DatabaseUnavailable: the next sweep sees to it.
        """
        ledger = self.executor.ledger
        for destination in self.executor.breakers.take_back():
            hastened = ledger.hasten(destination)
            _log.info("peer.back", destination=destination, hastened=hastened)
        recovered = ledger.recover()
        if recovered:
            _log.warning("leases.recovered", jobs=recovered)
        for job_class in PRESSING:
            for _ in range(self.executor.due(job_class)):
                self.nudge(job_class)
        return False
