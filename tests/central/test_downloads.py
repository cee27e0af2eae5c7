from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from central_store.orders import acknowledge, finish, give_order
from sync.transfer.messages import FetchOrder, FetchPack, OutcomeMessage, SeriesPart, StudyPart
from sync.transfer.peer import HttpCentre
from tests.central.nodes import PackFile
from tests.central.packs import packed, some, told
from tests.central.stands import TOKEN, CentreStand
from tests.central.web import path_of
from tests.store.examples import SERIES, STUDY

Calls = Callable[[str], HttpCentre]


@pytest.fixture
def pack(tmp_path: Path, calls: Calls) -> PackFile:
    """A pack of RXA that the centre holds."""
    made = packed(tmp_path / "p.tar", some(1, 2, 3))
    rxa = calls("RXA")
    rxa.announce(told(some(1, 2, 3)))
    rxa.put_pack(content=made.content, encoding=made.encoding, length=made.length, read=made.read)
    return made


@pytest.fixture
def theirs(url: str) -> httpx.Client:
    return httpx.Client(base_url=url, headers={"Authorization": f"Bearer {TOKEN['RXB']}"})


def order(centre: CentreStand, pack: PackFile, *, content: str = "") -> int:
    """Order RXB to fetch a pack of RXA; return the order's id."""
    wanted = FetchPack(
        content=content or pack.content,
        encoding=pack.encoding,
        length=pack.length,
        kind="series",
        series=SeriesPart(series_instance_uid=SERIES),
    )
    body = FetchOrder(
        custodian="RXA", study=StudyPart(study_instance_uid=STUDY), packs=(wanted,), links=()
    )
    with centre.archive.index.writing() as conn:
        give_order(
            conn,
            node_id=centre.node_id("RXB"),
            subject=STUDY,
            order_class="prefetch",
            body=body,
            key="k",
            at_ms=1,
        )
    return 1


def end(centre: CentreStand, order_id: int, *, done: bool) -> None:
    node_id = centre.node_id("RXB")
    with centre.archive.index.writing() as conn:
        acknowledge(conn, node_id=node_id, order_id=order_id, at_ms=2)
        outcome = OutcomeMessage(done=done)
        finish(conn, node_id=node_id, order_id=order_id, outcome=outcome, at_ms=3)


def test_a_whole_pack_comes_with_its_length_and_its_encoding_as_etag(
    web: httpx.Client, pack: PackFile
) -> None:
    answer = web.get(path_of(pack))
    assert (answer.status_code, answer.content) == (200, pack.octets)
    assert answer.headers["ETag"] == f'"{pack.encoding}"'
    assert answer.headers["Content-Length"] == str(pack.length)
    assert answer.headers["Content-Type"] == "application/x-tar"


@pytest.mark.parametrize(("wanted", "first", "last"), [("10-", 10, -1), ("10-19", 10, 19)])
def test_a_range_comes_as_a_part(
    web: httpx.Client, pack: PackFile, wanted: str, first: int, last: int
) -> None:
    end_of_part = pack.length - 1 if last < 0 else last
    answer = web.get(path_of(pack), headers={"Range": f"bytes={wanted}"})
    assert (answer.status_code, answer.content) == (206, pack.octets[first : end_of_part + 1])
    assert answer.headers["Content-Range"] == f"bytes {first}-{end_of_part}/{pack.length}"


def test_a_range_beyond_the_end_ends_at_the_end(web: httpx.Client, pack: PackFile) -> None:
    answer = web.get(path_of(pack), headers={"Range": f"bytes={pack.length - 5}-99999999"})
    assert (answer.status_code, answer.content) == (206, pack.octets[-5:])


def test_a_range_behind_the_end_cannot_be_satisfied(web: httpx.Client, pack: PackFile) -> None:
    answer = web.get(path_of(pack), headers={"Range": f"bytes={pack.length}-"})
    assert (answer.status_code, answer.content) == (416, b"")
    assert answer.headers["Content-Range"] == f"bytes */{pack.length}"


@pytest.mark.parametrize("wanted", ["bytes=-5", "bytes=1-2,4-5", "octets=1-2", "bytes=a-b"])
def test_other_ranges_are_ignored(web: httpx.Client, pack: PackFile, wanted: str) -> None:
    answer = web.get(path_of(pack), headers={"Range": wanted})
    assert (answer.status_code, answer.content) == (200, pack.octets)


def test_a_condition_on_another_encoding_fails(web: httpx.Client, pack: PackFile) -> None:
    answer = web.get(path_of(pack), headers={"If-Match": f'"{"e" * 64}"'})
    assert (answer.status_code, answer.json()["error"]) == (412, "EncodingChanged")
    for holds in ("*", f'"{pack.encoding}"'):
        assert web.get(path_of(pack), headers={"If-Match": holds}).status_code == 200


def test_an_order_opens_its_packs_while_it_lives_and_when_it_is_done(
    theirs: httpx.Client, pack: PackFile, centre: CentreStand
) -> None:
    assert theirs.get(path_of(pack)).status_code == 403
    order_id = order(centre, pack)
    assert theirs.get(path_of(pack)).content == pack.octets
    end(centre, order_id, done=True)
    assert theirs.get(path_of(pack)).content == pack.octets


def test_an_order_that_failed_opens_nothing(
    theirs: httpx.Client, pack: PackFile, centre: CentreStand
) -> None:
    end(centre, order(centre, pack), done=False)
    assert theirs.get(path_of(pack)).status_code == 403


def test_an_order_opens_only_the_packs_that_it_names(
    theirs: httpx.Client, pack: PackFile, centre: CentreStand
) -> None:
    order(centre, pack, content="a" * 64)
    assert theirs.get(path_of(pack)).status_code == 403


def test_a_pack_whose_octets_are_lost_is_not_found(
    web: httpx.Client, pack: PackFile, centre: CentreStand
) -> None:
    (name,) = centre.archive.blobs.names("packs")
    centre.archive.blobs.delete(name)
    assert web.get(path_of(pack)).status_code == 404
