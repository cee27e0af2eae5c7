"""The serving process of the central store: nodes, users, DICOM peers."""

import threading

import structlog

from archive.clock import SystemClock, from_milliseconds, milliseconds
from archive.dicomweb.app import build_app
from archive.dicomweb.routes import dicomweb_routes
from archive.dicomweb.server import HttpServer
from archive.dimse.receive import Receiver
from archive.dimse.scp import Door
from archive.dimse.tables import destination_table, door_limits
from archive.errors import Unavailable
from archive.index.journal import data_quality_once
from archive.opening import Archive, open_archive
from archive.process import report_ready
from archive.store.disk import RealDisk
from archive.store.spool import Spool
from central_store.config import CentralSettings
from central_store.pages.home import central_kit, central_pages
from central_store.setup import (
    caller_table,
    first_authority,
    node_entries,
    token_entries,
    write_directory,
)
from central_store.tiers.receiving import Tiers
from central_store.tiers.routes import tier_routes
from sync.jobs.celery_app import celery_app
from sync.jobs.ledger import Ledger
from sync.jobs.nudger import CeleryNudger

_log = structlog.get_logger("central")

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
    kit = central_kit(settings.central.name, is_test=settings.environment == "test")
    tiers = _tiers(settings, archive)
    app = build_app(
        name=settings.central.name,
        routes=[
            *tier_routes(tiers),
            *dicomweb_routes(lambda: archive.reader),
            *central_pages(kit, reader=lambda: archive.reader, clock=SystemClock()),
        ],
        tokens=token_entries(settings),
        nodes=node_entries(settings),
        ready_checks={"database": archive.index.now_ms},
        counts=archive.reader.counts,
        problem_page=kit.problem_page,
    )
    server = HttpServer(
        app, host=settings.http.host, port=settings.http.port, on_stop=tiers.watch.stop
    )
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
        destinations=destination_table(
            settings.peers, lambda trust: first_authority(settings, trust)
        ),
        reader=lambda: archive.reader,
        note_refused=lambda ae_title, _address: note_refused(archive, ae_title),
        limits=door_limits(settings.limits),
    )


def note_refused(archive: Archive, ae_title: str) -> None:
    """Show an operator who was refused, once a day for each AE title.

    Whoever calls is refused all the same while no row can be written; then the log has it.
    """
    try:
        _write_refusal(archive, ae_title)
    except Unavailable as error:
        _log.warning("refusal.unnoted", calling=ae_title, error=type(error).__name__)


def _write_refusal(archive: Archive, ae_title: str) -> None:
    at_ms = milliseconds(SystemClock().now())
    day = from_milliseconds(at_ms).date().isoformat()
    with archive.index.writing() as conn:
        data_quality_once(
            conn,
            organisation="",
            code="UNKNOWN_CALLING_AE",
            sentence="An AE title that is in no table has called and was refused.",
            subject=f"{ae_title} {day}",
            at_ms=at_ms,
        )
