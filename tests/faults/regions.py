"""A region of tests whose every process the test holds in its own hands: two trusts, a centre."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from deploy.demo.modality import Stored, WireObject
from deploy.demo.pas import Person, adt
from sync.jobs.ledger import Ledger
from tests.faults.line import Line
from tests.faults.objects import new_mrn
from tests.faults.tiers import Centre, Node, wait_for_each
from tests.peers.scp import RecordingScp
from tests.peers.valkey import ValkeyPeer

CONFIRMED = "CONFIRMED"
NODE_ROLES = ("receive", "work")


@dataclass(frozen=True)
class Region:
    """RXA and RXB call the centre through a line each; RXB has a PACS that takes C-MOVE."""

    centre: Centre
    rxa: Node
    rxb: Node
    line_a: Line
    line_b: Line
    pacs: RecordingScp

    def mend(self) -> None:
        """Let both lines be honest again."""
        self.line_a.mend()
        self.line_b.mend()

    def store(self, objects: Sequence[WireObject], *, calling: str = "CT1") -> None:
        """Store at RXA; each answer must be Success."""
        assert_all_success(self.rxa.modality(calling).store(objects))

    def is_replicated(self, one: WireObject) -> bool:
        """Tell whether the centre holds an object, and RXA knows that it does."""
        copies = self.rxa.archive.copies(one.sop_instance_uid)
        return copies.get("centre") == CONFIRMED and self.centre.archive.holds(one)

    def wait_replicated(self, objects: Sequence[WireObject], *, seconds: float = 40) -> None:
        what = f"{len(objects)} objects at the centre, confirmed"
        wait_for_each(objects, self.is_replicated, what=what, seconds=seconds)

    def retry(self, job_id: object) -> None:
        """Let an operator send one of RXA's jobs back to work."""
        Ledger(self.rxa.archive.index).retry(int(str(job_id)), actor="operator")

    def register(self, node: Node, event: str, person: Person) -> None:
        """Let a trust's PAS tell of a person; the answer must be AA."""
        with node.pas() as pas:
            assert pas.send(adt(event, person)).code == "AA"


def assert_all_success(outcomes: Sequence[Stored]) -> None:
    assert [outcome.error_comment for outcome in outcomes if not outcome.success] == []


@contextmanager
def running_region(directory: Path, broker: ValkeyPeer, pacs: RecordingScp) -> Iterator[Region]:
    """Give a region whose processes run."""
    with ExitStack() as stack:
        rxa = Node(directory / "RXA", "RXA", broker=broker.url(2))
        rxb = Node(directory / "RXB", "RXB", broker=broker.url(3), peers=[pacs.endpoint])
        tokens = {node.trust: node.token for node in (rxa, rxb)}
        centre = Centre(directory / "centre", broker=broker.url(4), nodes=tokens)
        lines = [stack.enter_context(Line(lambda: centre.port("http"))) for _ in tokens]
        rxa.centre_url, rxb.centre_url = (line.url for line in lines)
        started = {centre: ("serve", "work"), rxa: NODE_ROLES, rxb: NODE_ROLES}
        for tier, roles in started.items():
            stack.callback(tier.stop)
            tier.begin(*roles)
        for tier, roles in started.items():
            tier.await_ready(*roles)
        for tier in started:
            stack.callback(tier.ask_to_end)
        yield Region(centre, rxa, rxb, line_a=lines[0], line_b=lines[1], pacs=pacs)


def same_person_at_both(nhs_number: str) -> tuple[Person, Person]:
    """Return one person as RXA and as RXB know her."""
    at_rxa = Person(
        mrn=new_mrn(),
        authority="RXA",
        name="Wanderer^Wilma",
        birth_date="19580719",
        sex="F",
        postcode="LS1 4AP",
        nhs_number=nhs_number,
    )
    return at_rxa, replace(at_rxa, mrn=new_mrn(), authority="RXB")
