"""A tier at work: a real spool, intake, packs and index, served by the real server on loopback."""

import hashlib
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from pathlib import Path

import httpx
from sqlalchemy import select
from starlette.applications import Starlette
from starlette.routing import BaseRoute

from archive.dicomweb.access import NodeEntry, Role, TokenEntry
from archive.dicomweb.app import build_app
from archive.dicomweb.problems import ProblemPage
from archive.dicomweb.routes import dicomweb_routes
from archive.dicomweb.server import HttpServer
from archive.index import tables
from archive.index.overlay import StateRow, set_state
from archive.intake.intake import Intake
from archive.intake.seal import Sealer
from archive.states import InstanceState
from archive.store.disk import RealDisk
from archive.store.local_blobs import LocalBlobs
from archive.store.part10 import file_meta
from archive.store.segment import Envelope, RecordKind
from archive.store.spool import Spool, SpoolReader
from archive.words.identity import Issuer
from tests.dicomweb.objects import CT, Made
from tests.index.builders import RXA, RXA_WEST, RXB, RXC, Rows

ANYTHING = 'multipart/related; type="application/dicom"; transfer-syntax=*'


def token_of(name: str) -> str:
    return f"token of {name}"


def _hash(name: str) -> str:
    return hashlib.sha256(token_of(name).encode()).hexdigest()


def _user(name: str, issuer: Issuer) -> TokenEntry:
    return TokenEntry(name, Role.RADIOLOGIST, issuer.organisation, issuer, _hash(name))


USERS = (
    _user("radiologist.RXA", RXA),
    _user("west.RXA", RXA_WEST),
    _user("radiologist.RXB", RXB),
    _user("radiologist.RXC", RXC),
    TokenEntry("operator", Role.OPERATOR, "", None, _hash("operator")),
)
NODES = (NodeEntry("RXA", "RXA", _hash("node RXA")),)


def bearer(name: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token_of(name)}"}


@dataclass
class Tier:
    """The archive behind the doors."""

    rows: Rows
    directory: Path
    failing: list[str] = field(default_factory=list)
    """Names of ready checks that fail."""

    def store(self, *objects: Made, node: str = "RXA", seal: bool = True) -> None:
        """Receive objects at a node's door, take them in and, where asked, seal them."""
        clock, index = self.rows.clock, self.rows.index
        spool = Spool(self.directory / "spool", disk=RealDisk(), clock=clock, floor_bytes=0)
        writer = spool.writer()
        for each in objects:
            writer.append(RecordKind.DICOM, self._envelope(each), [_meta(each), each.octets])
        writer.hand_over()
        reader, blobs = SpoolReader(self.directory / "spool"), LocalBlobs(self.directory / "blobs")
        staging = self.directory / "staging"
        intake = Intake(index, reader, blobs, clock, node_name=node, staging=staging)
        _drain(intake)
        if seal:
            clock.advance(10)
            _drain(
                Sealer(
                    index,
                    reader,
                    blobs,
                    clock,
                    staging=staging,
                    quiet_seconds=1,
                    node_name=node,
                )
            )

    def reject(self, sop_instance_uid: str, state: InstanceState = InstanceState.REJECTED) -> None:
        row = StateRow(
            sop_instance_uid,
            b"",
            state,
            serves=False,
            code="113001",
            actor="",
            at_ms=self.rows.now_ms,
            numbered_by="RXA",
        )
        with self.rows.index.writing() as conn:
            set_state(conn, custodian="RXA", row=row)

    def deliveries(self) -> list[tuple[str, str, str, bool]]:
        """Return (means, destination, SOP Instance UID, stamped) of what has left."""
        columns = tables.delivery.c
        query = select(
            columns.means, columns.destination, columns.sop_instance_uid, columns.stamped
        )
        with self.rows.index.reading() as conn:
            return [tuple(row) for row in conn.execute(query.order_by(columns.id))]

    def app(
        self, more: Sequence[BaseRoute] = (), *, problem_page: ProblemPage | None = None
    ) -> Starlette:
        return build_app(
            name="TEST",
            routes=[*dicomweb_routes(lambda: self.rows.reader), *more],
            tokens=USERS,
            nodes=NODES,
            ready_checks={"database": self.rows.index.now_ms, "disk": self._check_disk},
            counts=self.rows.reader.counts,
            problem_page=problem_page,
        )

    def _check_disk(self) -> None:
        if "disk" in self.failing:
            raise OSError("/secret/place is full")

    def _envelope(self, made: Made) -> Envelope:
        return Envelope(
            association="a1",
            context_id=1,
            calling_ae="CT1",
            called_ae="RXA",
            peer="127.0.0.1:1",
            arrived_at=self.rows.clock.now(),
            transfer_syntax=made.transfer_syntax,
            sop_class_uid=CT,
            sop_instance_uid=made.sop_instance_uid,
        )


def _meta(made: Made) -> bytes:
    return file_meta(
        sop_class_uid=CT,
        sop_instance_uid=made.sop_instance_uid,
        transfer_syntax=made.transfer_syntax,
        calling_ae="CT1",
        called_ae="RXA",
    )


def _drain(loop: Intake | Sealer) -> None:
    while loop.once():
        pass


@contextmanager
def served(app: Starlette) -> Iterator[str]:
    """Serve an app on loopback; gives its URL."""
    server = HttpServer(app, host="127.0.0.1", port=0)
    ready = threading.Event()
    thread = threading.Thread(target=server.run, args=(lambda _port: ready.set(),))
    thread.start()
    try:
        assert ready.wait(20)
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.stop()
        thread.join(20)
        assert not thread.is_alive()


def parts(response: httpx.Response) -> list[tuple[dict[str, str], bytes]]:
    """Return headers and octets of each part of a multipart body."""
    head = f"Content-Type: {response.headers['Content-Type']}\r\n\r\n".encode()
    message = message_from_bytes(head + response.content)
    assert not message.defects
    found = []
    for part in message.get_payload():
        payload = part.get_payload(decode=True)  # type: ignore[union-attr]
        assert isinstance(payload, bytes)
        found.append((dict(part.items()), payload))  # type: ignore[union-attr]
    return found
