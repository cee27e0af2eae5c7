"""The receiving process of a node: DICOM and HL7 doors on a spool, and nothing else open.

The database is opened when somebody first queries; until then, and while it is away, storing goes
on.
"""

import threading
from functools import cache
from typing import TYPE_CHECKING

import structlog

from archive.clock import SystemClock
from archive.dimse.receive import Receiver
from archive.dimse.scp import Door
from archive.dimse.tables import destination_table
from archive.process import report_ready
from archive.stopping import stop_requested
from archive.store.disk import RealDisk
from archive.store.spool import Spool
from local_node.config import NodeSettings
from local_node.hl7.mllp import MllpLimits, MllpListener
from local_node.setup import caller_table, first_authority

if TYPE_CHECKING:
    from archive.reader import Reader

QUIET_SECONDS = 0.2
"""A segment that nothing was appended to for so long is handed over."""

_log = structlog.get_logger("receive")


def run(settings: NodeSettings) -> None:
    """Receive until SIGTERM or SIGINT."""
    clock = SystemClock()
    stop = stop_requested()
    spool = Spool(
        settings.spool_directory,
        disk=RealDisk(),
        clock=clock,
        floor_bytes=settings.limits.disk_floor_bytes,
    )
    door = _door(settings, spool)
    listener = MllpListener(
        spool,
        clock,
        settings.mllp.host,
        settings.mllp.port,
        MllpLimits(idle_seconds=settings.mllp.idle_seconds),
    )
    ports = {"dicom": door.start(), "mllp": listener.start()}
    _log.info("receive.ready", node=settings.node.name, **ports)
    report_ready(**ports)
    hand_over_until(stop, spool)
    listener.stop()
    door.stop()
    spool.hand_over_quiet(0)


def hand_over_until(stop: threading.Event, spool: Spool) -> None:
    """Hand over quiet segments until the process is to end."""
    while not stop.wait(QUIET_SECONDS / 2):
        spool.hand_over_quiet(QUIET_SECONDS)


def _door(settings: NodeSettings, spool: Spool) -> Door:
    @cache
    def reader() -> "Reader":
        from archive.opening import open_archive

        return open_archive(settings, system=settings.node.name, clock=SystemClock()).reader

    return Door(
        ae_title=settings.node.ae_title,
        host=settings.dicom.host,
        port=settings.dicom.port,
        receiver=Receiver(spool, SystemClock()),
        callers=caller_table(settings),
        destinations=destination_table(
            settings.peers, lambda trust: first_authority(settings, trust)
        ),
        reader=reader,
    )
