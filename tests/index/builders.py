"""Rows for tests: a migrated index and instances as intake would hand them over."""

import hashlib
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from archive.index.directory import (
    Source,
    ensure_authority,
    ensure_node,
    resolve_source,
    save_source,
)
from archive.index.engine import Index
from archive.index.header import Arrived, Header, Loose
from archive.index.patients import Link, LocalPatient, save_link, save_patient
from archive.index.register import Answer, Verdicts, register
from archive.reader import Octets, Reader
from archive.states import LinkState
from archive.store.local_blobs import LocalBlobs
from archive.store.spool import SpoolReader
from archive.words.identity import Asker, Issuer, PatientIdentity
from archive.words.objects import ObjectDigest

EXPLICIT = "1.2.840.10008.1.2.1"
CT = "1.2.840.10008.5.1.4.1.1.2"

RXA = Issuer("RXA", "RXA")
RXA_WEST = Issuer("RXA", "RXAW")
RXB = Issuer("RXB", "RXB")
RXC = Issuer("RXC", "RXC")

ASKS_RXA = Asker("RXA", RXA, "radiologist.RXA")
ASKS_RXA_WEST = Asker("RXA", RXA_WEST, "WEST_WS")
ASKS_RXB = Asker("RXB", RXB, "radiologist.RXB")
ASKS_RXC = Asker("RXC", RXC, "radiologist.RXC")
OPERATOR = Asker(None, None, "operator")


@dataclass
class MovedClock:
    """A clock that the test moves."""

    at: datetime = field(default_factory=lambda: datetime(2026, 3, 1, 12, 0, tzinfo=UTC))

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.at.timestamp()

    def advance(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


@dataclass(frozen=True)
class Rows:
    """An index with the region's directory in it, and a reader on top."""

    index: Index
    reader: Reader
    clock: MovedClock

    def take(self, *batch: Arrived, verdicts: Verdicts | None = None) -> list[Answer]:
        with self.index.writing() as conn:
            return register(conn, batch, verdicts or {}, at_ms=self.now_ms)

    def source(self, issuer: Issuer) -> Source:
        with self.index.reading() as conn:
            name = "*" if issuer != RXA_WEST else "WEST_CT"
            return resolve_source(conn, node=issuer.organisation, kind="dicom", name=name)

    def patient(self, mrn: str, issuer: Issuer, name: str = "", **more: str) -> LocalPatient:
        told = LocalPatient(PatientIdentity(mrn, issuer), name=name, **more)  # type: ignore[arg-type]
        with self.index.writing() as conn:
            return save_patient(conn, told, at_ms=self.now_ms)

    def link(self, one: LocalPatient, other: LocalPatient, state: LinkState) -> None:
        edge = Link(one.patient_id, other.patient_id, kind="AUTO-NHS", state=state)
        with self.index.writing() as conn:
            save_link(conn, edge, at_ms=self.now_ms)

    @property
    def now_ms(self) -> int:
        return round(self.clock.at.timestamp() * 1000)


def open_rows(url: str, directory: Path) -> Rows:
    """Return a migrated index that knows three trusts, one of them with two authorities."""
    clock = MovedClock()
    index = Index(url, clock=clock)
    index.migrate()
    with index.writing() as conn:
        for issuer in (RXA, RXB, RXC):
            trust = issuer.organisation
            ensure_authority(conn, issuer)
            ensure_node(conn, trust, organisation=trust, ae_title=trust)
            save_source(
                conn, node=trust, kind="dicom", name="*", organisation=trust, authority=issuer
            )
        save_source(
            conn, node="RXA", kind="dicom", name="WEST_CT", organisation="RXA", authority=RXA_WEST
        )
    octets = Octets(SpoolReader(directory / "spool"), LocalBlobs(directory / "blobs"))
    return Rows(index, Reader(index, octets, system="TEST", clock=clock), clock)


def arrived(source: Source, sop: str, *, octets: bytes = b"", **header: str) -> Arrived:
    """Return an instance as intake would hand it over, with a study and series of its own name."""
    told = Header(
        SOPClassUID=CT,
        SOPInstanceUID=sop,
        StudyInstanceUID=header.pop("study", "1.2.3"),
        SeriesInstanceUID=header.pop("series", "1.2.3.1"),
        Modality="CT",
    )
    content = octets or sop.encode()
    return Arrived(
        header=replace(told, **header),
        digest=ObjectDigest(EXPLICIT, hashlib.sha256(content).digest()),
        size=len(content),
        location=Loose("0" * 32, 0, len(content), 0),
        source=source,
        calling_ae="CT1",
        called_ae="RXA",
        arrived_ms=0,
    )
