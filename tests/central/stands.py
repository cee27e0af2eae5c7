"""A central store and nodes for tests: real rows, packs, jobs and HTTP, in one process."""

import contextlib
import hashlib
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path

from pydicom.dataset import Dataset
from sqlalchemy import func, select, update
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from archive.config import AuthoritySettings, LimitSettings, TokenSettings
from archive.dicomweb.app import build_app
from archive.dicomweb.server import HttpServer
from archive.index import tables
from archive.opening import Archive, open_archive
from archive.reader import Selection
from archive.words.identity import Asker
from central_store.config import CentralSettings, OrganisationSettings, RegionNodeSettings
from central_store.prefetch.plan import KIND as PLAN
from central_store.prefetch.plan import Planner
from central_store.setup import node_entries, token_entries, write_directory
from central_store.tiers.receiving import Tiers
from central_store.tiers.routes import tier_routes
from local_node.config import NodeSettings
from sync.jobs.executor import Executor
from sync.jobs.ledger import Ledger
from sync.jobs.work import JobClass
from tests.intake.samples import image
from tests.jobs.clocks import MovedClock

TRUSTS = ("RXA", "RXB", "RXC")
BROKER = "memory://"
TOKEN = {trust: f"node-token-{trust}" for trust in TRUSTS}
RADIOLOGIST = "radiologist-token"


@dataclass
class CountingNudger:
    """Remembers what it was asked to wake."""

    nudged: list[JobClass] = field(default_factory=list)

    def nudge(self, job_class: JobClass, hint: int | None = None) -> None:
        self.nudged.append(job_class)


@dataclass(frozen=True)
class CentreStand:
    """The central store of three trusts."""

    settings: CentralSettings
    archive: Archive
    ledger: Ledger
    tiers: Tiers
    nudger: CountingNudger
    executor: Executor

    @contextlib.contextmanager
    def serving(self, port: int = 0, *, idle_seconds: float = 60.0) -> Iterator[str]:
        """Serve over HTTP and give the base URL."""
        app = build_app(
            name="CENTRE",
            routes=tier_routes(self.tiers, idle_seconds=idle_seconds),
            tokens=token_entries(self.settings),
            nodes=node_entries(self.settings),
            ready_checks={},
            counts=self.archive.reader.counts,
        )
        fallen: list[str] = []
        server = HttpServer(
            _watching(app, fallen), host="127.0.0.1", port=port, on_stop=self.tiers.watch.stop
        )
        ready = threading.Event()
        thread = threading.Thread(target=server.run, args=(lambda _: ready.set(),), daemon=True)
        thread.start()
        assert ready.wait(10)
        try:
            yield f"http://127.0.0.1:{server.port}"
        finally:
            server.stop()
            thread.join(10)
            assert not thread.is_alive()
            assert fallen == []

    def plan(self) -> None:
        """Do every plan that is due."""
        work_off(self.executor)

    def column(self, statement: object) -> list[object]:
        with self.archive.index.reading() as conn:
            return list(conn.execute(statement).scalars())  # type: ignore[call-overload]

    @contextlib.contextmanager
    def reencoded(self) -> Iterator[None]:
        """Let every pack have another encoding meanwhile."""
        with self.archive.index.writing() as conn:
            packs = conn.execute(select(tables.pack.c.content_id, tables.pack.c.encoding_id)).all()
            conn.execute(update(tables.pack).values(encoding_id=b"e" * 32))
        yield
        with self.archive.index.writing() as conn:
            for content, encoding in packs:
                change = update(tables.pack).where(tables.pack.c.content_id == content)
                conn.execute(change.values(encoding_id=encoding))

    def node_id(self, name: str) -> int:
        (found,) = self.column(select(tables.node.c.id).where(tables.node.c.name == name))
        return int(str(found))

    def orders(self, name: str) -> list[tuple[str, str]]:
        """Return (kind, state) of every order to a node, oldest first."""
        columns = tables.node_order.c
        query = select(columns.kind, columns.state).where(columns.node_id == self.node_id(name))
        with self.archive.index.reading() as conn:
            return [(row.kind, row.state) for row in conn.execute(query.order_by(columns.id))]


def digests_in(archive: Archive, asker: Asker, study_uid: str) -> dict[str, str]:
    return {
        each.sop_instance_uid: hashlib.sha256(b"".join(archive.reader.data_set(each))).hexdigest()
        for each in archive.reader.select(asker, Selection((study_uid,)))
    }


def work_off(executor: Executor) -> None:
    """Run what is due, class by class, until there is nothing."""
    for _ in range(1000):
        if not any(executor.run_one(job_class) for job_class in JobClass):
            return
    raise AssertionError("the work does not come to an end")


def stand_up_centre(directory: Path, migrated: Path, clock: MovedClock) -> CentreStand:
    settings = CentralSettings(
        environment="test",
        directory=directory,
        broker=BROKER,
        organisations=tuple(
            OrganisationSettings(ods_code=trust, authorities=(AuthoritySettings(namespace=trust),))
            for trust in TRUSTS
        ),
        nodes=tuple(
            RegionNodeSettings(name=trust, organisation=trust, token_sha256=_sha256(TOKEN[trust]))
            for trust in TRUSTS
        ),
        tokens=(TokenSettings(name="r", role="radiologist", sha256=_sha256(RADIOLOGIST)),),
        limits=LimitSettings(disk_floor_bytes=0),
    )
    archive = opened(settings, migrated, clock)
    with archive.index.writing() as conn:
        write_directory(conn, settings)
    ledger = Ledger(archive.index)
    nudger = CountingNudger()
    tiers = Tiers(
        index=archive.index,
        blobs=archive.blobs,
        staging=settings.staging_directory,
        ledger=ledger,
        clock=clock,
        settings=settings,
        nudger=nudger,
    )
    planner = Planner(archive.index, clock, settings.prefetch)
    executor = Executor(ledger, {PLAN: planner.run}, owner="centre", clock=clock)
    return CentreStand(settings, archive, ledger, tiers, nudger, executor)


def ct(number: int, *, study: str = "1.2.3", series: str = "1", **header: object) -> Dataset:
    """Return an image of a study; a SOP Instance UID is that of its series and its number."""
    return image(
        f"{study}.{series}.{number}",
        StudyInstanceUID=study,
        SeriesInstanceUID=f"{study}.{series}",
        pixels=number,
        **header,
    )


def _watching(app: ASGIApp, fallen: list[str]) -> ASGIApp:
    """Note the path of each request that fell in a way that nobody foresaw."""

    async def watched(scope: Scope, receive: Receive, send: Send) -> None:
        async def forward(message: Message) -> None:
            if message.get("status") == HTTPStatus.INTERNAL_SERVER_ERROR:
                fallen.append(scope["path"])
            await send(message)

        await app(scope, receive, forward)

    return watched


def count_rows(archive: Archive, name: str) -> int:
    with archive.index.reading() as conn:
        table = tables.metadata.tables[name]
        return int(conn.execute(select(func.count()).select_from(table)).scalar_one())


def opened(settings: CentralSettings | NodeSettings, migrated: Path, clock: MovedClock) -> Archive:
    settings.directory.mkdir(parents=True)
    shutil.copy(migrated, settings.directory / "index.sqlite")
    return open_archive(settings, system="TEST", clock=clock)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
