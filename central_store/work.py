"""The working process of the central store: intake of its own door, sealing, planning."""

import os
import socket

from archive.clock import SystemClock
from archive.intake.intake import Intake
from archive.intake.loops import INTAKE_SECONDS, SEAL_SECONDS
from archive.intake.seal import Sealer
from archive.opening import Archive, open_archive
from archive.process import report_ready
from central_store.config import CentralSettings
from central_store.prefetch.plan import KIND as PLAN
from central_store.prefetch.plan import Planner, plan_for_packs
from central_store.setup import write_directory
from sync.jobs.celery_app import celery_app
from sync.jobs.executor import Executor
from sync.jobs.ledger import Ledger
from sync.jobs.loops import Loop
from sync.jobs.worker import run_worker


def run(settings: CentralSettings) -> None:
    """Work until SIGTERM or SIGINT."""
    clock = SystemClock()
    archive = open_archive(settings, system=settings.central.name, clock=clock)
    with archive.index.writing() as conn:
        write_directory(conn, settings)
    ledger = Ledger(archive.index)
    planner = Planner(archive.index, clock, settings.prefetch)
    owner = f"{settings.central.name}.work@{socket.gethostname()[:24]}.{os.getpid()}"
    run_worker(
        app=celery_app(settings.broker),
        executor=Executor(ledger, {PLAN: planner.run}, owner=owner),
        loops=[_intake(settings, archive), _sealer(settings, archive, ledger)],
        on_ready=report_ready,
    )


def _intake(settings: CentralSettings, archive: Archive) -> Loop:
    intake = Intake(
        archive.index,
        archive.spool,
        archive.blobs,
        SystemClock(),
        node_name=settings.central.name,
        staging=settings.staging_directory,
    )
    return Loop("intake", intake.once, INTAKE_SECONDS)


def _sealer(settings: CentralSettings, archive: Archive, ledger: Ledger) -> Loop:
    clock = SystemClock()
    sealer = Sealer(
        archive.index,
        archive.spool,
        archive.blobs,
        clock,
        staging=settings.staging_directory,
        quiet_seconds=settings.intake.quiet_seconds,
        node_name=settings.central.name,
        place_kind="centre",
        on_sealed=lambda conn, packs: plan_for_packs(ledger, conn, packs),
    )
    return Loop("seal", sealer.once, SEAL_SECONDS)
