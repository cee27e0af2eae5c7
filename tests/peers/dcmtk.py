"""dcmtk's programs as the modality, the workstation and the archive of somebody else.

Each takes further options of the program as it is. Everything runs with `TCP_NODELAY=1`, for dcmtk
leaves Nagle's algorithm on otherwise, and with English, verbose output.
"""

import contextlib
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from os import environ
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset

from deploy.demo.modality import Modality, PeerError
from tests.peers.processes import (
    LOOPBACK,
    Endpoint,
    Ran,
    free_port,
    needs_programs,
    run,
    running,
)

PROGRAMS = ("echoscu", "storescu", "findscu", "getscu", "movescu", "storescp", "dcmdump")

needs_dcmtk = needs_programs(*PROGRAMS)
"""Mark for tests that need dcmtk; they are skipped by name where it is missing."""

ENVIRONMENT = {**environ, "TCP_NODELAY": "1", "LC_ALL": "C.UTF-8"}

CALLING = "DCMTK"

FINAL_STATUS = re.compile(r"DIMSE Status\s*: 0x([0-9a-fA-F]{4})")
COUNTED = re.compile(r"(Remaining|Completed|Failed|Warning) Suboperations\s*: (\d+)")


@dataclass(frozen=True, slots=True)
class Found:
    """What C-FIND gave."""

    matches: tuple[Dataset, ...]
    status: int | None
    """Of the last response; None where no response came."""

    ran: Ran


@dataclass(frozen=True, slots=True)
class Retrieved:
    """What C-GET or C-MOVE said and, for C-GET, brought."""

    status: int | None
    suboperations: Mapping[str, int]
    """Last counts told: remaining, completed, failed, warning."""

    files: tuple[Path, ...]
    ran: Ran


@dataclass(frozen=True, slots=True)
class StoreScp:
    """A running storescp."""

    endpoint: Endpoint
    directory: Path

    @property
    def files(self) -> tuple[Path, ...]:
        """The files received so far."""
        return tuple(sorted(self.directory.iterdir()))


def echoscu(peer: Endpoint, *options: str, calling: str = CALLING) -> Ran:
    """C-ECHO; exit status 0 is success."""
    return _run("echoscu", peer, calling, "-v", *options)


def storescu(peer: Endpoint, paths: Iterable[Path], *options: str, calling: str = CALLING) -> Ran:
    """C-STORE files; the options choose the transfer syntax proposed (`-xs`, `-xv`, `-xr`, …)."""
    return _run("storescu", peer, calling, "-v", *options, paths=paths)


def findscu(
    peer: Endpoint,
    level: str,
    keys: Mapping[str, str],
    *options: str,
    root: str = "-S",
    calling: str = CALLING,
) -> Found:
    """C-FIND at a level (PATIENT, STUDY, SERIES, IMAGE) with keys by keyword or tag."""
    with tempfile.TemporaryDirectory() as directory:
        into = ("-X", "-od", directory)
        ran = _run("findscu", peer, calling, "-d", root, *into, *_keys(level, keys), *options)
        responses = sorted(Path(directory).glob("rsp*.dcm"))
        matches = tuple(pydicom.dcmread(path, force=True) for path in responses)
    return Found(matches=matches, status=_status(ran), ran=ran)


def getscu(
    peer: Endpoint,
    level: str,
    keys: Mapping[str, str],
    directory: Path,
    *options: str,
    root: str = "-S",
    calling: str = CALLING,
) -> Retrieved:
    """C-GET into a directory, each Data Set written exactly as received."""
    directory.mkdir(parents=True, exist_ok=True)
    into = ("+B", "-od", str(directory))
    ran = _run("getscu", peer, calling, "-d", root, *into, *_keys(level, keys), *options)
    return _retrieved(ran, tuple(sorted(directory.iterdir())))


def movescu(
    peer: Endpoint,
    level: str,
    keys: Mapping[str, str],
    destination: str,
    *options: str,
    root: str = "-S",
    calling: str = CALLING,
) -> Retrieved:
    """C-MOVE to the AE title ``destination``, which the peer must know."""
    to = ("-aem", destination)
    ran = _run("movescu", peer, calling, "-d", root, *to, *_keys(level, keys), *options)
    return _retrieved(ran, ())


@contextlib.contextmanager
def storescp(directory: Path, *options: str, ae_title: str = "STORESCP") -> Iterator[StoreScp]:
    """Give a Storage SCP that takes every class and syntax and writes exactly what it receives."""
    directory.mkdir(parents=True, exist_ok=True)
    endpoint = Endpoint(LOOPBACK, free_port(), ae_title)
    written = ("+B", "+uf", "-od", str(directory))
    accepting = ("+xa", "-pm", "-aet", ae_title, "-v")
    arguments = ["storescp", *accepting, *written, *options, str(endpoint.port)]
    with (
        tempfile.TemporaryDirectory() as logs,
        running(
            arguments,
            log=Path(logs) / "storescp.log",
            ready=lambda: answers_echo(endpoint),
            environment=ENVIRONMENT,
        ),
    ):
        yield StoreScp(endpoint=endpoint, directory=directory)


def answers_echo(endpoint: Endpoint) -> bool:
    """Tell whether an application entity answers a C-ECHO with success."""
    modality = Modality("PROBE", endpoint.host, endpoint.port, endpoint.ae_title, timeout=5)
    with contextlib.suppress(PeerError):
        return modality.echo() == 0
    return False


def dcmdump(path: Path) -> Ran:
    """Dump a file; exit status 0 means that dcmtk could read all of it."""
    return run(["dcmdump", path], environment=ENVIRONMENT)


def _run(
    program: str, peer: Endpoint, calling: str, *options: str, paths: Iterable[Path] = ()
) -> Ran:
    titles = ("-aet", calling, "-aec", peer.ae_title, "-ta", "20", "-td", "60")
    arguments: list[str | Path] = [program, *titles, *options, peer.host, str(peer.port), *paths]
    return run(arguments, environment=ENVIRONMENT, seconds=120)


def _keys(level: str, keys: Mapping[str, str]) -> Iterator[str]:
    for keyword, value in {"QueryRetrieveLevel": level, **keys}.items():
        yield from ("-k", f"{keyword}={value}" if value else keyword)


def _status(ran: Ran) -> int | None:
    told = FINAL_STATUS.findall(ran.output)
    return int(told[-1], 16) if told else None


def _retrieved(ran: Ran, files: tuple[Path, ...]) -> Retrieved:
    counts = {name.lower(): int(number) for name, number in COUNTED.findall(ran.output)}
    return Retrieved(status=_status(ran), suboperations=counts, files=files, ran=ran)
