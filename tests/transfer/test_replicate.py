import random
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from pydicom.dataset import Dataset

from archive.index.copies import PackKey, copy_state
from archive.index.counts import count
from archive.index.directory import place_id
from archive.opening import Archive
from archive.states import CopyState
from archive.words.identity import Asker
from deploy.demo.images import rejection_note
from sync.transfer.peer import HttpCentre
from tests.central.fixtures import MakeNode
from tests.central.nodes import NodeStand
from tests.central.stands import TOKEN, CentreStand, count_rows, ct, digests_in
from tests.jobs.clocks import MovedClock
from tests.transfer.proxy import Proxy

OPERATOR = Asker(None, None, "operator")
STUDY = "1.2.3"
UNREAD = 256 * 1024
"""Octets at most that a server has not looked at yet when the link ends."""


@pytest.fixture
def proxy(url: str) -> Proxy:
    return Proxy(target=urlsplit(url).port or 0)


@pytest.fixture
def far_rxa(proxy: Proxy, make_node: MakeNode) -> Iterator[NodeStand]:
    """RXA's node behind a link that a test meddles with."""
    with proxy.open() as base:
        peer = HttpCentre(base, token=TOKEN["RXA"])
        yield make_node("RXA", peer)
        peer.close()


def copy_at(archive: Archive, pack: PackKey, kind: str, name: str) -> CopyState | None:
    with archive.index.writing() as conn:
        return copy_state(conn, pack, place=place_id(conn, kind=kind, name=name))


def bulky(number: int) -> Dataset:
    return ct(number, EncapsulatedDocument=random.randbytes(100_000))


def with_other_pixels(one: Dataset) -> Dataset:
    one.PixelData = bytes(len(one.PixelData))
    return one


def study_states(archive: Archive) -> dict[str, int]:
    with archive.index.reading() as conn:
        return count(conn).study_states


def staged(archive_directory: Path) -> list[Path]:
    return list((archive_directory / "staging").rglob("*.part"))


def test_a_sealed_series_reaches_the_centre_with_the_digests_that_arrived(
    rxa: NodeStand, centre: CentreStand
) -> None:
    rxa.archives(*(ct(number) for number in range(1, 6)))
    rxa.work()
    assert rxa.job_states("replicate") == ["COMPLETED"]
    there = digests_in(centre.archive, OPERATOR, STUDY)
    assert there == rxa.digests(STUDY)
    assert len(there) == 5


def test_both_tiers_know_of_both_copies_and_that_the_study_is_replicated(
    rxa: NodeStand, centre: CentreStand
) -> None:
    (pack,) = rxa.archives(ct(1))
    rxa.work()
    assert copy_at(rxa.archive, pack, "centre", "centre") is CopyState.CONFIRMED
    assert copy_at(centre.archive, (1, 1, 1), "node", "RXA") is CopyState.CONFIRMED
    assert copy_at(centre.archive, (1, 1, 1), "centre", "CENTRE") is CopyState.CONFIRMED
    assert study_states(rxa.archive) == study_states(centre.archive) == {"REPLICATED": 1}


def test_a_late_instance_travels_alone_and_the_study_is_replicated_again(
    rxa: NodeStand, centre: CentreStand
) -> None:
    rxa.archives(ct(1))
    rxa.work()
    rxa.archives(ct(2))
    rxa.work()
    assert digests_in(centre.archive, OPERATOR, STUDY) == rxa.digests(STUDY)
    assert count_rows(centre.archive, "pack") == 2
    assert study_states(rxa.archive) == study_states(centre.archive) == {"REPLICATED": 1}


def test_a_late_instance_that_may_not_leave_leaves_the_study_replicated(
    rxa: NodeStand, centre: CentreStand
) -> None:
    rxa.archives(ct(1))
    rxa.work()
    rxa.archives(with_other_pixels(ct(1)))
    assert study_states(rxa.archive) == {"REPLICATED": 1}
    assert count_rows(rxa.archive, "pack") == 2
    assert count_rows(centre.archive, "pack") == 1


def test_a_study_of_which_nothing_may_leave_is_not_replicated(rxa: NodeStand) -> None:
    rxa.archives(ct(1), with_other_pixels(ct(1)))
    rxa.work()
    assert study_states(rxa.archive) == {"STABLE": 1}


def test_an_upload_goes_on_at_the_octet_where_the_link_was_cut(
    far_rxa: NodeStand, centre: CentreStand, proxy: Proxy, clock: MovedClock
) -> None:
    far_rxa.archives(*(bulky(number) for number in range(1, 30)))
    (pack,) = (far_rxa.settings.blob_directory / "packs").rglob("*.tar")
    length = pack.stat().st_size
    proxy.up.cut_at = random.randrange(UNREAD, length)
    far_rxa.work()
    assert far_rxa.job_states("replicate") == ["SCHEDULED"]
    clock.advance(10)
    far_rxa.work()
    assert far_rxa.job_states("replicate") == ["COMPLETED"]
    assert digests_in(centre.archive, OPERATOR, STUDY) == far_rxa.digests(STUDY)
    assert proxy.up.passed <= length + UNREAD
    assert staged(centre.settings.directory) == []


def test_a_bit_that_turns_on_the_way_up_is_seen_and_the_pack_is_sent_anew(
    far_rxa: NodeStand, centre: CentreStand, proxy: Proxy, clock: MovedClock
) -> None:
    far_rxa.archives(*(ct(number) for number in range(1, 10)))
    (pack,) = (far_rxa.settings.blob_directory / "packs").rglob("*.tar")
    proxy.up.flip_at = random.randrange(pack.stat().st_size)
    far_rxa.work()
    assert far_rxa.job_states("replicate") == ["SCHEDULED"]
    assert copy_at(centre.archive, (1, 1, 1), "centre", "CENTRE") is None
    assert staged(centre.settings.directory) == []
    assert list(centre.archive.blobs.names("packs")) == []
    clock.advance(10)
    far_rxa.work()
    assert far_rxa.job_states("replicate") == ["COMPLETED"]
    assert digests_in(centre.archive, OPERATOR, STUDY) == far_rxa.digests(STUDY)


def test_a_node_goes_on_without_the_centre_and_catches_up_when_it_is_back(
    centre: CentreStand, make_node: MakeNode, clock: MovedClock
) -> None:
    with centre.serving() as base:
        port = urlsplit(base).port or 0
    peer = HttpCentre(base, token=TOKEN["RXA"])
    node = make_node("RXA", peer)
    for number in range(1, 6):
        node.archives(ct(number))
        node.work()
    assert set(node.job_states("replicate")) == {"SCHEDULED"}
    assert len(node.digests(STUDY)) == 5
    with centre.serving(port):
        for _ in range(20):
            clock.advance(60)
            node.work()
        assert node.job_states("replicate") == ["COMPLETED"] * 5
    peer.close()
    assert digests_in(centre.archive, OPERATOR, STUDY) == node.digests(STUDY)


def test_a_pack_is_announced_with_what_is_rejected_of_it(
    rxa: NodeStand, centre: CentreStand
) -> None:
    rxa.archives(ct(1), ct(2))
    rxa.rejects(f"{STUDY}.1.2")
    rxa.work()
    assert list(digests_in(centre.archive, OPERATOR, STUDY)) == [f"{STUDY}.1.1"]


def test_a_rejection_by_a_note_with_the_longest_of_uids_reaches_the_centre(
    rxa: NodeStand, centre: CentreStand
) -> None:
    rxa.archives(ct(1))
    rxa.work()
    note = rejection_note([ct(1)])
    note.SOPInstanceUID = "1." + "2" * 62
    rxa.archives(note)
    rxa.work()
    assert rxa.job_states("tell_states") == ["COMPLETED"]
    assert digests_in(centre.archive, OPERATOR, STUDY) == {}
