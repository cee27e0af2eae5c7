"""A central store and nodes for tests: real rows, packs, jobs and HTTP, in one process."""

import contextlib
import hashlib
import shutil
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path

from pydicom.dataset import Dataset
from sqlalchemy import Connection, func, select, update
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from archive.config import AuthoritySettings, DicomSettings, LimitSettings, TokenSettings
from archive.dicomweb.app import build_app
from archive.dicomweb.server import HttpServer
from archive.index import tables
from archive.index.copies import PackKey
from archive.index.directory import authority_id
from archive.index.members import unpacked_manifest
from archive.index.overlay import ANY_OCTETS, StateRow, set_state
from archive.index.packs import pack_row
from archive.index.patients import LocalPatient, save_patient
from archive.intake.intake import Intake
from archive.intake.seal import Sealer
from archive.opening import Archive, open_archive
from archive.reader import Outgoing, Selection
from archive.states import InstanceState
from archive.store.blobs import pack_name
from archive.store.disk import RealDisk
from archive.store.part10 import file_meta
from archive.store.segment import RecordKind
from archive.store.spool import Spool
from archive.words.identity import Asker, Issuer, PatientIdentity
from central_store.config import CentralSettings, OrganisationSettings, RegionNodeSettings
from central_store.prefetch.plan import KIND as PLAN
from central_store.prefetch.plan import Planner
from central_store.setup import node_entries, token_entries, write_directory
from central_store.tiers.receiving import Tiers
from central_store.tiers.routes import tier_routes
from local_node.config import CentreSettings, NodeIdentity, NodeSettings
from local_node.setup import write_directory as write_node_directory
from sync.fetch import KIND as FETCH
from sync.fetch import Fetching
from sync.jobs.executor import Executor
from sync.jobs.ledger import Ledger
from sync.jobs.work import JobClass
from sync.orders import OrderTaker
from sync.replicate import KIND as REPLICATE
from sync.replicate import Replication, open_replication
from sync.tell import ARRIVAL, PATIENT, STATES, Telling, open_arrival, open_patient, open_states
from sync.transfer.messages import AnnouncementMessage
from sync.transfer.peer import Centre
from sync.transfer.telling import announcement
from tests.intake.house import drain, envelope, octets_of
from tests.intake.samples import image, sent
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


@dataclass(frozen=True)
class PackFile:
    """A pack as it lies in a node's blob store."""

    content: str
    encoding: str
    octets: bytes = field(repr=False)
    digests: tuple[str, ...] = field(repr=False)

    @property
    def length(self) -> int:
        return len(self.octets)

    def read(self, offset: int) -> Iterator[bytes]:
        """Give the octets from an offset, as a blob store does."""
        yield from (self.octets[at : at + 65536] for at in range(offset, self.length, 65536))


@dataclass(frozen=True)
class NodeStand:
    """A trust's node, its hot side left out: objects are appended to the spool."""

    name: str
    settings: NodeSettings
    archive: Archive
    ledger: Ledger
    clock: MovedClock
    centre: Centre
    executor: Executor

    @property
    def issuer(self) -> Issuer:
        return Issuer(self.name, self.name)

    @property
    def asker(self) -> Asker:
        return Asker(self.name, self.issuer, f"radiologist.{self.name}")

    def archives(self, *images: Dataset) -> list[PackKey]:
        """Take images in, seal them and open the jobs that replicate them."""
        spool = Spool(
            self.settings.spool_directory, disk=RealDisk(), clock=self.clock, floor_bytes=0
        )
        writer = spool.writer()
        for each in map(sent, images):
            said = envelope(each, at=self.clock.now())
            meta = file_meta(
                sop_class_uid=said.sop_class_uid,
                sop_instance_uid=said.sop_instance_uid,
                transfer_syntax=said.transfer_syntax,
                calling_ae=said.calling_ae,
                called_ae=said.called_ae,
            )
            writer.append(RecordKind.DICOM, said, [meta, octets_of(each)])
        writer.hand_over()
        sealed: list[PackKey] = []
        drain(self._intake())
        drain(self._sealer(sealed))
        return sealed

    def patient(self, mrn: str, **told: str) -> None:
        """Let the PAS tell of a patient, and open the job that tells the centre."""
        told = {"name": "Doe^Jane", "birth_date": "19700101", "sex": "F", **told}
        patient = LocalPatient(PatientIdentity(mrn, self.issuer), **told)  # type: ignore[arg-type]
        with self.archive.index.writing() as conn:
            saved = save_patient(conn, patient, at_ms=self.now_ms)
            open_patient(self.ledger, conn, saved.patient_id)

    def arrives(self, mrn: str, message_key: str = "feed:1") -> None:
        """Let a patient turn up, and open the job that tells the centre."""
        with self.archive.index.writing() as conn:
            row = conn.execute(select(tables.node.c.id).where(tables.node.c.name == self.name))
            open_arrival(
                self.ledger,
                conn,
                node_id=row.scalar_one(),
                authority_id=authority_id(conn, self.issuer),
                mrn=mrn,
                event="A01",
                message_key=message_key,
                at_ms=self.now_ms,
            )

    def rejects(self, sop_instance_uid: str) -> None:
        """Hide an instance as a rejection note does, and open the job that tells the centre."""
        row = StateRow(
            sop_instance_uid=sop_instance_uid,
            sha256=ANY_OCTETS,
            state=InstanceState.REJECTED,
            serves=True,
            code="113001",
            actor="CT1",
            at_ms=self.now_ms,
            numbered_by=self.name,
        )
        with self.archive.index.writing() as conn:
            set_state(conn, custodian=self.name, row=row)
            self._tell_states(conn)

    def take_orders(self) -> bool:
        """Ask the centre once for orders, without waiting."""
        taker = OrderTaker(
            index=self.archive.index,
            ledger=self.ledger,
            centre=self.centre,
            wait_seconds=0.0,
            nudge=lambda _job_class: None,
        )
        return taker.once()

    def announcement(self, *packs: PackKey) -> AnnouncementMessage:
        with self.archive.index.reading() as conn:
            return announcement(conn, packs)

    def pack(self, key: PackKey) -> PackFile:
        with self.archive.index.reading() as conn:
            row = pack_row(conn, key)
            manifest = unpacked_manifest(row.manifest)
        octets = b"".join(self.archive.blobs.read(pack_name(row.encoding_id)))
        digests = tuple(sorted(member.sha256.hex() for member in manifest.members))
        return PackFile(row.content_id.hex(), row.encoding_id.hex(), octets, digests)

    def work(self) -> None:
        """Do every job that is due."""
        work_off(self.executor)

    def job_states(self, kind: str) -> list[str]:
        columns = tables.job.c
        query = select(columns.state).where(columns.kind == kind).order_by(columns.id)
        with self.archive.index.reading() as conn:
            return list(conn.execute(query).scalars())

    def digests(self, study_uid: str, asker: Asker | None = None) -> dict[str, str]:
        """Return SHA-256 of each Data Set that can be read, by SOP Instance UID."""
        return digests_in(self.archive, asker or self.asker, study_uid)

    def selects(self, study_uid: str) -> list[Outgoing]:
        return self.archive.reader.select(self.asker, Selection((study_uid,)))

    @property
    def now_ms(self) -> int:
        return round(self.clock.now().timestamp() * 1000)

    def _intake(self) -> Intake:
        return Intake(
            self.archive.index,
            self.archive.spool,
            self.archive.blobs,
            self.clock,
            node_name=self.name,
            staging=self.settings.staging_directory,
            on_states=self._tell_states,
        )

    def _sealer(self, sealed: list[PackKey]) -> Sealer:
        def replicate(conn: Connection, packs: Sequence[PackKey]) -> None:
            sealed.extend(packs)
            open_replication(self.ledger, conn, packs)

        return Sealer(
            self.archive.index,
            self.archive.spool,
            self.archive.blobs,
            self.clock,
            staging=self.settings.staging_directory,
            quiet_seconds=0,
            node_name=self.name,
            on_sealed=replicate,
        )

    def _tell_states(self, conn: Connection) -> None:
        open_states(self.ledger, conn, organisation=self.name, node=self.name)


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
    archive = _opened(settings, migrated, clock)
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


def stand_up_node(
    name: str, directory: Path, migrated: Path, clock: MovedClock, centre: Centre
) -> NodeStand:
    settings = NodeSettings(
        environment="test",
        directory=directory,
        broker=BROKER,
        node=NodeIdentity(name=name, organisation=name, ae_title=name),
        authorities=(AuthoritySettings(namespace=name),),
        dicom=DicomSettings(any_caller=True),
        centre=CentreSettings(url="http://127.0.0.1", token=TOKEN[name]),
    )
    archive = _opened(settings, migrated, clock)
    with archive.index.writing() as conn:
        write_node_directory(conn, settings)
    ledger = Ledger(archive.index)
    replication = Replication(archive.index, archive.blobs, centre, clock)
    telling = Telling(archive.index, centre, name, name)
    fetching = Fetching(
        archive.index, archive.blobs, centre, clock, settings.staging_directory, name
    )
    kinds = {
        REPLICATE: replication.run,
        FETCH: fetching.run,
        PATIENT: telling.patient,
        ARRIVAL: telling.arrival,
        STATES: telling.states,
    }
    executor = Executor(ledger, kinds, owner=name, clock=clock)
    return NodeStand(name, settings, archive, ledger, clock, centre, executor)


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


def _opened(settings: CentralSettings | NodeSettings, migrated: Path, clock: MovedClock) -> Archive:
    settings.directory.mkdir(parents=True)
    shutil.copy(migrated, settings.directory / "index.sqlite")
    return open_archive(settings, system="TEST", clock=clock)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
