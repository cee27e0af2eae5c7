"""The acceptor of a node: DICOM and HL7 doors, and nothing else open.

DICOM connections are counted here and served by receiving processes; with one process configured,
by this one. HL7 messages are small, and are received here.
"""

import os
import pickle
from typing import TYPE_CHECKING, Protocol

import structlog

from archive.clock import SystemClock
from archive.dimse.gate import Gate
from archive.dimse.gate_team import Team
from archive.errors import ConfigurationInvalid
from archive.process import report_ready
from archive.stopping import stop_requested
from local_node.config import NodeSettings
from local_node.hl7.mllp import MllpLimits, MllpListener
from local_node.receive_process import ARGV
from local_node.receiving import (
    Assignment,
    assignment_of,
    hand_over_until,
    open_door,
    open_spool,
)

if TYPE_CHECKING:
    from archive.store.spool import Spool

START_SECONDS = 30.0
STOP_SECONDS = 4.5

_log = structlog.get_logger("receive")


class _DicomDoor(Protocol):
    def start(self) -> int:
        """Bind and serve; return the port."""

    def stop(self) -> None:
        """Serve no more."""


def run(settings: NodeSettings) -> None:
    """Receive until SIGTERM or SIGINT."""
    stop = stop_requested()
    assignment = assignment_of(settings)
    spool = open_spool(assignment)
    processes = settings.dicom.processes or len(os.sched_getaffinity(0))
    door = _door(assignment, spool, processes)
    listener = MllpListener(
        spool,
        SystemClock(),
        settings.mllp.host,
        settings.mllp.port,
        MllpLimits(idle_seconds=settings.mllp.idle_seconds),
    )
    ports = {"dicom": door.start(), "mllp": listener.start()}
    _log.info("receive.ready", node=settings.node.name, processes=processes, **ports)
    report_ready(**ports)
    hand_over_until(stop, spool)
    listener.stop()
    door.stop()
    spool.hand_over_quiet(0)


def _door(assignment: Assignment, spool: "Spool", processes: int) -> _DicomDoor:
    return open_door(assignment, spool) if processes == 1 else _Shared(assignment, processes)


class _Shared:
    """A door whose connections are served by several processes."""

    def __init__(self, assignment: Assignment, processes: int) -> None:
        limits = assignment.limits
        self._team = Team(
            ARGV,
            pickle.dumps(assignment),
            size=processes,
            patience_seconds=limits.artim_seconds,
        )
        self._gate = Gate((assignment.host, assignment.port), limits=limits, taker=self._team)

    def start(self) -> int:
        """Start the processes, then bind; return the port.

        Raises:
            ConfigurationInvalid: the address cannot be bound.
            SystemExit: no process has become ready.
        """
        self._team.start()
        if not self._team.wait_ready(START_SECONDS):
            self._team.stop(0)
            _log.error("receive.no_process_ready", seconds=START_SECONDS)
            raise SystemExit(os.EX_UNAVAILABLE)
        try:
            return self._gate.start()
        except ConfigurationInvalid:
            self._team.stop(STOP_SECONDS)
            raise

    def stop(self) -> None:
        """Accept no more, and have the processes put down what they have."""
        self._gate.stop()
        self._team.stop(STOP_SECONDS)
