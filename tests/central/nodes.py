"""A trust's node for tests, its hot side left out: real rows, packs and jobs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydicom.dataset import Dataset
from sqlalchemy import Connection, select

from archive.config import AuthoritySettings, DicomSettings
from archive.index import tables
from archive.index.copies import PackKey
from archive.index.directory import authority_id
from archive.index.members import unpacked_manifest
from archive.index.overlay import ANY_OCTETS, StateRow, set_state
from archive.index.packs import pack_row
from archive.index.patients import LocalPatient, save_patient
from archive.intake.intake import Intake
from archive.intake.seal import Sealer
from archive.opening import Archive
from archive.reader import Outgoing, Selection
from archive.states import InstanceState
from archive.store.blobs import pack_name
from archive.store.disk import RealDisk
from archive.store.part10 import file_meta
from archive.store.segment import RecordKind
from archive.store.spool import Spool
from archive.words.identity import Asker, Issuer, PatientIdentity
from archive.words.nhs import Environment
from local_node.config import CentreSettings, NodeIdentity, NodeSettings
from local_node.hl7.apply import Hl7Intake
from local_node.outbox import NodeOutbox
from local_node.setup import write_directory as write_node_directory
from sync.fetch import KIND as FETCH
from sync.fetch import Fetching
from sync.jobs.executor import Executor
from sync.jobs.ledger import Ledger
from sync.orders import OrderTaker
from sync.replicate import KIND as REPLICATE
from sync.replicate import Replication, open_replication
from sync.tell import ARRIVAL, PATIENT, STATES, Telling, open_arrival, open_patient, open_states
from sync.transfer.messages import AnnouncementMessage
from sync.transfer.peer import Centre
from sync.transfer.telling import announcement
from tests.central.stands import BROKER, TOKEN, digests_in, opened, work_off
from tests.intake.house import drain, envelope, hl7_envelope, octets_of
from tests.intake.samples import sent
from tests.jobs.clocks import MovedClock


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

    def archives(self, *images: Dataset, message: bytes = b"") -> list[PackKey]:
        """Take an HL7 message and images in, seal them, and open the jobs that replicate them."""
        spool = Spool(
            self.settings.spool_directory, disk=RealDisk(), clock=self.clock, floor_bytes=0
        )
        writer = spool.writer()
        if message:
            said = hl7_envelope(self.clock.now(), "PAS", "1")
            writer.append(RecordKind.HL7, said, [message])
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

    def patient(self, mrn: str, *, namespace: str = "", **told: str) -> None:
        """Let the PAS tell of a patient, and open the job that tells the centre."""
        told = {"name": "Doe^Jane", "birth_date": "19700101", "sex": "F", **told}
        identity = PatientIdentity(mrn, Issuer(self.name, namespace or self.name))
        patient = LocalPatient(identity, **told)  # type: ignore[arg-type]
        with self.archive.index.writing() as conn:
            saved = save_patient(conn, patient, at_ms=self.now_ms)
            open_patient(self.ledger, conn, saved.patient_id)

    def arrives(
        self, mrn: str, message_key: str = "feed:1", *, issuer: Issuer | None = None
    ) -> None:
        """Let a patient turn up, and open the job that tells the centre."""
        node_id = self._row_id()
        with self.archive.index.writing() as conn:
            open_arrival(
                self.ledger,
                conn,
                node_id=node_id,
                authority_id=authority_id(conn, issuer or self.issuer),
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
            hl7=Hl7Intake(Environment.TEST, NodeOutbox(self.ledger, self._row_id())),
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

    def _row_id(self) -> int:
        query = select(tables.node.c.id).where(tables.node.c.name == self.name)
        with self.archive.index.reading() as conn:
            return int(conn.execute(query).scalar_one())

    def _tell_states(self, conn: Connection) -> None:
        open_states(self.ledger, conn, organisation=self.name, node=self.name)


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
    archive = opened(settings, migrated, clock)
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
