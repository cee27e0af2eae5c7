"""The receiving processes of a node, really started, on a spool of their own."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from archive.store.spool import SpoolReader
from deploy.demo.modality import Modality
from deploy.region.toml import toml_document
from tests.faults.processes import Process
from tests.peers.processes import wait_until
from tests.receiving.gates import modality


@dataclass(frozen=True)
class Node:
    """A node that receives."""

    process: Process
    spool: Path

    @property
    def port(self) -> int:
        return self.process.ports["dicom"]

    def modality(self, calling: str = "CT1") -> Modality:
        return modality(self.port, calling)

    def receiving(self) -> list[psutil.Process]:
        """Return the processes that serve, beside the acceptor."""
        return sorted(self.process.children(), key=lambda one: one.pid)

    def connections(self) -> dict[int, int]:
        """Return how many connections each process that serves has with a peer."""
        return {one.pid: len(self._peers(one)) for one in self.receiving()}

    def serving(self, peer_port: int) -> psutil.Process:
        """Return the process that serves the peer at this port."""
        return next(one for one in self.receiving() if peer_port in self._peers(one))

    def _peers(self, process: psutil.Process) -> set[int]:
        try:
            found = process.net_connections(kind="tcp")
        except psutil.NoSuchProcess:
            return set()
        return {
            one.raddr.port
            for one in found
            if one.laddr.port == self.port and one.status == psutil.CONN_ESTABLISHED
        }

    def wait_connections(self, *counts: int) -> None:
        """Wait until the processes have so many connections, in any order."""
        wait_until(
            lambda: sorted(self.connections().values()) == sorted(counts),
            what=f"{counts} connections, {self.process.said()}",
        )

    def wait_replaced(self, ended: psutil.Process) -> None:
        """Wait until another process is there instead of one that has ended."""
        wait_until(
            lambda: len(pids := set(self.connections())) == 2 and ended.pid not in pids,
            what=f"{ended.pid} is replaced",
        )

    def stored(self) -> set[str]:
        """Return the SOP Instance UIDs in segments that were handed over."""
        reader = SpoolReader(self.spool)
        return {
            record.envelope.sop_instance_uid
            for name in reader.ready()
            for record in reader.records(name)
        }


def configured(
    directory: Path, *, processes: int, limits: Mapping[str, object] | None = None, port: int = 0
) -> Path:
    """Write the configuration of a node below ``directory``, and return its file."""
    archive = directory / "archive"
    archive.mkdir()
    file = directory / "config.toml"
    told: dict[str, object] = {
        "environment": "test",
        "directory": str(archive),
        "broker": "redis+socket:///nowhere?virtual_host=0",
        "limits": {"disk_floor_bytes": 0, **(limits or {})},
        "dicom": {"any_caller": True, "processes": processes, "port": port},
        "node": {"name": "RXA", "organisation": "RXA", "ae_title": "RXA"},
        "authorities": [{"namespace": "RXA"}],
    }
    file.write_text(toml_document(told))
    return file


@contextmanager
def running_node(
    directory: Path, *, processes: int = 2, limits: Mapping[str, object] | None = None
) -> Iterator[Node]:
    """Run `imagestore node receive`; it must end in order when the block ends."""
    file = configured(directory, processes=processes, limits=limits)
    process = Process(
        arguments=("node", "receive", "--config", str(file)), log=directory / "receive.log"
    )
    process.start()
    try:
        yield Node(process, directory / "archive" / "spool")
    finally:
        process.stop()
