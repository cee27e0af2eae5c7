"""One run: an empty side, a workload, and what was measured."""

import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.bench.consumption import Consumed, consumed, cpu_seconds, settle, wait_idle
from tests.bench.corpus import Corpus
from tests.bench.message import Identity, new_run
from tests.bench.sending import Workload, sent
from tests.bench.sides import SIDES, Receiver
from tests.peers.dcmtk import findscu
from tests.peers.processes import Endpoint

CALM_SECONDS = 10.0
SEARCHABLE_SECONDS = 300.0
SETTLED_SECONDS = 300.0
POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Measured:
    """One run of one side."""

    count: int
    octets: int
    """Of Data Sets."""
    seconds: float
    """From the first octet sent to the last answer received."""
    searchable_seconds: float
    """From the first octet sent until every instance was found."""
    settled_seconds: float | None
    """From the last answer until all lay as it is to stay; None where nobody waited for that."""
    consumed: Mapping[str, Consumed]
    """By role, from the first octet sent to the end of the run."""
    busy: float
    """Share of the machine's processors that others kept busy before the run."""

    @property
    def rate(self) -> float:
        """Instances a second."""
        return self.count / self.seconds

    @property
    def searchable_rate(self) -> float:
        """Instances a second until every one was found."""
        return self.count / self.searchable_seconds


@dataclass(frozen=True, slots=True)
class Wanted:
    """How far a run is followed."""

    quiet_seconds: float = 5.0
    """Of the node's file."""

    settled: bool = False
    """Until all is sealed and idle: for CPU and for the time that takes."""
    found: bool = False
    """Look for the last instance by C-FIND, before the index is counted."""


def measure(
    side: str, workload: Workload, corpus: Corpus, directory: Path, wanted: Wanted
) -> Measured:
    """Run a side on an empty directory, send it a workload, and measure it."""
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    busy = settle(CALM_SECONDS)
    try:
        with SIDES[side](directory, quiet_seconds=wanted.quiet_seconds) as receiver:
            return _measured(receiver, workload, corpus, wanted, busy)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _measured(
    receiver: Receiver, workload: Workload, corpus: Corpus, wanted: Wanted, busy: float
) -> Measured:
    before = _warmed_up(receiver, workload, corpus, wanted)
    used = {role: cpu_seconds(root) for role, root in receiver.roots.items()}
    sending = sent(workload, corpus, receiver.endpoint, run=new_run())
    if wanted.found:
        _until(lambda: _finds(receiver.endpoint, sending.last), "C-FIND", SEARCHABLE_SECONDS)
    total = before + workload.count
    _until(lambda: receiver.searchable() >= total, "all to be searchable", SEARCHABLE_SECONDS)
    searchable = time.monotonic()
    settled = _settled(receiver, sending.ended) if wanted.settled else None
    assert receiver.searchable() == total
    return Measured(
        count=workload.count,
        octets=corpus.octets(workload.kind, workload.count),
        seconds=sending.ended - sending.began,
        searchable_seconds=searchable - sending.began,
        settled_seconds=settled,
        consumed={role: consumed(root, before=used[role]) for role, root in receiver.roots.items()},
        busy=busy,
    )


def _warmed_up(receiver: Receiver, workload: Workload, corpus: Corpus, wanted: Wanted) -> int:
    """Send a few instances, so that nobody is measured with cold code; return how many."""
    warm_up = workload.warm_up()
    sent(warm_up, corpus, receiver.endpoint, run=new_run())
    _until(lambda: receiver.searchable() == warm_up.count, "the warm-up", SEARCHABLE_SECONDS)
    if wanted.settled:
        _until(receiver.is_settled, "the warm-up to be sealed", SETTLED_SECONDS)
    wait_idle(receiver.roots.values(), seconds=2)
    return warm_up.count


def _settled(receiver: Receiver, ended: float) -> float:
    _until(receiver.is_settled, "all to be sealed", SETTLED_SECONDS)
    seconds = time.monotonic() - ended
    wait_idle(receiver.roots.values(), seconds=3)
    return seconds


def _until(holds: Callable[[], bool], what: str, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(POLL_SECONDS)


def _finds(endpoint: Endpoint, last: Identity) -> bool:
    keys = {
        "StudyInstanceUID": last.study,
        "SeriesInstanceUID": last.series,
        "SOPInstanceUID": last.instance,
    }
    return len(findscu(endpoint, "IMAGE", keys).matches) == 1
