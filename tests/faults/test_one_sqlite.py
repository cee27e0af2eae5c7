"""All writers of a node on one SQLite for half a minute: no statement waits longer than a second.

The processes are the real ones under a watch; beside them the test claims, renews and completes
work in threads of its own, as the workers of a busy node do.
"""

import hashlib
import itertools
import json
import secrets
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from archive.clock import SystemClock
from archive.index.engine import Index
from deploy.demo.pas import Person, adt
from deploy.demo.workstation import Workstation
from sync.jobs.caps import Caps
from sync.jobs.ledger import Ledger
from sync.jobs.work import JobClass, Work
from tests.faults.measured import WAITS, Waits
from tests.faults.objects import images, new_mrn
from tests.faults.regions import assert_all_success
from tests.faults.tiers import Node
from tests.peers.processes import LOOPBACK
from tests.peers.valkey import ValkeyPeer

SECONDS = 30.0
LONGEST_WAIT = 1.0
ROLES = ("receive", "work", "serve")
TOKEN = secrets.token_hex(16)


@pytest.fixture
def node(tmp_path: Path, broker: ValkeyPeer) -> Iterator[Node]:
    node = Node(tmp_path / "node", "RXA", broker=broker.url(7))
    sha256 = hashlib.sha256(TOKEN.encode()).hexdigest()
    node.settings["tokens"] = [{"name": "operator", "role": "operator", "sha256": sha256}]
    for role in ROLES:
        node[role].program = "tests.faults.measured"
        node[role].environment = {WAITS: str(tmp_path / f"{role}.json")}
    node.start(*ROLES)
    yield node
    node.stop()


class Hammer:
    """Does things over and over in threads until the time is over; counts each."""

    def __init__(self) -> None:
        self.done: Counter[str] = Counter()
        self._until = time.monotonic() + SECONDS
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._failures: list[BaseException] = []

    def on(self, name: str, once: Callable[[], int], *, pause: float, threads: int = 1) -> None:
        for _ in range(threads):
            thread = threading.Thread(target=self._run, args=(name, once, pause), name=name)
            thread.start()
            self._threads.append(thread)

    def join(self) -> None:
        for thread in self._threads:
            thread.join()
        assert not self._failures, self._failures

    def _run(self, name: str, once: Callable[[], int], pause: float) -> None:
        rest = threading.Event()
        while time.monotonic() < self._until and not self._failures:
            try:
                done = once()
                with self._lock:
                    self.done[name] += done
            except BaseException as error:  # noqa: BLE001 - the test fails by it at its end
                self._failures.append(error)
            rest.wait(pause)


def test_with_all_writers_on_one_sqlite_no_statement_waits_longer_than_a_second(
    node: Node, tmp_path: Path
) -> None:
    own = Waits()
    own.watch()
    index = Index(node.archive.index.url, clock=SystemClock())
    hammer = Hammer()
    people = [new_mrn() for _ in range(40)]
    any_of = itertools.cycle(people)

    hammer.on("instances", lambda: stored_at(node, next(any_of)), pause=0.3, threads=2)
    hammer.on("messages", lambda: told_to(node, next(any_of)), pause=0.1)
    hammer.on("queries", lambda: found_at(node, next(any_of)), pause=0.1)
    hammer.on("pages", lambda: page_of(node), pause=0.2)
    hammer.on("claims", worked_by(Ledger(index)), pause=0.02, threads=2)
    hammer.join()

    node.archive.wait_taken_in(seconds=60)
    told = {role: json.loads((tmp_path / f"{role}.json").read_text()) for role in ROLES}
    told["test"] = own.told()
    print(json.dumps({"done": hammer.done, "waits": told}, indent=1))
    assert min(hammer.done.values()) >= 20, hammer.done
    assert told["work"]["count"] > 1000
    assert node.archive.answers()["Registered"] == hammer.done["instances"]
    assert len(node.archive.rows("pack")) >= 20
    slow = {name: waits for name, waits in told.items() if waits["longest"] > LONGEST_WAIT}
    assert not slow
    assert "FAILED" not in json.dumps(told)
    index.close()


def stored_at(node: Node, mrn: str) -> int:
    objects = images(10, mrn=mrn)
    assert_all_success(node.modality().store(objects))
    return len(objects)


def told_to(node: Node, mrn: str) -> int:
    people = [Person(mrn, "RXA", name=f"Geduld^{secrets.token_hex(4)}") for _ in range(5)]
    with node.pas() as pas:
        assert {pas.send(adt("A31", person)).code for person in people} == {"AA"}
    return len(people)


def found_at(node: Node, mrn: str) -> int:
    asks = Workstation("WS", LOOPBACK, node.port("dicom"), called="RXA")
    assert asks.find("STUDY", {"PatientID": mrn, "StudyInstanceUID": ""}).status == 0
    return 1


def page_of(node: Node) -> int:
    for path in ("/", "/dicom-web/studies?limit=50"):
        request = urllib.request.Request(
            f"http://{LOOPBACK}:{node.port('http')}{path}",
            headers={"Authorization": f"Bearer {TOKEN}"},
        )
        with urllib.request.urlopen(request, timeout=20) as answer:
            assert answer.status in {200, 204}
            answer.read()
    return 1


def worked_by(ledger: Ledger) -> Callable[[], int]:
    """Return what asks for work, claims, renews and completes it."""

    def once() -> int:
        key = secrets.token_hex(8)
        work = Work(
            kind="probe",
            subject=key,
            destination="",
            job_class=JobClass.VERIFY,
            idempotency_key=key,
        )
        with ledger.index.writing() as conn:
            ledger.enqueue(conn, work)
        claimed = ledger.claim(
            job_class=JobClass.VERIFY, owner=key, lease_ms=10_000, caps=Caps(), kinds={"probe"}
        )
        if claimed is None:
            return 0
        ledger.renew([claimed], lease_ms=10_000, progress={claimed.job_id: "half"})
        ledger.complete(claimed, "done")
        return 1

    return once
