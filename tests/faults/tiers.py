"""A node and a centre of tests: their files, processes, doors, and what lies in their archives."""

import hashlib
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from sqlalchemy import select

from archive.clock import SystemClock
from archive.errors import NotFound
from archive.index import tables
from archive.index.counts import count
from archive.index.engine import Index
from archive.index.header import Elsewhere
from archive.index.members import Holding, holdings_of
from archive.reader import Octets
from archive.store.blobs import held_name
from archive.store.local_blobs import LocalBlobs
from archive.store.spool import SpoolReader
from deploy.demo.modality import Modality, WireObject
from deploy.demo.pas import MllpClient
from deploy.region.toml import toml_document
from tests.faults.objects import digest
from tests.faults.processes import Process
from tests.peers.processes import LOOPBACK, Endpoint, wait_until

Table = Mapping[str, object]
QUIET_SECONDS = 0.3


def wait_for_each(
    objects: Sequence[WireObject],
    holds: Callable[[WireObject], bool],
    *,
    what: str,
    seconds: float,
) -> None:
    """Wait until something was true of each object once."""
    left = list(objects)

    def is_true_of_all() -> bool:
        while left and holds(left[-1]):
            left.pop()
        return not left

    wait_until(is_true_of_all, what=what, seconds=seconds)


@dataclass(frozen=True)
class Archive:
    """What lies in one tier, read beside its processes."""

    directory: Path
    mounted: Path | None = None
    """Where the test sees the spool, if its file system is another's."""

    @property
    def spool(self) -> Path:
        return self.mounted or self.directory / "spool"

    @cached_property
    def index(self) -> Index:
        return Index(f"sqlite:///{self.directory / 'index.sqlite'}", clock=SystemClock())

    @property
    def octets(self) -> Octets:
        return Octets(SpoolReader(self.spool), LocalBlobs(self.directory / "blobs"))

    def rows(self, name: str, **where: object) -> list[dict[str, object]]:
        """Return the rows of a table that have these values."""
        table = tables.metadata.tables[name]
        query = select(table).where(*(table.c[key] == value for key, value in where.items()))
        with self.index.reading() as conn:
            return [dict(row) for row in conn.execute(query).mappings()]

    def answers(self) -> dict[str, int]:
        """Return how often register() gave each answer."""
        with self.index.reading() as conn:
            return count(conn).answers

    def holdings(self, sop_instance_uid: str) -> list[Holding]:
        """Return what is here under a UID, whoever's it is; not what is only announced."""
        with self.index.reading() as conn:
            known = holdings_of(conn, sop_instance_uid)
        return [holding for holding in known if not isinstance(holding.location, Elsewhere)]

    def stored_digests(self, sop_instance_uid: str) -> list[str]:
        """Return the digests of the octets that lie here under a UID, read from the storage."""
        return [self._digest(holding) for holding in self.holdings(sop_instance_uid)]

    def holds(self, one: WireObject) -> bool:
        """Tell whether the octets that were sent are registered under their UID, and lie here.

        Fails the test when they are registered twice, or when the storage has others.
        """
        try:
            return self._holds(one, digest(one))
        except NotFound:  # a pack has just replaced the segment
            return self._holds(one, digest(one))

    def _holds(self, one: WireObject, sha256: str) -> bool:
        found = [h for h in self.holdings(one.sop_instance_uid) if h.member.sha256.hex() == sha256]
        assert len(found) <= 1, f"doubled: {one.sop_instance_uid}"
        assert all(self._digest(holding) == sha256 for holding in found)
        return bool(found)

    def held_reasons(self, one: WireObject) -> list[str]:
        """Return why an object is in ``held``; its octets there must be those that were sent."""
        sha256 = bytes.fromhex(digest(one))
        rows = self.rows("held", sha256=sha256)
        if rows:
            octets = b"".join(self.octets.blobs.read(held_name(sha256)))
            assert hashlib.sha256(octets).digest() == sha256
        return [str(row["reason"]) for row in rows]

    def copies(self, sop_instance_uid: str) -> dict[str, str]:
        """Return the state of the copies of a pack that holds a UID, by kind of place."""
        copies = [
            copy
            for holding in self.holdings(sop_instance_uid)
            for copy in self.rows(
                "copy",
                study_key=holding.study_key,
                series_no=holding.series_no,
                pack_no=holding.pack_no,
            )
        ]
        places = {row["id"]: str(row["kind"]) for row in self.rows("place")}
        return {places[copy["place_id"]]: str(copy["state"]) for copy in copies}

    def wait_holds(self, objects: Sequence[WireObject], *, seconds: float = 30) -> None:
        """Wait until all of these are here with their digests."""
        what = f"{len(objects)} objects in {self.directory}"
        wait_for_each(objects, self.holds, what=what, seconds=seconds)

    def wait_taken_in(self, *, seconds: float = 30) -> None:
        """Wait until intake has taken in all that was stored before."""

        def is_taken_in() -> bool:
            segments = {path.stem for path in self.spool.glob("*.open")}
            waiting = {path.stem for path in self.spool.glob("*.ready")}
            done = {row["segment"] for row in self.rows("segment_progress", state="COMPLETE")}
            return not segments and waiting <= done

        wait_until(is_taken_in, what=f"intake in {self.directory}", seconds=seconds)

    def _digest(self, holding: Holding) -> str:
        sha256 = hashlib.sha256()
        for chunk in self.octets.data_set(holding.location):
            sha256.update(chunk)
        return sha256.hexdigest()


class Tier:
    """What node and centre share: a directory, processes that read one file, kept ports."""

    def __init__(self, directory: Path, *, kind: str, roles: Sequence[str], broker: str) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.broker = broker
        self.archive = Archive(directory / "archive")
        self.settings: dict[str, object] = {}
        self._ports: dict[str, int] = {}
        self._processes = {role: self._process(kind, role) for role in roles}

    def __getitem__(self, role: str) -> Process:
        return self._processes[role]

    def start(self, *roles: str) -> None:
        """Start these processes and return when they are ready; a port once bound is kept."""
        self.begin(*roles)
        self.await_ready(*roles)

    def begin(self, *roles: str) -> None:
        """Start these processes."""
        for role in roles:
            self._processes[role].begin()

    def await_ready(self, *roles: str) -> None:
        """Return when these processes are ready."""
        for role in roles:
            self._processes[role].await_ready()
            self._ports.update(self._processes[role].ports)

    def ask_to_end(self) -> None:
        for process in self._processes.values():
            process.ask_to_end()

    def stop(self) -> None:
        """End what runs."""
        self.ask_to_end()
        for process in self._processes.values():
            process.stop()

    def log(self) -> str:
        """Return what all processes have logged."""
        return "".join(one.said() for one in self._processes.values() if one.log.exists())

    def port(self, name: str) -> int:
        return self._ports[name]

    def own_settings(self) -> dict[str, object]:
        raise NotImplementedError

    def _process(self, kind: str, role: str) -> Process:
        file = self.directory / "config.toml"
        return Process(
            arguments=(kind, role, "--config", str(file)),
            log=self.directory / f"{role}.log",
            before_start=lambda: self._write(file),
        )

    def _write(self, file: Path) -> None:
        common: dict[str, object] = {
            "environment": "test",
            "directory": str(self.archive.directory),
            "broker": self.broker,
            "intake": {"quiet_seconds": QUIET_SECONDS},
            "limits": {"disk_floor_bytes": 0},
            "dicom": {"port": self._ports.get("dicom", 0), **self._any_caller()},
            "http": {"port": self._ports.get("http", 0)},
        }
        file.write_text(toml_document({**common, **self.own_settings(), **self.settings}))

    def _any_caller(self) -> Table:
        return {}


class Node(Tier):
    """A trust's node. Without ``centre`` it keeps everything to itself."""

    def __init__(
        self,
        directory: Path,
        trust: str,
        *,
        broker: str,
        centre_url: str = "",
        peers: Sequence[Endpoint] = (),
    ) -> None:
        super().__init__(directory, kind="node", roles=("receive", "work", "serve"), broker=broker)
        self.trust = trust
        self.token = secrets.token_hex(16)
        self.centre_url = centre_url
        self._peers = peers

    def modality(self, ae_title: str = "CT1") -> Modality:
        return Modality(ae_title, LOOPBACK, self.port("dicom"), called=self.trust)

    def pas(self) -> MllpClient:
        return MllpClient(LOOPBACK, self.port("mllp"))

    def own_settings(self) -> dict[str, object]:
        told: dict[str, object] = {
            "node": {"name": self.trust, "organisation": self.trust, "ae_title": self.trust},
            "authorities": [{"namespace": self.trust, "kind": "MRN", "oid": ""}],
            "mllp": {"port": self._ports.get("mllp", 0), "idle_seconds": 0.5},
            "peers": [
                {"ae_title": one.ae_title, "host": one.host, "port": one.port}
                for one in self._peers
            ],
        }
        if self.centre_url:
            centre = {"url": self.centre_url, "token": self.token, "wait_seconds": 2.0}
            told["centre"] = centre
        return told

    def _any_caller(self) -> Table:
        return {"any_caller": True}


class Centre(Tier):
    """The central store for some nodes."""

    def __init__(self, directory: Path, *, broker: str, nodes: Mapping[str, str]) -> None:
        """``nodes`` are the trusts with the tokens of their nodes."""
        super().__init__(directory, kind="central", roles=("serve", "work"), broker=broker)
        self._nodes = nodes

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port('http')}"

    def modality(self, ae_title: str) -> Modality:
        return Modality(ae_title, LOOPBACK, self.port("dicom"), called="CENTRE")

    def own_settings(self) -> dict[str, object]:
        return {
            "organisations": [
                {
                    "ods_code": trust,
                    "name": trust,
                    "authorities": [{"namespace": trust, "kind": "MRN", "oid": ""}],
                }
                for trust in self._nodes
            ],
            "nodes": [
                {
                    "name": trust,
                    "organisation": trust,
                    "ae_title": trust,
                    "token_sha256": hashlib.sha256(token.encode()).hexdigest(),
                }
                for trust, token in self._nodes.items()
            ],
            "callers": [{"ae_title": trust, "organisation": trust} for trust in self._nodes],
        }
