"""A door on loopback over a real spool and a real index, and the registration of what came."""

import hashlib
import io
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pydicom
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import UID

from archive.clock import SystemClock
from archive.dimse.receive import Receiver
from archive.dimse.scp import Destination, Door
from archive.index.header import Arrived, Header, Loose
from archive.reader import Reader
from archive.store.disk import RealDisk
from archive.store.part10 import data_set_offset
from archive.store.segment import Record
from archive.store.spool import Spool, SpoolReader
from archive.words.identity import Asker, Issuer
from archive.words.objects import ObjectDigest
from deploy.demo.modality import Modality, WireObject
from tests.index.builders import ASKS_RXA, ASKS_RXB, ASKS_RXC, OPERATOR, RXA, Rows, open_rows
from tests.peers.processes import LOOPBACK, Endpoint

CT = "1.2.840.10008.5.1.4.1.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
IMPLICIT = "1.2.840.10008.1.2"

CALLERS: Mapping[str, Asker] = {
    "CT1": ASKS_RXA,
    "DCMTK": ASKS_RXA,
    "ORTHANC": ASKS_RXA,
    "WS_A": ASKS_RXA,
    "WS_B": ASKS_RXB,
    "WS_C": ASKS_RXC,
    "REGION": OPERATOR,
}


@dataclass
class Tables:
    """Who may call and where objects go, as the test wants it."""

    destinations: dict[str, Destination] = field(default_factory=dict)

    def caller(self, ae_title: str) -> Asker | None:
        return CALLERS.get(ae_title)

    def destination(self, ae_title: str) -> Destination | None:
        return self.destinations.get(ae_title)


@dataclass
class Archive:
    """A running door and what lies behind it."""

    rows: Rows
    tables: Tables
    endpoint: Endpoint
    spool: Spool
    segments: SpoolReader
    refused: list[tuple[str, str]] = field(default_factory=list)

    def modality(self, ae_title: str = "CT1") -> Modality:
        return Modality(ae_title, self.endpoint.host, self.endpoint.port, self.endpoint.ae_title)

    def records(self) -> list[tuple[str, Record, bytes]]:
        """Return all that was handed over, with Part 10 octets, oldest first."""
        return [
            (name, record, b"".join(self._read(name, record)))
            for name in self.segments.ready()
            for record in self.segments.records(name)
        ]

    def register(self, issuer: Issuer = RXA) -> None:
        """Make everything that was stored visible, as intake would."""
        self.rows.take(*(self._arrived(issuer, *stored) for stored in self.records()))

    def _read(self, name: str, record: Record) -> Iterator[bytes]:
        return self.segments.read(name, offset=record.offset, length=record.length)

    def _arrived(self, issuer: Issuer, name: str, record: Record, part10: bytes) -> Arrived:
        start = data_set_offset(part10)
        return Arrived(
            header=_header(part10),
            digest=ObjectDigest(
                record.envelope.transfer_syntax, hashlib.sha256(part10[start:]).digest()
            ),
            size=len(part10) - start,
            location=Loose(name, record.offset, record.length, start),
            source=self.rows.source(issuer),
            calling_ae=record.envelope.calling_ae,
            called_ae=record.envelope.called_ae,
            arrived_ms=0,
        )


def _header(part10: bytes) -> Header:
    data_set = pydicom.dcmread(io.BytesIO(part10), stop_before_pixels=True)
    return Header(**{name: str(data_set.get(name, "")) for name in Header.__dataclass_fields__})


@contextmanager
def opened(
    directory: Path, migrated: Path, *, reader: Callable[[], Reader] | None = None
) -> Iterator[Archive]:
    """Run a door over ``directory`` until the block ends."""
    shutil.copy(migrated, directory / "index.sqlite")
    rows = open_rows(f"sqlite:///{directory / 'index.sqlite'}", directory)
    tables = Tables()
    clock = SystemClock()
    spool = Spool(directory / "spool", disk=RealDisk(), clock=clock, floor_bytes=0)
    refused: list[tuple[str, str]] = []
    door = Door(
        ae_title="RXA",
        host=LOOPBACK,
        port=0,
        receiver=Receiver(spool, clock),
        callers=tables,
        destinations=tables,
        reader=reader or (lambda: rows.reader),
        note_refused=lambda ae_title, address: refused.append((ae_title, address)),
    )
    endpoint = Endpoint(LOOPBACK, door.start(), "RXA")
    try:
        yield Archive(rows, tables, endpoint, spool, SpoolReader(directory / "spool"), refused)
    finally:
        door.stop()
        rows.index.close()


def wire(
    sop: str, *, sop_class: str = CT, syntax: str = EXPLICIT, **attributes: object
) -> WireObject:
    """Return a small image as a modality sends it; attributes by keyword."""
    data_set = Dataset()
    data_set.SOPClassUID = sop_class
    data_set.SOPInstanceUID = sop
    data_set.StudyInstanceUID = "1.2.3"
    data_set.SeriesInstanceUID = "1.2.3.1"
    data_set.Modality = "CT"
    data_set.PatientID = "7"
    data_set.PatientName = "Doe^Archibald"
    data_set.StudyDate = "20010101"
    data_set.InstanceNumber = "1"
    data_set.PixelData = bytes(range(256)) * 8
    for keyword, value in attributes.items():
        setattr(data_set, keyword, value)
    data_set["PixelData"].VR = "OW"
    return WireObject(sop_class, sop, syntax, coded(data_set, syntax))


def coded(data_set: Dataset, syntax: str = EXPLICIT) -> bytes:
    """Return a Data Set's octets in a native little endian syntax."""
    target = io.BytesIO()
    data_set.file_meta = FileMetaDataset()
    data_set.file_meta.TransferSyntaxUID = UID(syntax)
    pydicom.dcmwrite(target, data_set, enforce_file_format=False)
    start = target.getvalue().find(syntax.encode()) + len(syntax) + len(syntax) % 2
    return target.getvalue()[start:]
