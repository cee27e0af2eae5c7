"""What is cut off or overtaken in the middle: both tiers come to agree all the same."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import select

from archive.errors import NotYetHeld, PeerUnreachable
from archive.index import tables
from archive.states import InstanceState
from archive.words.identity import Issuer
from sync.jobs.executor import Executor
from sync.tell import PATIENT, Telling
from sync.transfer.messages import OutcomeMessage, PatientsMessage, StatePart, StatesMessage
from sync.transfer.peer import HttpCentre
from tests.central.fixtures import MakeNode
from tests.central.nodes import NodeStand
from tests.central.stands import TOKEN, CentreStand, ct, work_off
from tests.transfer.test_fetch import NHS, region_turns


class Meddled(HttpCentre):
    """The centre, with something happening before it hears of patients and outcomes."""

    before: Callable[[], None] = staticmethod(lambda: None)

    def tell_patients(self, message: PatientsMessage) -> None:
        self.before()
        super().tell_patients(message)

    def finish(self, order_id: int, message: OutcomeMessage) -> None:
        self.before()
        super().finish(order_id, message)


@pytest.fixture
def meddled(url: str) -> Iterator[Meddled]:
    peer = Meddled(url, token=TOKEN["RXB"])
    yield peer
    peer.close()


@contextmanager
def harmed(packs: Path) -> Iterator[None]:
    """Let the one pack of a blob store have a wrong bit meanwhile."""
    (path,) = (each for each in packs.rglob("*") if each.is_file())
    octets = path.read_bytes()
    path.write_bytes(octets[:3000] + bytes([octets[3000] ^ 1]) + octets[3001:])
    yield
    path.write_bytes(octets)


def birth_dates(centre: CentreStand, issuer: Issuer) -> list[object]:
    people, authorities = tables.local_patient.c, tables.assigning_authority.c
    of_issuer = select(people.birth_date).join(
        tables.assigning_authority, people.authority_id == authorities.id
    )
    return centre.column(of_issuer.where(authorities.namespace == issuer.namespace))


def test_the_centre_ends_with_the_latest_of_a_record_that_two_workers_tell(
    centre: CentreStand, make_node: MakeNode, meddled: Meddled, url: str
) -> None:
    """The slow one has read the record before it changed, and tells of it after the quick one."""
    node = make_node("RXB", meddled)
    quick = HttpCentre(url, token=TOKEN["RXB"])
    telling = Telling(node.archive.index, quick, "RXB", "RXB")
    second = Executor(node.ledger, {PATIENT: telling.patient}, owner="second", clock=node.clock)

    def overtaken() -> None:
        meddled.before = lambda: None
        node.patient("B7", birth_date="19710202")
        work_off(second)

    node.patient("B7", birth_date="19700101")
    meddled.before = overtaken
    node.work()
    quick.close()
    assert birth_dates(centre, node.issuer) == ["19710202"]
    assert node.job_states(PATIENT) == ["COMPLETED", "COMPLETED"]


def test_states_that_were_taken_over_are_told_as_done_though_the_line_was_cut(
    centre: CentreStand, rxa: NodeStand, make_node: MakeNode, meddled: Meddled
) -> None:
    node = make_node("RXB", meddled)
    rxa.patient("100", **NHS)
    rxa.archives(ct(1))
    node.patient("B7", **NHS)
    node.arrives("B7")
    region_turns(centre, rxa, node)
    rxa.rejects("1.2.3.1.1")
    rxa.work()

    def cut() -> None:
        meddled.before = lambda: None
        raise PeerUnreachable("The line was cut.")

    meddled.before = cut
    with pytest.raises(PeerUnreachable):
        node.take_orders()
    node.take_orders()
    assert centre.orders("RXB") == [("fetch", "DONE"), ("states", "DONE")]


def test_an_order_whose_pack_never_verifies_is_given_up_and_planned_anew(
    centre: CentreStand, rxa: NodeStand, rxb: NodeStand
) -> None:
    rxa.patient("100", **NHS)
    rxa.archives(ct(1))
    rxb.patient("B7", **NHS)
    rxb.arrives("B7")
    for node in (rxa, rxb):
        node.work()
    centre.plan()
    rxb.take_orders()
    with harmed(centre.settings.directory / "blobs" / "packs"):
        for _ in range(3):
            rxb.work()
            rxb.clock.advance(10)
    assert rxb.job_states("fetch") == ["FAILED"]
    assert centre.orders("RXB") == [("fetch", "FAILED")]
    region_turns(centre, rxb)
    assert centre.orders("RXB") == [("fetch", "FAILED"), ("fetch", "DONE")]
    assert rxb.digests("1.2.3") == rxa.digests("1.2.3")


def test_a_node_set_back_to_a_backup_is_heard_though_it_numbers_states_anew(
    centre: CentreStand, rxa: NodeStand, rxb: NodeStand
) -> None:
    rxa.patient("100", **NHS)
    rxa.archives(ct(1), ct(2))
    rxb.patient("B7", **NHS)
    rxb.arrives("B7")
    region_turns(centre, rxa, rxb)
    for uid in ("1.2.3.1.1", "1.2.3.1.2"):
        state = StatePart(
            sop_instance_uid=uid,
            sha256="",
            state=InstanceState.REJECTED,
            serves=True,
            code="113001",
            actor="note",
            at_ms=1,
            numbered_by="RXA",
            seq=1,
        )
        rxa.centre.tell_states(StatesMessage(custodian="RXA", states=(state,)))
    rxb.take_orders()
    assert rxb.digests("1.2.3") == {}


def test_a_worker_that_lost_its_job_does_not_write_into_what_another_fetches(
    centre: CentreStand, rxa: NodeStand, tmp_path: Path
) -> None:
    """The staged file becomes the stored pack: what is written to it later would be in that."""
    (key,) = rxa.archives(*(ct(number, EncapsulatedDocument=bytes(200_000)) for number in (1, 2)))
    rxa.work()
    pack, target = rxa.pack(key), tmp_path / "pack.part"
    looks = []

    def fetch(check: Callable[[], None]) -> None:
        rxa.centre.get_pack(
            content=pack.content,
            encoding=pack.encoding,
            length=pack.length,
            target=target,
            check=check,
        )

    def meanwhile() -> None:
        looks.append(target.stat().st_size)
        if len(looks) == 1:
            with pytest.raises(NotYetHeld):
                fetch(lambda: None)

    fetch(meanwhile)
    assert looks[0] < pack.length
    assert target.read_bytes() == pack.octets
