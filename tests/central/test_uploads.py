import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from archive.states import CopyState
from archive.store.disk import RealDisk
from sync.transfer.peer import HttpCentre
from tests.central.nodes import PackFile
from tests.central.packs import packed, some, told
from tests.central.stands import TOKEN, CentreStand
from tests.central.web import path_of, until

Calls = Callable[[str], HttpCentre]


@pytest.fixture
def pack(tmp_path: Path, calls: Calls) -> PackFile:
    """A pack of some 100 kB that RXA has announced."""
    calls("RXA").announce(told(some(*range(100))))
    return packed(tmp_path / "p.tar", some(*range(100)))


def put(web: httpx.Client, pack: PackFile, octets: bytes, **headers: str) -> httpx.Response:
    return web.put(
        path_of(pack), params={"length": str(pack.length)}, content=octets, headers=headers
    )


def offset(web: httpx.Client, pack: PackFile) -> int:
    answer = web.head(path_of(pack), params={"length": str(pack.length)})
    return int(answer.headers["Upload-Offset"])


def content_range(first: int, pack: PackFile) -> dict[str, str]:
    return {"Content-Range": f"bytes {first}-{pack.length - 1}/{pack.length}"}


def begin_by_hand(url: str, pack: PackFile, octets: bytes) -> socket.socket:
    """Send the head of a PUT and some of its body; the rest is the test's."""
    port = urlsplit(url).port or 0
    link = socket.create_connection(("127.0.0.1", port))
    head = (
        f"PUT {path_of(pack)}?length={pack.length} HTTP/1.1\r\nHost: x\r\n"
        f"Authorization: Bearer {TOKEN['RXA']}\r\nContent-Length: {pack.length}\r\n\r\n"
    )
    link.sendall(head.encode() + octets)
    return link


def staged(centre: CentreStand) -> list[int]:
    files = centre.settings.staging_directory.rglob("*.part")
    return [path.stat().st_size for path in files]


def copies(centre: CentreStand) -> set[str]:
    with centre.archive.index.reading() as conn:
        rows = conn.exec_driver_sql(
            "SELECT place.kind, copy.state FROM copy JOIN place ON copy.place_id = place.id"
        ).all()
    return {row.kind for row in rows if row.state == CopyState.CONFIRMED}


def test_nothing_is_held_before_the_first_octet(web: httpx.Client, pack: PackFile) -> None:
    assert offset(web, pack) == 0


def test_a_body_that_does_not_begin_where_the_upload_stands_is_told_where(
    web: httpx.Client, pack: PackFile
) -> None:
    answer = put(web, pack, pack.octets[10:], **content_range(10, pack))
    assert (answer.status_code, answer.headers["Upload-Offset"]) == (409, "0")
    assert answer.json()["error"] == "StateMoved"


@pytest.mark.parametrize(
    "header",
    [
        "octets 0-9/10",
        "bytes 0-9/*",
        "bytes 5-9/10",
        "bytes 99999999999999999999-1/2",
        "bytes -1-9/10",
        "nonsense",
    ],
)
def test_a_content_range_that_does_not_run_to_the_end_of_the_pack_is_refused(
    web: httpx.Client, pack: PackFile, header: str
) -> None:
    answer = put(web, pack, b"", **{"Content-Range": header})
    assert (answer.status_code, answer.json()["error"]) == (400, "MalformedMessage")


@pytest.mark.parametrize("length", ["", "0", "-1", "ten", "9" * 40, "1e3", "\u0661"])
def test_an_upload_without_a_length_is_refused(
    web: httpx.Client, pack: PackFile, length: str
) -> None:
    answer = web.put(path_of(pack), params={"length": length}, content=b"")
    assert answer.status_code == 400


def test_a_body_that_is_too_long_is_refused(web: httpx.Client, pack: PackFile) -> None:
    answer = put(web, pack, pack.octets + b"x")
    assert (answer.status_code, answer.json()["error"]) == (400, "MalformedMessage")


def test_a_body_that_is_too_short_is_refused_and_what_came_is_kept(
    web: httpx.Client, pack: PackFile
) -> None:
    answer = put(web, pack, pack.octets[:1000])
    assert answer.status_code == 400
    assert offset(web, pack) == 1000
    assert put(web, pack, pack.octets[1000:], **content_range(1000, pack)).status_code == 200


def test_an_upload_of_which_all_octets_came_needs_no_more_to_be_verified(
    web: httpx.Client, pack: PackFile, centre: CentreStand
) -> None:
    put(web, pack, pack.octets[:-1])
    (part,) = centre.settings.staging_directory.rglob("*.part")
    part.write_bytes(pack.octets)
    assert offset(web, pack) == pack.length
    assert put(web, pack, b"", **content_range(pack.length, pack)).status_code == 200


def test_a_pack_with_another_octet_is_refused_whole(
    web: httpx.Client, pack: PackFile, centre: CentreStand
) -> None:
    spoilt = bytearray(pack.octets)
    spoilt[pack.octets.index(some(50)[0].data_set) + 200] ^= 1
    answer = put(web, pack, bytes(spoilt))
    assert (answer.status_code, answer.json()["error"]) == (422, "DigestMismatch")
    assert staged(centre) == []
    assert list(centre.archive.blobs.names("packs")) == []
    assert copies(centre) == {"node"}
    assert offset(web, pack) == 0


def test_a_pack_under_anothers_name_is_refused(
    web: httpx.Client, pack: PackFile, tmp_path: Path
) -> None:
    other = packed(tmp_path / "other.tar", some(1, 2, 3))
    answer = web.put(path_of(pack), params={"length": str(other.length)}, content=other.octets)
    assert (answer.status_code, answer.json()["error"]) == (422, "DigestMismatch")


def test_a_pack_whose_origin_names_another_trust_is_refused(
    web: httpx.Client, pack: PackFile, tmp_path: Path, centre: CentreStand
) -> None:
    other = packed(tmp_path / "other.tar", some(*range(100)), custodian="RXB")
    assert other.content == pack.content
    answer = put(web, other, other.octets)
    assert (answer.status_code, answer.json()["error"]) == (422, "PackMalformed")
    assert copies(centre) == {"node"}


def test_two_uploads_of_a_pack_at_once_do_not_mix(
    web: httpx.Client, pack: PackFile, url: str, centre: CentreStand
) -> None:
    with begin_by_hand(url, pack, pack.octets[:5000]) as first:
        until(lambda: staged(centre) != [])
        second = put(web, pack, pack.octets)
        assert (second.status_code, second.json()["error"]) == (503, "NotYetHeld")
        first.sendall(pack.octets[5000:])
        assert first.recv(100).startswith(b"HTTP/1.1 200")
    assert offset(web, pack) == pack.length
    assert copies(centre) == {"node", "centre"}


def test_two_encodings_of_a_content_may_be_under_way(
    web: httpx.Client, pack: PackFile, url: str, tmp_path: Path
) -> None:
    other = packed(tmp_path / "other.tar", some(*range(100)), node="RXA2")
    assert (other.content == pack.content, other.encoding == pack.encoding) == (True, False)
    with begin_by_hand(url, pack, pack.octets[:5000]) as first:
        second = put(web, other, other.octets)
        assert (second.status_code, second.json()["encoding"]) == (200, other.encoding)
        first.sendall(pack.octets[5000:])
        assert first.recv(100).startswith(b"HTTP/1.1 200")
    again = put(web, pack, b"")
    assert (again.status_code, again.json()["encoding"]) == (200, other.encoding)


def test_a_caller_that_vanishes_leaves_an_upload_to_go_on_with(
    web: httpx.Client, pack: PackFile, url: str, centre: CentreStand
) -> None:
    with begin_by_hand(url, pack, pack.octets[:5000]):
        until(lambda: staged(centre) != [])
    held = until_free(web, pack)
    assert held <= 5000
    answer = put(web, pack, pack.octets[held:], **content_range(held, pack))
    assert answer.status_code == 200


def test_a_caller_that_falls_silent_is_given_up(pack: PackFile, centre: CentreStand) -> None:
    headers = {"Authorization": f"Bearer {TOKEN['RXA']}"}
    with (
        centre.serving(idle_seconds=0.3) as url,
        httpx.Client(base_url=url, headers=headers) as web,
        begin_by_hand(url, pack, pack.octets[:5000]),
    ):
        until(lambda: staged(centre) == [5000])
        held = until_free(web, pack)
        answer = put(web, pack, pack.octets[held:], **content_range(held, pack))
        assert (held, answer.status_code) == (5000, 200)


def until_free(web: httpx.Client, pack: PackFile) -> int:
    """Return where an upload stands when nobody writes to it any more."""
    until(lambda: put(web, pack, b"", **content_range(pack.length, pack)).status_code != 503)
    return offset(web, pack)


def test_no_pack_is_taken_for_which_there_is_no_room(
    web: httpx.Client, pack: PackFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RealDisk, "free_bytes", lambda *_: pack.length - 1)
    answer = put(web, pack, pack.octets)
    assert (answer.status_code, answer.json()["error"]) == (507, "DiskFloorReached")


def test_no_node_goes_on_with_what_another_has_begun(
    pack: PackFile, calls: Calls, url: str, centre: CentreStand
) -> None:
    calls("RXB").announce(told(some(*range(100)), custodian="RXB"))
    theirs = httpx.Client(base_url=url, headers={"Authorization": f"Bearer {TOKEN['RXB']}"})
    with begin_by_hand(url, pack, pack.octets[:5000]), theirs:
        until(lambda: staged(centre) != [])
        assert offset(theirs, pack) == 0


def test_the_same_content_of_two_trusts_is_held_once_each_trust_has_sent_it(
    pack: PackFile, calls: Calls, tmp_path: Path, web: httpx.Client
) -> None:
    rxb = calls("RXB")
    rxb.announce(told(some(*range(100)), custodian="RXB"))
    theirs = packed(tmp_path / "b.tar", some(*range(100)), custodian="RXB")
    assert put(web, pack, pack.octets).status_code == 200
    assert rxb.announce(told(some(*range(100)), custodian="RXB")).packs == (pack.content,)
    receipt = rxb.put_pack(
        content=theirs.content, encoding=theirs.encoding, length=theirs.length, read=theirs.read
    )
    assert receipt.digests == pack.digests


def test_a_slow_upload_keeps_nobody_waiting(
    web: httpx.Client, pack: PackFile, url: str, centre: CentreStand
) -> None:
    links = [begin_by_hand(url, pack, b"") for _ in range(60)]
    until(lambda: staged(centre) != [])
    assert web.get("/tiers/v1/orders").status_code == 200
    for link in links:
        link.close()
    until_free(web, pack)


def test_octets_are_staged_as_they_come(
    pack: PackFile, url: str, centre: CentreStand, web: httpx.Client
) -> None:
    """A body of many times the block that is gathered is on the disk before it ends."""
    big = PackFile(pack.content, "f" * 64, bytes(8 * 1024 * 1024), ())
    done = threading.Event()

    def slowly() -> Iterator[bytes]:
        yield big.octets[: 6 * 1024 * 1024]
        assert done.wait(30)
        yield big.octets[6 * 1024 * 1024 :]

    def send() -> None:
        web.put(path_of(big), params={"length": str(big.length)}, content=slowly())

    sending = threading.Thread(target=send)
    sending.start()
    until(lambda: max(staged(centre), default=0) >= 5 * 1024 * 1024)
    done.set()
    sending.join(30)
    assert not sending.is_alive()
