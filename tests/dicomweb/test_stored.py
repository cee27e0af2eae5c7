import hashlib

import pytest

from archive.states import LinkState
from tests.dicomweb.conftest import Client
from tests.dicomweb.objects import IMPLICIT, JPEG_LOSSLESS, RLE, ct, data_set_of
from tests.dicomweb.tier import Tier
from tests.index.builders import RXA, RXB, RXC

STORED = "/dicom-web/studies/1.2.3/series/1.2.3.1/instances/1.2.3.1.1/stored"


@pytest.mark.parametrize("syntax", [IMPLICIT, RLE, JPEG_LOSSLESS])
def test_the_stored_octets_come_back_whatever_their_syntax(
    tier: Tier, asks: Client, syntax: str
) -> None:
    made = ct("1.2.3.1.1", syntax=syntax)
    tier.store(made)
    answer = asks("radiologist.RXA").get(STORED)
    assert answer.headers["Content-Type"] == f"application/dicom; transfer-syntax={syntax}"
    assert answer.headers["ETag"] == f'"{made.sha256}"'
    assert hashlib.sha256(data_set_of(answer.content)).hexdigest() == made.sha256
    assert int(answer.headers["Content-Length"]) == len(answer.content)


def test_what_the_caller_has_already_is_not_sent_again(tier: Tier, asks: Client) -> None:
    made = ct("1.2.3.1.1")
    tier.store(made)
    answer = asks("radiologist.RXA").get(STORED, headers={"If-None-Match": f'"{made.sha256}"'})
    assert (answer.status_code, answer.content) == (304, b"")


@pytest.mark.parametrize(
    ("asked", "start", "stop"),
    [("bytes=0-99", 0, 100), ("bytes=100-", 100, None), ("bytes=-50", -50, None)],
)
def test_a_range_is_given_as_asked(
    tier: Tier, asks: Client, asked: str, start: int, stop: int | None
) -> None:
    tier.store(ct("1.2.3.1.1"))
    client = asks("radiologist.RXA")
    whole = client.get(STORED).content
    answer = client.get(STORED, headers={"Range": asked})
    assert answer.status_code == 206
    assert answer.content == whole[start:stop]
    first = start % len(whole)
    last = first + len(answer.content) - 1
    assert answer.headers["Content-Range"] == f"bytes {first}-{last}/{len(whole)}"


def test_a_range_behind_the_end_or_of_other_octets_is_not_given(tier: Tier, asks: Client) -> None:
    tier.store(ct("1.2.3.1.1"))
    client = asks("radiologist.RXA")
    whole = client.get(STORED)
    behind = client.get(STORED, headers={"Range": "bytes=99999999-"})
    assert behind.status_code == 416
    assert behind.headers["Content-Range"] == f"bytes */{len(whole.content)}"
    stale = client.get(STORED, headers={"Range": "bytes=0-9", "If-Range": '"other"'})
    assert (stale.status_code, stale.content) == (200, whole.content)


def test_exact_octets_may_be_picked_where_a_uid_has_several(tier: Tier, asks: Client) -> None:
    first, second = ct("1.2.3.1.1"), ct("1.2.3.1.1", StudyDescription="Corrected")
    tier.store(first)
    tier.store(second)
    client = asks("radiologist.RXA")
    assert data_set_of(client.get(STORED).content) == first.octets
    for each in (first, second):
        answer = client.get(STORED, params={"sha256": each.sha256})
        assert data_set_of(answer.content) == each.octets
    assert client.get(STORED, params={"sha256": "0" * 64}).status_code == 404
    assert client.get(STORED, params={"sha256": "short"}).status_code == 400


def test_octets_as_stored_are_for_those_who_may_see_the_numbers_in_them(
    tier: Tier, asks: Client
) -> None:
    tier.store(ct("1.2.3.1.1"))
    rows = tier.rows
    theirs = rows.patient("B-9", RXB, "Doe^Archie")
    rows.link(rows.patient("1234", RXA), theirs, LinkState.CONFIRMED)
    for name in ("radiologist.RXA", "west.RXA", "radiologist.RXB", "operator"):
        assert asks(name).get(STORED).status_code == 200, name
    refused = asks("radiologist.RXC").get(STORED)
    assert (refused.status_code, refused.json()["error"]) == (403, "NoLocalNumber")
    assert "Register the patient" in refused.json()["hint"]
    rows.link(rows.patient("1234", RXA), rows.patient("C-1", RXC), LinkState.CONFIRMED)
    assert asks("radiologist.RXC").get(STORED).status_code == 200


def test_a_delivery_of_stored_octets_is_written_down_and_head_delivers_none(
    tier: Tier, asks: Client
) -> None:
    tier.store(ct("1.2.3.1.1"))
    client = asks("radiologist.RXA")
    head = client.head(STORED)
    assert (head.status_code, head.content) == (200, b"")
    assert tier.deliveries() == []
    assert int(head.headers["Content-Length"]) == len(client.get(STORED).content)
    assert tier.deliveries() == [("WADO", "radiologist.RXA", "1.2.3.1.1", False)]


def test_an_instance_is_not_found_under_another_study(tier: Tier, asks: Client) -> None:
    tier.store(ct("1.2.3.1.1"))
    assert asks("radiologist.RXA").get(STORED.replace("1.2.3/", "1.2.4/", 1)).status_code == 404
