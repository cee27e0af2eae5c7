"""What malformed, oversized and unentitled calls get."""

import json

import httpx
import pytest

from archive.dicomweb.access import Rule, RuledRoute
from central_store.tiers.routes import MESSAGE_LIMIT, tier_routes
from tests.central.packs import some, told
from tests.central.stands import RADIOLOGIST, CentreStand, count_rows
from tests.central.web import API

POSTS = ("announcements", "states", "patients", "arrivals", "orders/1/outcome")
DIGEST = "a" * 64
CALLS = [
    *(("POST", path) for path in POSTS),
    ("POST", "orders/1/acknowledgement"),
    ("GET", "orders"),
    ("GET", f"packs/{DIGEST}/{DIGEST}"),
    ("HEAD", f"packs/{DIGEST}/{DIGEST}?length=9"),
    ("PUT", f"packs/{DIGEST}/{DIGEST}?length=9"),
]


def error_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]


def test_every_route_is_a_nodes_alone(centre: CentreStand) -> None:
    for route in tier_routes(centre.tiers):
        assert isinstance(route, RuledRoute)
        assert route.rule is Rule.NODE


@pytest.mark.parametrize(("method", "path"), CALLS)
def test_nobody_is_answered_without_a_nodes_token(url: str, method: str, path: str) -> None:
    assert httpx.request(method, f"{url}{API}/{path}").status_code == 401
    for token, status in (("no such token", 401), (RADIOLOGIST, 403)):
        headers = {"Authorization": f"Bearer {token}"}
        answer = httpx.request(method, f"{url}{API}/{path}", headers=headers)
        assert answer.status_code == status


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[]", b"null", b"\xff\xfe", b"{", b'{"version": 2}', b"[" * 100_000]
)
def test_what_is_no_message_is_refused(web: httpx.Client, path: str, body: bytes) -> None:
    answer = web.post(f"{API}/{path}", content=body)
    assert error_of(answer) == (400, "MalformedMessage")


def test_an_unknown_key_is_refused_whole(web: httpx.Client, centre: CentreStand) -> None:
    message = json.loads(told(some(1)).model_dump_json())
    message["study"]["a_key_of_the_future"] = 1
    answer = web.post(f"{API}/announcements", json=message)
    assert error_of(answer) == (400, "MalformedMessage")
    assert "study.a_key_of_the_future" in answer.json()["detail"]
    assert count_rows(centre.archive, "study") == 0


def test_a_refusal_names_the_wrong_key_and_never_its_value(web: httpx.Client) -> None:
    secret = "Doe^Jane" * 200
    message = json.loads(told(some(1)).model_dump_json())
    message["study"]["patient_name"] = secret
    answer = web.post(f"{API}/announcements", json=message)
    assert "study.patient_name" in answer.json()["detail"]
    assert "Doe" not in answer.text


def test_a_message_that_says_it_is_too_long_is_refused_unread(web: httpx.Client) -> None:
    answer = web.post(f"{API}/states", content=b"x" * (MESSAGE_LIMIT + 1))
    assert error_of(answer) == (413, "PayloadTooLarge")


def test_a_message_that_grows_too_long_is_refused(web: httpx.Client) -> None:
    chunks = (b" " * 65536 for _ in range(MESSAGE_LIMIT // 65536 + 2))
    answer = web.post(f"{API}/states", content=chunks)
    assert error_of(answer) == (413, "PayloadTooLarge")


@pytest.mark.parametrize("name", ["..", "a" * 63, "A" * 64, "g" * 64, "%2e%2e%2f" + "a" * 55])
def test_a_pack_is_named_by_digests_alone(web: httpx.Client, name: str) -> None:
    for path in (f"{name}/{DIGEST}", f"{DIGEST}/{name}"):
        assert web.get(f"{API}/packs/{path}").status_code in {400, 404}
        assert web.put(f"{API}/packs/{path}?length=1", content=b"x").status_code in {400, 404}


@pytest.mark.parametrize("order", ["0", "-1", "x", "9" * 30, "9" * 5000, "1.0", "%00"])
def test_an_order_is_named_by_its_number_alone(web: httpx.Client, order: str) -> None:
    answer = web.post(f"{API}/orders/{order}/acknowledgement")
    assert error_of(answer) == (404, "NotFound")


@pytest.mark.parametrize("wait", ["nan", "x", "", "1;2"])
def test_a_wait_is_a_number_of_seconds(web: httpx.Client, wait: str) -> None:
    answer = web.get(f"{API}/orders", params={"wait": wait})
    assert error_of(answer) == (400, "MalformedMessage")


def test_a_wait_below_nothing_is_none(web: httpx.Client) -> None:
    for wait in ("-5", "-inf"):
        assert web.get(f"{API}/orders", params={"wait": wait}).json()["orders"] == []


def test_a_node_that_the_directory_has_for_another_trust_is_refused(
    web: httpx.Client, centre: CentreStand
) -> None:
    with centre.archive.index.writing() as conn:
        conn.exec_driver_sql(
            "UPDATE node SET organisation_id = "
            "(SELECT id FROM organisation WHERE ods_code = 'RXB') WHERE name = 'RXA'"
        )
    assert error_of(web.get(f"{API}/orders")) == (403, "NotPermitted")
