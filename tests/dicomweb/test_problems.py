import contextlib
from collections.abc import Iterator

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute
from structlog.testing import capture_logs
from structlog.typing import EventDict

from archive import errors
from archive.dicomweb.access import Rule, route
from archive.dicomweb.problems import STATUS, problem_of, status_of
from archive.errors import ArchiveError, Damaged, Refused, Unavailable
from tests.dicomweb.tier import Tier, bearer, served
from tests.peers.processes import wait_until

SECRET = "Doe^Archibald 1234 /srv/archive"


@contextlib.contextmanager
def log_of(requests: int) -> Iterator[list[EventDict]]:
    """Give the log lines of a block; a request's own line may come after its answer."""
    with capture_logs() as lines:
        yield lines
        wait_until(
            lambda: sum(line["event"] == "answered" for line in lines) >= requests,
            what="every request has its line",
        )


def _kinds(kind: type[ArchiveError]) -> Iterator[type[ArchiveError]]:
    for each in kind.__subclasses__():
        yield each
        yield from _kinds(each)


def test_every_error_of_the_archive_stands_in_the_table_and_says_whose_fault_it_is() -> None:
    for kind in _kinds(ArchiveError):
        if kind.__module__ == errors.__name__:
            assert kind in STATUS, kind
        status = status_of(kind).value
        if issubclass(kind, Unavailable):
            assert status in (503, 507), kind
        elif issubclass(kind, Damaged):
            assert status == 500, kind


def test_an_error_of_another_room_has_the_status_of_its_nearest_base() -> None:
    class Odd(errors.NotFound):
        pass

    assert status_of(Odd) == 404
    assert problem_of(Odd("odd")).error == "Odd"


def test_what_is_unavailable_says_when_to_ask_again() -> None:
    assert int(problem_of(errors.DatabaseUnavailable("gone")).headers["Retry-After"]) > 0
    assert "Retry-After" not in problem_of(errors.NotFound("gone")).headers


def test_what_has_gone_names_its_successors() -> None:
    body = problem_of(errors.Gone("gone", successors=["a", "b"])).body
    assert (body["status"], body["successors"]) == (410, ["a", "b"])


def _refuse(_request: Request) -> Response:
    raise errors.StateMoved("Somebody else was first.", study="1.2.3")


def _fail(_request: Request) -> Response:
    raise KeyError(SECRET)


def _break_off(_request: Request) -> Response:
    def body() -> Iterator[bytes]:
        yield b"half of "
        raise errors.StorageFailed("The disk refused.", segment="s1")

    return StreamingResponse(body())


ROUTES: list[BaseRoute] = [
    route("/refuse/{patient}", _refuse, rule=Rule.TRUST_USER),
    route("/fail", _fail, rule=Rule.TRUST_USER),
    route("/break", _break_off, rule=Rule.TRUST_USER),
]


@pytest.fixture
def client(tier: Tier) -> Iterator[httpx.Client]:
    with (
        served(tier.app(ROUTES)) as url,
        httpx.Client(base_url=url, headers=bearer("radiologist.RXA")) as client,
    ):
        yield client


def test_a_problem_is_a_body_that_both_people_and_tiers_read(client: httpx.Client) -> None:
    answer = client.get("/refuse/1234")
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert (answer.status_code, answer.json()) == (
        409,
        {
            "type": "about:blank",
            "title": "Conflict",
            "status": 409,
            "detail": "Somebody else was first.",
            "hint": errors.StateMoved.hint,
            "error": "StateMoved",
        },
    )


def test_unknown_addresses_and_methods_are_problems_too(client: httpx.Client) -> None:
    nowhere = client.get("/nowhere")
    assert (nowhere.status_code, nowhere.json()["error"]) == (404, "NotFound")
    wrong = client.delete("/fail")
    assert (wrong.status_code, wrong.json()["error"]) == (405, "MethodNotAllowed")
    assert "GET" in wrong.headers["Allow"]


def test_an_unforeseen_failure_tells_a_key_and_nothing_of_the_inside(client: httpx.Client) -> None:
    with log_of(1) as lines:
        answer = client.get("/fail")
    assert answer.status_code == 500
    key = answer.json()["key"]
    assert key in answer.json()["hint"]
    (line,) = [line for line in lines if line["event"] == "answered"]
    assert (line["key"], line["unforeseen"]) == (key, "KeyError")
    assert line["at"].startswith("archive.dicomweb.")
    for text in (answer.text, str(lines)):
        assert not any(part in text for part in SECRET.split())


def test_an_error_in_the_middle_of_a_body_breaks_it_off_and_is_in_the_log(
    client: httpx.Client,
) -> None:
    with log_of(1) as lines, contextlib.suppress(httpx.RemoteProtocolError):
        client.get("/break")
        pytest.fail("half a body looked whole")
    (line,) = [line for line in lines if line["event"] == "answered"]
    assert (line["error"], line["facts"]) == ("StorageFailed", {"segment": "s1"})


def test_the_log_has_one_line_for_a_request_and_no_path_query_or_token(
    client: httpx.Client,
) -> None:
    with log_of(3) as lines:
        client.get("/refuse/MRN-77", params={"PatientName": "Doe"})
        client.get("/dicom-web/studies/1.2.3/series", params={"PatientID": "MRN-77"})
        client.get("/nobody/MRN-77")
    told = [(line["method"], line["route"], line["status"], line["user"]) for line in lines]
    assert told == [
        ("GET", "/refuse/{patient}", 409, "radiologist.RXA"),
        ("GET", "/dicom-web/studies/{study}/series", 200, "radiologist.RXA"),
        ("GET", "-", 404, "-"),
    ]
    assert all(line["ms"] >= 0 for line in lines)
    assert not any(text in str(lines) for text in ("MRN-77", "Doe", "token of"))


def test_no_answer_is_kept_by_caches_or_shown_in_frames(client: httpx.Client) -> None:
    headers = client.get("/dicom-web/studies").headers
    assert "no-store" in headers["Cache-Control"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]


def test_refused_is_the_callers_part() -> None:
    own = {errors.ConfigurationInvalid}
    assert all(
        400 <= status_of(kind) < 500
        for kind in _kinds(Refused)
        if kind not in own and kind in STATUS
    )
