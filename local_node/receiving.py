"""What a receiving process serves with, in plain values that one process can tell another.

Importing this module costs little; :func:`open_door` imports what DICOM needs, and the archive is
opened when somebody first queries: until then, and while it is away, storing goes on.
"""

import logging
import threading
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from archive.clock import SystemClock
from archive.dimse.limits import DoorLimits
from archive.dimse.postponed import postponed
from archive.dimse.tables import CallerTable, DestinationTable, destination_table, door_limits
from archive.store.disk import RealDisk
from archive.store.spool import Spool

if TYPE_CHECKING:
    from archive.dimse.scp import Door
    from archive.reader import Reader
    from local_node.config import NodeSettings

QUIET_SECONDS = 0.2
"""A segment that nothing was appended to for so long is handed over."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """What to receive as, and with."""

    node: str
    ae_title: str
    host: str
    port: int
    spool_directory: Path
    letterbox_directory: Path
    disk_floor_bytes: int
    limits: DoorLimits
    callers: CallerTable
    destinations: DestinationTable
    settings: str
    """The node's settings as JSON, for whoever queries."""
    log_level: int


def assignment_of(settings: "NodeSettings") -> Assignment:
    """Return what the settings have a receiving process do."""
    from local_node.callers import caller_table, first_authority

    return Assignment(
        node=settings.node.name,
        ae_title=settings.node.ae_title,
        host=settings.dicom.host,
        port=settings.dicom.port,
        spool_directory=settings.spool_directory,
        letterbox_directory=settings.letterbox_directory,
        disk_floor_bytes=settings.limits.disk_floor_bytes,
        limits=door_limits(settings.limits),
        callers=caller_table(settings),
        destinations=destination_table(
            settings.peers, lambda trust: first_authority(settings, trust)
        ),
        settings=settings.model_dump_json(),
        log_level=logging.getLogger("archive").level,
    )


def open_spool(assignment: Assignment) -> Spool:
    """Return the node's spool.

    Raises:
        StorageFailed: its directory cannot be made.
    """
    return Spool(
        assignment.spool_directory,
        disk=RealDisk(),
        clock=SystemClock(),
        floor_bytes=assignment.disk_floor_bytes,
    )


def open_door(assignment: Assignment, spool: Spool) -> "Door":
    """Return a DICOM door on a spool, not started."""
    with postponed():
        from archive.dimse.letterbox import Letterbox
        from archive.dimse.receive import Receiver
        from archive.dimse.scp import Door

    return Door(
        ae_title=assignment.ae_title,
        host=assignment.host,
        port=assignment.port,
        receiver=Receiver(spool, SystemClock()),
        callers=assignment.callers,
        destinations=assignment.destinations,
        reader=cache(lambda: _reader(assignment)),
        limits=assignment.limits,
        letterbox=Letterbox(assignment.letterbox_directory),
    )


def hand_over_until(stop: threading.Event, spool: Spool) -> None:
    """Hand over quiet segments until the process is to end."""
    while not stop.wait(QUIET_SECONDS / 2):
        spool.hand_over_quiet(QUIET_SECONDS)


def _reader(assignment: Assignment) -> "Reader":
    from archive.opening import open_archive
    from local_node.config import NodeSettings

    settings = NodeSettings.model_validate_json(assignment.settings)
    return open_archive(settings, system=assignment.node, clock=SystemClock()).reader
