"""The working process of a node: intake, sealing, replication, orders."""

import os
import socket
from collections.abc import Callable, Sequence

from sqlalchemy import Connection

from archive.clock import SystemClock
from archive.dimse.letterbox import Letterbox
from archive.dimse.tables import destination_table
from archive.index.copies import PackKey
from archive.intake.commitment import Commitments
from archive.intake.intake import Intake
from archive.intake.judging import JUDGE_SECONDS, Judge
from archive.intake.loops import INTAKE_SECONDS, SEAL_SECONDS
from archive.intake.seal import Sealer
from archive.opening import Archive, open_archive
from archive.process import report_ready
from archive.words.nhs import Environment
from local_node.callers import first_authority
from local_node.commitment import REPORT, Reporting, open_report
from local_node.config import NodeSettings
from local_node.hl7.apply import Hl7Intake
from local_node.outbox import NodeOutbox, SilentOutbox
from local_node.setup import CENTRE_NAME, write_directory
from sync.fetch import KIND as FETCH
from sync.fetch import Fetching
from sync.hearing import Hearing
from sync.jobs.celery_app import celery_app
from sync.jobs.executor import Executor, Kinds
from sync.jobs.ledger import Ledger
from sync.jobs.loops import Loop
from sync.jobs.nudger import CeleryNudger, Nudger
from sync.jobs.work import JobClass
from sync.jobs.worker import run_worker
from sync.orders import OrderTaker
from sync.replicate import KIND as REPLICATE
from sync.replicate import Replication, open_replication
from sync.tell import ARRIVAL, PATIENT, STATES, Telling, open_states, reopen_states
from sync.transfer.peer import Centre, HttpCentre

ORDERS_SECONDS = 1.0
"""Pause after the centre did not answer; while it does, one question follows the other."""


def run(settings: NodeSettings) -> None:
    """Work until SIGTERM or SIGINT."""
    clock = SystemClock()
    archive = open_archive(settings, system=settings.node.name, clock=clock)
    with archive.index.writing() as conn:
        node_id = write_directory(conn, settings)
    ledger = Ledger(archive.index)
    _tell_what_was_not(settings, archive, ledger)
    app = celery_app(settings.broker)
    nudger = CeleryNudger(app)
    centre = _centre(settings, archive)
    kinds = _kinds(settings, archive, centre)
    run_worker(
        app=app,
        executor=Executor(ledger, kinds, owner=owner_name(settings.node.name)),
        loops=[
            _intake(settings, archive, ledger, node_id, nudger),
            _sealer(settings, archive, ledger, nudger),
            _judge(settings, archive, ledger, nudger),
            *_orders(settings, archive, ledger, nudger, centre),
        ],
        on_ready=report_ready,
    )


def _tell_what_was_not(settings: NodeSettings, archive: Archive, ledger: Ledger) -> None:
    if settings.centre is not None:
        with archive.index.writing() as conn:
            node = settings.node
            reopen_states(ledger, conn, organisation=node.organisation, node=node.name)


def owner_name(tier: str) -> str:
    """Return the name by which this process holds leases; no two share it."""
    return f"{tier}.work@{socket.gethostname()[:24]}.{os.getpid()}"


def _centre(settings: NodeSettings, archive: Archive) -> Centre | None:
    if settings.centre is None:
        return None
    hearing = Hearing(archive.index, SystemClock(), CENTRE_NAME)
    return HttpCentre(settings.centre.url, token=settings.centre.token, on_answer=hearing.note)


def _kinds(settings: NodeSettings, archive: Archive, centre: Centre | None) -> Kinds:
    """Return what this node can do; without a centre it tells nothing to one."""
    reporting = Reporting(
        archive.index,
        Letterbox(settings.letterbox_directory),
        destination_table(settings.peers, lambda trust: first_authority(settings, trust)),
        SystemClock(),
        settings.node.organisation,
        settings.node.ae_title,
    )
    between_tiers = {} if centre is None else _kinds_of_centre(settings, archive, centre)
    return {REPORT: reporting.run, **between_tiers}


def _kinds_of_centre(settings: NodeSettings, archive: Archive, centre: Centre) -> Kinds:
    clock = SystemClock()
    node = settings.node
    replication = Replication(archive.index, archive.blobs, centre, clock)
    telling = Telling(archive.index, centre, node.organisation, node.name)
    fetching = Fetching(
        archive.index,
        archive.blobs,
        centre,
        clock,
        settings.staging_directory,
        node.name,
        floor_bytes=settings.limits.disk_floor_bytes,
    )
    return {
        REPLICATE: replication.run,
        FETCH: fetching.run,
        PATIENT: telling.patient,
        ARRIVAL: telling.arrival,
        STATES: telling.states,
    }


def _intake(
    settings: NodeSettings, archive: Archive, ledger: Ledger, node_id: int, nudger: Nudger
) -> Loop:
    node = settings.node
    has_centre = settings.centre is not None

    def tell_states(conn: Connection) -> None:
        if has_centre:
            open_states(ledger, conn, organisation=node.organisation, node=node.name)

    intake = Intake(
        archive.index,
        archive.spool,
        archive.blobs,
        SystemClock(),
        node_name=node.name,
        staging=settings.staging_directory,
        hl7=Hl7Intake(
            Environment(settings.environment),
            NodeOutbox(ledger, node_id) if has_centre else SilentOutbox(),
        ),
        commitments=Commitments(lambda conn, told: open_report(ledger, conn, told)),
        on_states=tell_states,
    )
    return Loop("intake", nudging(intake.once, nudger, JobClass.URGENT), INTAKE_SECONDS)


def _sealer(settings: NodeSettings, archive: Archive, ledger: Ledger, nudger: Nudger) -> Loop:
    def replicate(conn: Connection, packs: Sequence[PackKey]) -> None:
        if settings.centre is not None:
            open_replication(ledger, conn, packs)

    sealer = Sealer(
        archive.index,
        archive.spool,
        archive.blobs,
        SystemClock(),
        staging=settings.staging_directory,
        quiet_seconds=settings.intake.quiet_seconds,
        node_name=settings.node.name,
        on_sealed=replicate,
    )
    return Loop("seal", nudging(sealer.once, nudger, JobClass.ROUTINE), SEAL_SECONDS)


def _judge(settings: NodeSettings, archive: Archive, ledger: Ledger, nudger: Nudger) -> Loop:
    judge = Judge(
        archive.index,
        archive.spool,
        SystemClock(),
        settings.commitment.proof,
        settings.commitment.wait_seconds,
        lambda conn, told: open_report(ledger, conn, told),
    )
    return Loop("commitment", nudging(judge.once, nudger, JobClass.URGENT), JUDGE_SECONDS)


def _orders(
    settings: NodeSettings,
    archive: Archive,
    ledger: Ledger,
    nudger: Nudger,
    centre: Centre | None,
) -> list[Loop]:
    if centre is None or settings.centre is None:
        return []
    taker = OrderTaker(
        archive.index,
        ledger,
        centre,
        settings.centre.wait_seconds,
        nudger.nudge,
    )
    return [Loop("orders", taker.once, ORDERS_SECONDS)]


def nudging(once: Callable[[], bool], nudger: Nudger, job_class: JobClass) -> Callable[[], bool]:
    """Return a loop's body that wakes a worker whenever it has done something."""

    def once_and_nudge() -> bool:
        done = once()
        if done:
            nudger.nudge(job_class)
        return done

    return once_and_nudge
