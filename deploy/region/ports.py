"""The TCP ports of a region's servers: bound by the servers, kept here across restarts."""

import socket
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from deploy.region.directory import read_json, write_json
from deploy.region.errors import PortTaken

HOST = "127.0.0.1"

_PATIENCE_SECONDS = 2.0
"""A connection that is just closing may hold its port for a moment."""

_PAUSE_SECONDS = 0.1


class KeptPorts:
    """The ports of `DIR/ports.json`; one that is not known yet is 0, which lets a server choose."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._ports = _numbers(read_json(path))

    def of(self, process: str, name: str) -> int:
        """Return a port's number, 0 when it was never bound."""
        return self._ports.get(process, {}).get(name, 0)

    def keep(self, process: str, ports: Mapping[str, int]) -> None:
        """Remember what a process has bound."""
        if self._ports.get(process) == ports:
            return
        self._ports[process] = dict(ports)
        write_json(self._path, self._ports)

    def refuse_taken(self, processes: Iterable[str]) -> None:
        """Raise PortTaken when another program listens where one of `processes` did before."""
        for process in processes:
            for name, port in self._ports.get(process, {}).items():
                if not _becomes_free(port):
                    raise self._taken(process=process, name=name, port=port)

    def _taken(self, *, process: str, name: str, port: int) -> PortTaken:
        return PortTaken(
            f"port {port} of {HOST}, kept for '{name}' of {process} in {self._path}, "
            "is used by another program",
            process=process,
            port=port,
        )


def _numbers(value: Mapping[str, object]) -> dict[str, dict[str, int]]:
    return {
        process: {name: int(port) for name, port in ports.items()}
        for process, ports in value.items()
        if isinstance(ports, dict)
    }


def _becomes_free(port: int) -> bool:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not _is_free(port):
        if time.monotonic() > deadline:
            return False
        time.sleep(_PAUSE_SECONDS)
    return True


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
            probe.listen(1)
        except OSError:
            return False
    return True
