from collections.abc import Callable
from pathlib import Path

import pytest

from archive.errors import DigestMismatch, MalformedMessage, NotPermitted, PackMalformed
from archive.reader import Level
from archive.states import InstanceState
from archive.store.manifest import PackKind
from archive.words.identity import Asker
from sync.transfer.messages import AnnouncementMessage, IssuerPart, StatePart
from sync.transfer.peer import HttpCentre
from tests.central.packs import letters, packed, part, some, told
from tests.central.stands import CentreStand, count_rows, digests_in
from tests.store.examples import STUDY, Instance

Calls = Callable[[str], HttpCentre]
OPERATOR = Asker(None, None, "operator")


@pytest.fixture
def peer(calls: Calls) -> HttpCentre:
    return calls("RXA")


def put(peer: HttpCentre, directory: Path, instances: list[Instance]) -> None:
    pack = packed(directory / "some.tar", instances)
    peer.put_pack(content=pack.content, encoding=pack.encoding, length=pack.length, read=pack.read)


def availability(centre: CentreStand) -> list[str]:
    keys = {"StudyInstanceUID": STUDY}
    found = centre.archive.reader.search(OPERATOR, Level.STUDY, keys)
    return [match.availability for match in found]


def test_an_announced_study_is_found_before_its_octets_come(
    peer: HttpCentre, centre: CentreStand
) -> None:
    peer.announce(told(some(1, 2)))
    assert len(availability(centre)) == 1
    assert availability(centre) != ["ONLINE"]


def test_a_pack_all_of_whose_digests_are_held_in_others_is_not_wanted(
    peer: HttpCentre, centre: CentreStand, tmp_path: Path
) -> None:
    peer.announce(told(some(1, 2, 3)))
    put(peer, tmp_path, some(1, 2, 3))
    answer = peer.announce(told(some(1, 2), some(3)))
    assert (answer.lacking, answer.packs) == ((), ())
    there = digests_in(centre.archive, OPERATOR, STUDY)
    assert len(there) == 3
    assert availability(centre) == ["ONLINE"]


def test_a_pack_without_octets_of_its_own_hides_none_that_are_here(
    peer: HttpCentre, centre: CentreStand, tmp_path: Path
) -> None:
    """The pack that is announced first never comes; the one that does comes has its members."""
    peer.announce(told(some(1, 2)))
    peer.announce(told(some(1, 2, 3)))
    put(peer, tmp_path, some(1, 2, 3))
    assert len(digests_in(centre.archive, OPERATOR, STUDY)) == 3
    assert peer.announce(told(some(1, 2))).packs == ()


def test_only_the_digests_that_no_pack_has_are_lacking(peer: HttpCentre, tmp_path: Path) -> None:
    peer.announce(told(some(1, 2)))
    put(peer, tmp_path, some(1, 2))
    answer = peer.announce(told(some(1, 2, 3), some(1)))
    assert answer.lacking == (some(3)[0].member.sha256.hex(),)
    assert len(answer.packs) == 1


def test_another_trusts_digests_are_no_reason_not_to_send_ones_own(
    peer: HttpCentre, calls: Calls, tmp_path: Path
) -> None:
    peer.announce(told(some(1, 2)))
    put(peer, tmp_path, some(1, 2))
    assert len(calls("RXB").announce(told(some(1, 2), custodian="RXB")).packs) == 1


def test_documents_are_announced_like_images(peer: HttpCentre, centre: CentreStand) -> None:
    answer = peer.announce(told(letters(1), kind=PackKind.DOCUMENTS))
    assert len(answer.packs) == 1
    assert count_rows(centre.archive, "pack") == 1


def test_an_announcement_said_again_changes_nothing(peer: HttpCentre, centre: CentreStand) -> None:
    first = peer.announce(told(some(1, 2), some(3)))
    assert peer.announce(told(some(1, 2), some(3))) == first
    for name, rows in (("pack", 2), ("series", 1), ("study", 1), ("sop", 3)):
        assert count_rows(centre.archive, name) == rows


def changed(message: AnnouncementMessage, **packs: str) -> AnnouncementMessage:
    (first,) = message.packs
    return message.model_copy(update={"packs": (first.model_copy(update=packs),)})


def other_study(message: AnnouncementMessage) -> AnnouncementMessage:
    study = message.study.model_copy(update={"study_instance_uid": "1.2.3"})
    return message.model_copy(update={"study": study})


def other_series(message: AnnouncementMessage) -> AnnouncementMessage:
    series = message.series.model_copy(update={"series_instance_uid": "1.2.3"})
    return message.model_copy(update={"series": series})


def other_kind(message: AnnouncementMessage) -> AnnouncementMessage:
    series = message.series.model_copy(update={"kind": "documents"})
    return message.model_copy(update={"series": series})


def other_issuer(message: AnnouncementMessage) -> AnnouncementMessage:
    issuer = IssuerPart(organisation="RXB", namespace="RXB")
    study = message.study.model_copy(update={"issuer": issuer})
    return message.model_copy(update={"study": study})


@pytest.mark.parametrize(
    ("message", "error"),
    [
        (changed(told(some(1)), content="0" * 64), DigestMismatch),
        (changed(told(some(1)), manifest="{}"), PackMalformed),
        (changed(told(some(1)), manifest="not JSON"), PackMalformed),
        (changed(told(some(1)), origin="{}"), PackMalformed),
        (changed(told(some(1)), origin=part(some(1), custodian="RXB").origin), MalformedMessage),
        (other_study(told(some(1))), MalformedMessage),
        (other_series(told(some(1))), MalformedMessage),
        (other_kind(told(some(1))), MalformedMessage),
        (other_issuer(told(some(1))), NotPermitted),
    ],
)
def test_a_pack_that_is_not_what_it_is_announced_as_is_refused_whole(
    peer: HttpCentre, centre: CentreStand, message: AnnouncementMessage, error: type[Exception]
) -> None:
    with pytest.raises(error):
        peer.announce(message)
    assert count_rows(centre.archive, "study") == count_rows(centre.archive, "pack") == 0


def test_states_come_before_their_packs_however_many(
    peer: HttpCentre, centre: CentreStand, tmp_path: Path
) -> None:
    hidden = some(1)[0].member.sop_instance_uid
    uids = [hidden, *(f"1.2.3.{number}" for number in range(200))]
    states = tuple(
        StatePart(
            sop_instance_uid=uid,
            sha256="",
            state=InstanceState.REJECTED,
            serves=True,
            code="113001",
            actor="CT1",
            at_ms=1,
            numbered_by="RXA",
            seq=number,
        )
        for number, uid in enumerate(uids, start=1)
    )
    peer.announce(told(some(1, 2)).model_copy(update={"states": states}))
    put(peer, tmp_path, some(1, 2))
    assert list(digests_in(centre.archive, OPERATOR, STUDY)) == [some(2)[0].member.sop_instance_uid]
    assert count_rows(centre.archive, "instance_state") == 201
