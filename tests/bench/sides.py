"""The sides that are measured: a node of this store, Orthanc, and dcmtk's storescp."""

import contextlib
import json
import os
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

from archive.index.counts import count
from deploy.region.valkey import answers, find_program
from tests.faults.tiers import Node
from tests.peers.dcmtk import answers_echo
from tests.peers.processes import LOOPBACK, Endpoint, free_port, listens, running

NODE, ORTHANC, STORESCP = "node", "orthanc", "storescp"
NAMES = {NODE: "this store", ORTHANC: "Orthanc", STORESCP: "storescp +B"}
READY_SECONDS = 40
ENVIRONMENT = {**os.environ, "TCP_NODELAY": "1", "LC_ALL": "C.UTF-8"}


@dataclass(frozen=True, slots=True)
class Receiver:
    """One side while it runs."""

    endpoint: Endpoint
    roots: Mapping[str, int]
    """Its processes by role; each stands for all that descend from it."""
    searchable: Callable[[], int]
    """How many instances can be found (storescp: how many files lie there)."""
    is_settled: Callable[[], bool]
    """Whether all that it received lies as it is to stay: for a node, sealed into packs."""


class Side(Protocol):
    """A side runs in an empty directory until the block ends; what is under way then is lost."""

    def __call__(
        self, directory: Path, *, quiet_seconds: float
    ) -> contextlib.AbstractContextManager[Receiver]:
        """``quiet_seconds``: of this store's node; the others have no such thing."""
        ...


@contextlib.contextmanager
def node(directory: Path, *, quiet_seconds: float) -> Iterator[Receiver]:
    """Run a node as its users do: a broker, `node receive` and `node work`."""
    with _broker() as (broker, url):
        tier = Node(directory, "BENCH", broker=url)
        tier.settings = {
            "environment": "live",
            "intake": {"quiet_seconds": quiet_seconds},
            "limits": {},
        }
        tier.begin("receive", "work")
        try:
            tier.await_ready("receive", "work")
            roles = {"receive": _pid(tier, "receive"), "work": _pid(tier, "work")}
            yield Receiver(
                endpoint=Endpoint(LOOPBACK, tier.port("dicom"), "BENCH"),
                roots={**roles, "broker": broker},
                searchable=lambda: _counted(tier)[0],
                is_settled=lambda: _counted(tier)[1] == 0,
            )
        finally:
            tier.stop()


def _pid(tier: Node, role: str) -> int:
    process = tier[role]._process
    assert process is not None
    return process.pid


def _counted(tier: Node) -> tuple[int, int]:
    """Return the instances of the index, and how many of them are not sealed."""
    with tier.archive.index.reading() as conn:
        counts = count(conn)
    return counts.instances, counts.loose_instances


@contextlib.contextmanager
def _broker() -> Iterator[tuple[int, str]]:
    with TemporaryDirectory(prefix="bench-", dir="/tmp") as directory:
        socket = Path(directory) / "v"
        arguments = (find_program(), "--port", "0", "--unixsocket", socket, "--save", "")
        with running(
            [*arguments, "--dir", directory],
            log=Path(directory) / "log",
            ready=lambda: answers(socket),
        ) as process:
            yield process.pid, f"redis+socket://{socket}?virtual_host=0"


@contextlib.contextmanager
def orthanc(directory: Path, *, quiet_seconds: float = 0) -> Iterator[Receiver]:
    """Run Orthanc with its own defaults, which are durable ones."""
    endpoint, http = Endpoint(LOOPBACK, free_port(), "ORTHANC"), free_port()
    file = directory / "orthanc.json"
    file.write_text(json.dumps(_orthanc_settings(directory, endpoint.port, http)))
    with running(
        ["Orthanc", file],
        log=directory / "orthanc.log",
        ready=lambda: listens(http) and answers_echo(endpoint),
        environment=ENVIRONMENT,
        seconds=READY_SECONDS,
    ) as process:
        yield Receiver(
            endpoint=endpoint,
            roots={"whole": process.pid},
            searchable=lambda: _orthanc_count(http),
            is_settled=lambda: True,
        )
        process.kill()  # nobody needs what it would write at its end


def _orthanc_settings(directory: Path, port: int, http: int) -> Mapping[str, object]:
    return {
        "StorageDirectory": str(directory / "storage"),
        "IndexDirectory": str(directory / "storage"),
        "DicomPort": port,
        "HttpPort": http,
        "DicomAlwaysAllowFind": True,
    }


def _orthanc_count(http: int) -> int:
    with urllib.request.urlopen(f"http://{LOOPBACK}:{http}/statistics", timeout=60) as answer:
        return int(json.load(answer)["CountInstances"])


@contextlib.contextmanager
def storescp(directory: Path, *, quiet_seconds: float = 0) -> Iterator[Receiver]:
    """Run storescp: octets to files as they come, a process for each association."""
    endpoint = Endpoint(LOOPBACK, free_port(), "STORESCP")
    into = directory / "files"
    into.mkdir()
    with running(
        ["storescp", "--fork", "+B", "-aet", endpoint.ae_title, "-od", into, str(endpoint.port)],
        log=directory / "storescp.log",
        ready=lambda: answers_echo(endpoint),
        environment=ENVIRONMENT,
        seconds=READY_SECONDS,
    ) as process:
        yield Receiver(
            endpoint=endpoint,
            roots={"whole": process.pid},
            searchable=lambda: sum(1 for _ in into.iterdir()),
            is_settled=lambda: True,
        )


SIDES: Mapping[str, Side] = {NODE: node, ORTHANC: orthanc, STORESCP: storescp}
