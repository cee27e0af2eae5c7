import random
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from sqlalchemy import select, update

from archive.index import tables
from archive.states import CopyState
from archive.words.identity import PatientIdentity
from deploy.demo.pas import Feed, Person, Report, oru
from sync.transfer.messages import FetchOrder
from sync.transfer.peer import HttpCentre
from tests.central.fixtures import MakeNode
from tests.central.nodes import NodeStand
from tests.central.stands import TOKEN, CentreStand, count_rows, ct
from tests.jobs.clocks import MovedClock
from tests.transfer.proxy import Proxy

NHS = {"nhs_number": "9990000018", "nhs_status": "01"}
STUDY = "1.2.3"
ANSWERS = 4096
"""Octets at most of the small answers that follow a pack on its connection."""


def region_turns(centre: CentreStand, *nodes: NodeStand) -> None:
    """Let every tier do what is due, as often as it takes an arrival to become held priors."""
    for _ in range(3):
        for node in nodes:
            node.take_orders()
            node.work()
        centre.plan()


@pytest.fixture
def rxc(make_node: MakeNode) -> NodeStand:
    return make_node("RXC")


@pytest.fixture
def proxy(url: str) -> Proxy:
    return Proxy(target=urlsplit(url).port or 0)


@pytest.fixture
def far_rxb(proxy: Proxy, make_node: MakeNode) -> Iterator[NodeStand]:
    """RXB's node behind a link that a test meddles with."""
    with proxy.open() as base:
        peer = HttpCentre(base, token=TOKEN["RXB"])
        yield make_node("RXB", peer)
        peer.close()


def test_priors_lie_at_the_trust_where_the_patient_arrives(
    centre: CentreStand, rxa: NodeStand, rxb: NodeStand
) -> None:
    rxa.patient("100", **NHS)
    rxa.archives(*(ct(number) for number in range(1, 6)))
    rxb.patient("B7", **NHS)
    rxb.arrives("B7")
    region_turns(centre, rxa, rxb)
    assert rxb.digests(STUDY) == rxa.digests(STUDY)
    assert len(rxb.digests(STUDY)) == 5
    assert centre.orders("RXB") == [("fetch", "DONE")]
    for kind in ("tell_patient", "tell_arrival", "fetch"):
        assert rxb.job_states(kind) == ["COMPLETED"]


def test_what_was_fetched_is_stamped_with_the_receivers_number(
    centre: CentreStand, rxa: NodeStand, rxb: NodeStand
) -> None:
    rxa.patient("100", **NHS)
    rxa.archives(ct(1))
    rxb.patient("B7", **NHS)
    rxb.arrives("B7")
    region_turns(centre, rxa, rxb)
    (outgoing,) = rxb.selects(STUDY)
    assert outgoing.stamping is not None
    assert outgoing.stamping.patient == PatientIdentity("B7", rxb.issuer)
    assert outgoing.stamping.original == PatientIdentity("100", rxa.issuer)
    assert outgoing.refusal is None


def test_a_trust_that_has_nothing_to_do_with_the_patient_gets_nothing(
    centre: CentreStand, rxa: NodeStand, rxb: NodeStand, rxc: NodeStand
) -> None:
    rxa.patient("100", **NHS)
    rxa.archives(ct(1))
    rxb.patient("B7", **NHS)
    rxb.arrives("B7")
    rxc.patient("C1", name="Roe^Richard", birth_date="19551224", nhs_number="9990000026")
    rxc.arrives("C1", "feed:9")
    region_turns(centre, rxa, rxb, rxc)
    assert centre.orders("RXC") == []
    assert count_rows(rxc.archive, "pack") == count_rows(rxc.archive, "study") == 0
    assert list(rxc.archive.blobs.names("packs")) == []


def test_no_prior_is_sent_where_the_numbers_differ_though_name_and_birth_date_agree(
    centre: CentreStand, rxa: NodeStand, rxb: NodeStand
) -> None:
    rxa.patient("100", **NHS)
    rxa.archives(ct(1))
    rxb.patient("B7", nhs_number="9990000026", nhs_status="01")
    rxb.arrives("B7")
    region_turns(centre, rxa, rxb)
    assert centre.orders("RXB") == []


def test_priors_that_reach_the_centre_after_the_arrival_follow(
    centre: CentreStand, rxa: NodeStand, rxb: NodeStand
) -> None:
    rxb.patient("B7", **NHS)
    rxb.arrives("B7")
    rxa.patient("100", **NHS)
    region_turns(centre, rxa, rxb)
    assert centre.orders("RXB") == []
    rxa.archives(ct(1))
    region_turns(centre, rxa, rxb)
    assert rxb.digests(STUDY) == rxa.digests(STUDY)
    rxa.archives(ct(2))
    region_turns(centre, rxa, rxb)
    assert rxb.digests(STUDY) == rxa.digests(STUDY)
    assert len(rxb.digests(STUDY)) == 2


def test_a_link_that_comes_after_the_arrival_brings_the_priors(
    centre: CentreStand, rxa: NodeStand, rxb: NodeStand
) -> None:
    rxa.patient("100", **NHS)
    rxa.archives(ct(1))
    rxb.patient("B7")
    rxb.arrives("B7")
    region_turns(centre, rxa, rxb)
    assert centre.orders("RXB") == []
    rxb.patient("B7", **NHS)
    region_turns(centre, rxa, rxb)
    assert rxb.digests(STUDY) == rxa.digests(STUDY)


def test_the_same_arrival_told_twice_orders_once(
    centre: CentreStand, rxa: NodeStand, rxb: NodeStand
) -> None:
    rxa.patient("100", **NHS)
    rxa.archives(ct(1))
    rxb.patient("B7", **NHS)
    rxb.arrives("B7", "feed:1")
    rxb.arrives("B7", "feed:1")
    rxb.arrives("B7", "feed:2")
    region_turns(centre, rxa, rxb)
    assert centre.orders("RXB") == [("fetch", "DONE")]
    assert count_rows(centre.archive, "arrival") == 2


def test_the_centre_knows_where_the_copies_are(
    centre: CentreStand, rxa: NodeStand, rxb: NodeStand
) -> None:
    rxa.patient("100", **NHS)
    rxa.archives(ct(1))
    rxb.patient("B7", **NHS)
    rxb.arrives("B7")
    region_turns(centre, rxa, rxb)
    columns = tables.copy.c
    query = select(tables.place.c.name).join(tables.copy, columns.place_id == tables.place.c.id)
    confirmed = centre.column(query.where(columns.state == CopyState.CONFIRMED.value))
    assert set(confirmed) == {"RXA", "RXB", "CENTRE"}


def test_a_rejection_reaches_every_trust_that_was_sent_the_object(
    centre: CentreStand, rxa: NodeStand, rxb: NodeStand
) -> None:
    rxa.patient("100", **NHS)
    rxa.archives(ct(1), ct(2))
    rxb.patient("B7", **NHS)
    rxb.arrives("B7")
    region_turns(centre, rxa, rxb)
    rxa.rejects(f"{STUDY}.1.2")
    region_turns(centre, rxa, rxb)
    assert list(rxb.digests(STUDY)) == [f"{STUDY}.1.1"]
    assert centre.orders("RXB") == [("fetch", "DONE"), ("states", "DONE")]


def test_a_rejection_told_again_orders_nothing_more(
    centre: CentreStand, rxa: NodeStand, rxb: NodeStand
) -> None:
    rxa.patient("100", **NHS)
    rxa.archives(ct(1), ct(2))
    rxb.patient("B7", **NHS)
    rxb.arrives("B7")
    rxa.rejects(f"{STUDY}.1.2")
    region_turns(centre, rxa, rxb)
    assert list(rxb.digests(STUDY)) == [f"{STUDY}.1.1"]
    rxa.archives(ct(3))
    region_turns(centre, rxa, rxb)
    assert [kind for kind, _ in centre.orders("RXB")].count("states") <= 1
    assert sorted(rxb.digests(STUDY)) == [f"{STUDY}.1.1", f"{STUDY}.1.3"]


def test_what_is_rejected_altogether_is_not_sent_ahead(
    centre: CentreStand, rxa: NodeStand, rxb: NodeStand
) -> None:
    rxa.patient("100", **NHS)
    rxa.archives(ct(1))
    rxa.rejects(f"{STUDY}.1.1")
    rxb.patient("B7", **NHS)
    rxb.arrives("B7")
    region_turns(centre, rxa, rxb)
    assert centre.orders("RXB") == []


def test_a_fetch_goes_on_at_the_octet_where_the_link_was_cut(
    centre: CentreStand, rxa: NodeStand, far_rxb: NodeStand, proxy: Proxy, clock: MovedClock
) -> None:
    rxa.patient("100", **NHS)
    rxa.archives(*(ct(number) for number in range(1, 40)))
    rxa.work()
    (pack,) = (rxa.settings.blob_directory / "packs").rglob("*.tar")
    length = pack.stat().st_size
    proxy.down.cut_at = random.randrange(1, length)
    far_rxb.patient("B7", **NHS)
    far_rxb.arrives("B7")
    region_turns(centre, far_rxb)
    assert far_rxb.job_states("fetch") == ["SCHEDULED"]
    clock.advance(10)
    far_rxb.work()
    assert far_rxb.digests(STUDY) == rxa.digests(STUDY)
    assert length <= proxy.down.passed < length + ANSWERS


def test_priors_wait_while_the_disk_is_at_its_floor(
    centre: CentreStand,
    rxa: NodeStand,
    rxb: NodeStand,
    clock: MovedClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rxa.patient("100", **NHS)
    rxa.archives(ct(1))
    rxa.work()
    rxb.patient("B7", **NHS)
    rxb.arrives("B7")
    with monkeypatch.context() as full:
        full.setattr("sync.fetch.RealDisk.free_bytes", lambda _disk, _path: 0)
        region_turns(centre, rxa, rxb)
    assert rxb.job_states("fetch") == ["SCHEDULED"]
    assert rxb.digests(STUDY) == {}

    clock.advance(600)
    rxb.work()

    assert rxb.digests(STUDY) == rxa.digests(STUDY)


def test_a_bit_that_turns_on_the_way_down_is_seen_and_the_pack_is_fetched_anew(
    centre: CentreStand, rxa: NodeStand, far_rxb: NodeStand, proxy: Proxy, clock: MovedClock
) -> None:
    rxa.patient("100", **NHS)
    rxa.archives(*(ct(number) for number in range(1, 10)))
    rxa.work()
    (pack,) = (rxa.settings.blob_directory / "packs").rglob("*.tar")
    proxy.down.flip_at = random.randrange(pack.stat().st_size)
    far_rxb.patient("B7", **NHS)
    far_rxb.arrives("B7")
    region_turns(centre, far_rxb)
    assert count_rows(far_rxb.archive, "pack") == 0
    clock.advance(10)
    far_rxb.work()
    assert far_rxb.digests(STUDY) == rxa.digests(STUDY)


def test_an_order_for_an_encoding_that_is_no_more_fails_and_is_planned_anew(
    centre: CentreStand, rxa: NodeStand, rxb: NodeStand
) -> None:
    rxa.patient("100", **NHS)
    rxa.archives(ct(1))
    rxa.work()
    rxb.patient("B7", **NHS)
    rxb.arrives("B7")
    rxb.work()
    centre.plan()
    rxb.take_orders()
    with centre.reencoded():
        rxb.work()
    assert centre.orders("RXB") == [("fetch", "FAILED")]
    region_turns(centre, rxb)
    assert centre.orders("RXB") == [("fetch", "FAILED"), ("fetch", "DONE")]
    assert rxb.digests(STUDY) == rxa.digests(STUDY)


def test_another_patient_of_the_same_trust_does_not_come_along(
    centre: CentreStand, rxa: NodeStand, rxb: NodeStand
) -> None:
    rxa.patient("100", **NHS)
    rxa.archives(ct(1), ct(1, study="1.2.4", PatientID="101"))
    rxb.patient("B7", **NHS)
    rxb.arrives("B7")
    region_turns(centre, rxa, rxb)
    assert len(rxb.digests(STUDY)) == 1
    assert rxb.digests("1.2.4") == {}


def test_a_study_that_comes_piece_by_piece_is_ordered_piece_by_piece(
    centre: CentreStand, rxa: NodeStand, rxb: NodeStand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only orders that fail are counted against a study."""
    monkeypatch.setattr("central_store.prefetch.plan._ATTEMPTS_PER_STUDY", 2)
    rxa.patient("100", **NHS)
    rxb.patient("B7", **NHS)
    rxb.arrives("B7")
    for number in range(1, 5):
        rxa.archives(ct(number))
        region_turns(centre, rxa, rxb)
    assert rxb.digests(STUDY) == rxa.digests(STUDY)
    assert centre.orders("RXB") == [("fetch", "DONE")] * 4


def test_a_study_whose_orders_always_fail_is_shown_to_a_person(
    centre: CentreStand, rxa: NodeStand, rxb: NodeStand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("central_store.prefetch.plan._ATTEMPTS_PER_STUDY", 2)
    rxa.patient("100", **NHS)
    rxa.archives(ct(1))
    rxa.work()
    (name,) = centre.archive.blobs.names("packs")
    centre.archive.blobs.delete(name)
    rxb.patient("B7", **NHS)
    rxb.arrives("B7")
    for _ in range(3):
        region_turns(centre, rxb)
    assert centre.orders("RXB") == [("fetch", "FAILED")] * 2
    assert "PREFETCH_GIVEN_UP" in centre.column(select(tables.data_quality.c.code))


def test_the_report_goes_ahead_of_its_images_octet_for_octet(
    centre: CentreStand, rxa: NodeStand, rxb: NodeStand
) -> None:
    person = Person("100", "RXA", name="Doe^Jane", birth_date="19700101", sex="F")
    said = Report("No fracture.", accession="ACC1", study_instance_uid=STUDY)
    message = oru(person, said, feed=Feed(sending_facility="RXA"))
    rxa.patient("100", **NHS)
    rxa.archives(ct(1), message=message.octets)
    rxb.patient("B7", **NHS)
    rxb.arrives("B7")
    region_turns(centre, rxa, rxb)
    (order,) = centre.column(select(tables.node_order.c.body))
    packs = FetchOrder.model_validate_json(str(order)).packs
    assert [pack.kind for pack in packs] == ["documents", "series"]
    for node in (rxa, rxb):
        (report,) = node.archive.reader.reports(node.asker, study_uid=STUDY)
        assert b"".join(node.archive.reader.document(report)) == message.octets
        assert (report.custodian, report.report_status) == ("RXA", "F")


def test_a_closed_arrival_brings_nothing_more(
    centre: CentreStand, rxa: NodeStand, rxb: NodeStand
) -> None:
    rxa.patient("100", **NHS)
    rxb.patient("B7", **NHS)
    rxb.arrives("B7")
    region_turns(centre, rxa, rxb)
    with centre.archive.index.writing() as conn:
        conn.execute(update(tables.arrival).values(closed_at=1))
    rxa.archives(ct(1))
    region_turns(centre, rxa, rxb)
    assert centre.orders("RXB") == []
