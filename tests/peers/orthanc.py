"""A real Orthanc on loopback: somebody else's archive that queries, moves and stores."""

import contextlib
import json
import tempfile
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.peers.dcmtk import answers_echo
from tests.peers.processes import LOOPBACK, Endpoint, free_port, listens, needs_programs, running

needs_orthanc = needs_programs("Orthanc")
"""Mark for tests that need Orthanc; they are skipped by name where it is missing."""

DICOMWEB_PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")


@dataclass(frozen=True, slots=True)
class Orthanc:
    """A running Orthanc; resources go by Orthanc's own identifiers."""

    endpoint: Endpoint
    http: str
    """Base address of the REST interface, without a slash at the end."""

    def get(self, path: str) -> Any:
        """GET a JSON resource."""
        return json.loads(self.read(path))

    def read(self, path: str) -> bytes:
        """GET octets."""
        with urllib.request.urlopen(self.http + path, timeout=60) as answer:
            octets: bytes = answer.read()
        return octets

    def post(self, path: str, body: Any) -> Any:
        """POST JSON, or octets as they are, and return the JSON of the answer."""
        octets = body if isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(self.http + path, data=octets, method="POST")
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read() or b"null")

    def add_peer(self, name: str, peer: Endpoint) -> None:
        """Make a modality known under ``name``; needed before it is queried or may C-MOVE."""
        body = {"AET": peer.ae_title, "Host": peer.host, "Port": peer.port}
        request = urllib.request.Request(
            f"{self.http}/modalities/{name}", data=json.dumps(body).encode(), method="PUT"
        )
        urllib.request.urlopen(request, timeout=60).close()

    def upload(self, part10: bytes) -> str:
        """Store a Part 10 file and return its instance identifier."""
        identifier: str = self.post("/instances", part10)["ID"]
        return identifier

    def instances(self) -> list[str]:
        """Return the identifiers of all instances held."""
        identifiers: list[str] = self.get("/instances")
        return identifiers

    def part10(self, instance: str) -> bytes:
        """Return the Part 10 file of an instance as it lies."""
        return self.read(f"/instances/{instance}/file")

    def echo(self, name: str) -> None:
        """C-ECHO a modality; raises HTTPError when it does not answer with success."""
        self.post(f"/modalities/{name}/echo", {})

    def store(self, name: str, resources: Sequence[str]) -> Mapping[str, Any]:
        """C-STORE resources to a modality; raises HTTPError when it refuses."""
        outcome: Mapping[str, Any] = self.post(f"/modalities/{name}/store", list(resources))
        return outcome

    def query(self, name: str, level: str, keys: Mapping[str, str]) -> str:
        """C-FIND (Patient, Study, Series, Instance) at a modality; returns the query's name."""
        body = {"Level": level, "Query": dict(keys)}
        identifier: str = self.post(f"/modalities/{name}/query", body)["ID"]
        return identifier

    def answers(self, query: str) -> list[dict[str, str]]:
        """Return the matches of a query, by keyword."""
        answers: list[dict[str, str]] = self.get(f"/queries/{query}/answers?expand&simplify")
        return answers

    def retrieve(self, query: str) -> Mapping[str, Any]:
        """C-MOVE all matches of a query to this Orthanc, and wait for the end."""
        body = {"TargetAet": self.endpoint.ae_title, "Synchronous": True}
        outcome: Mapping[str, Any] = self.post(f"/queries/{query}/retrieve", body)
        return outcome


@contextlib.contextmanager
def orthanc(
    *,
    ae_title: str = "ORTHANC",
    peers: Mapping[str, Endpoint] | None = None,
    dicomweb: bool = False,
    port: int = 0,
) -> Iterator[Orthanc]:
    """Give an empty Orthanc with an own storage directory, which ends with the block.

    ``port`` is its DICOM port, 0 a free one.
    """
    endpoint = Endpoint(LOOPBACK, port or free_port(), ae_title)
    http_port = free_port()
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "orthanc.json"
        settings = _settings(Path(directory), endpoint, http_port, peers or {}, dicomweb=dicomweb)
        file.write_text(json.dumps(settings), encoding="utf-8")
        with running(
            ["Orthanc", file],
            log=Path(directory) / "orthanc.log",
            ready=lambda: listens(http_port) and answers_echo(endpoint),
            seconds=40,
        ):
            yield Orthanc(endpoint=endpoint, http=f"http://{LOOPBACK}:{http_port}")


def _settings(
    directory: Path,
    endpoint: Endpoint,
    http_port: int,
    peers: Mapping[str, Endpoint],
    *,
    dicomweb: bool,
) -> dict[str, Any]:
    return {
        "Name": endpoint.ae_title,
        "StorageDirectory": str(directory / "storage"),
        "IndexDirectory": str(directory / "index"),
        "HttpPort": http_port,
        "DicomPort": endpoint.port,
        "DicomAet": endpoint.ae_title,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "DicomAlwaysAllowStore": True,
        "DicomAlwaysAllowFind": True,
        "DicomAlwaysAllowGet": True,
        "DicomAlwaysAllowMove": True,
        "DicomCheckModalityHost": False,
        "UnknownSopClassAccepted": True,
        "OverwriteInstances": False,
        "Plugins": [str(DICOMWEB_PLUGIN)] if dicomweb else [],
        "DicomModalities": {
            name: [peer.ae_title, peer.host, peer.port] for name, peer in peers.items()
        },
    }
