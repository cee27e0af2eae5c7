"""The serving process of the central store: nodes, users, DICOM peers."""

import threading

from archive.clock import SystemClock
from archive.dicomweb.app import build_app
from archive.dicomweb.routes import dicomweb_routes
from archive.dicomweb.server import HttpServer
from archive.dimse.receive import Receiver
from archive.dimse.scp import Door
from archive.dimse.tables import destination_table
from archive.opening import Archive, open_archive
from archive.process import report_ready
from archive.store.disk import RealDisk
from archive.store.spool import Spool
from central_store.config import CentralSettings
from central_store.setup import caller_table, node_entries, token_entries, write_directory
from central_store.tiers.receiving import Tiers
from central_store.tiers.routes import tier_routes
from sync.jobs.celery_app import celery_app
from sync.jobs.ledger import Ledger
from sync.jobs.nudger import CeleryNudger

QUIET_SECONDS = 0.2
"""A segment that nothing was appended to for so long is handed over."""


def run(settings: CentralSettings) -> None:
    """Serve until SIGTERM or SIGINT."""
    archive = open_archive(settings, system=settings.central.name, clock=SystemClock())
    with archive.index.writing() as conn:
        write_directory(conn, settings)
    spool = Spool(
        settings.spool_directory,
        disk=RealDisk(),
        clock=SystemClock(),
        floor_bytes=settings.limits.disk_floor_bytes,
    )
    door = _door(settings, archive, spool)
    app = build_app(
        name=settings.central.name,
        routes=[*tier_routes(_tiers(settings, archive)), *dicomweb_routes(lambda: archive.reader)],
        tokens=token_entries(settings),
        nodes=node_entries(settings),
        ready_checks={"database": archive.index.now_ms},
        counts=archive.reader.counts,
    )
    server = HttpServer(app, host=settings.http.host, port=settings.http.port)
    dicom = door.start()
    stopped = threading.Event()
    handing_over = threading.Thread(target=_hand_over, args=(stopped, spool), daemon=True)
    handing_over.start()
    server.run(lambda port: report_ready(http=port, dicom=dicom))
    stopped.set()
    door.stop()
    spool.hand_over_quiet(0)


def _hand_over(stopped: threading.Event, spool: Spool) -> None:
    while not stopped.wait(QUIET_SECONDS / 2):
        spool.hand_over_quiet(QUIET_SECONDS)


def _tiers(settings: CentralSettings, archive: Archive) -> Tiers:
    return Tiers(
        index=archive.index,
        blobs=archive.blobs,
        staging=settings.staging_directory,
        ledger=Ledger(archive.index),
        clock=SystemClock(),
        settings=settings,
        nudger=CeleryNudger(celery_app(settings.broker)),
    )


def _door(settings: CentralSettings, archive: Archive, spool: Spool) -> Door:
    return Door(
        ae_title=settings.central.ae_title,
        host=settings.dicom.host,
        port=settings.dicom.port,
        receiver=Receiver(spool, SystemClock()),
        callers=caller_table(settings),
        destinations=destination_table(settings.peers),
        reader=lambda: archive.reader,
    )
