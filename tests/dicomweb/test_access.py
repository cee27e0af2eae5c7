import hashlib

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute

from archive.dicomweb.access import (
    NodeEntry,
    Role,
    Rule,
    TokenEntry,
    Tokens,
    asker_of,
    bearer_token,
    node_of,
    route,
    unruled,
    user_of,
)
from archive.dicomweb.app import session_cookie
from archive.errors import NotAuthenticated
from archive.words.identity import Purpose
from tests.dicomweb.tier import Tier, bearer, served, token_of
from tests.index.builders import RXA

COOKIE = session_cookie("TEST")


def _who(request: Request) -> Response:
    asker = asker_of(request)
    return JSONResponse(
        {"who": asker.who, "organisation": asker.organisation, "purpose": asker.purpose}
    )


async def _node(request: Request) -> Response:
    return PlainTextResponse(node_of(request).organisation)


async def _wrong(request: Request) -> Response:
    return PlainTextResponse(user_of(request).name)


ROUTES: list[BaseRoute] = [
    route("/public", lambda _request: PlainTextResponse("open"), rule=Rule.PUBLIC),
    route("/user", _who, rule=Rule.TRUST_USER),
    route("/user", _who, rule=Rule.TRUST_USER, methods=("POST",)),
    route("/operator", _who, rule=Rule.OPERATOR),
    route("/node", _node, rule=Rule.NODE),
    route("/node-as-user", _wrong, rule=Rule.NODE),
]

EXPECTED = {
    "/public": {"": 200, "radiologist.RXA": 200, "operator": 200, "node RXA": 200, "stranger": 200},
    "/user": {"": 401, "radiologist.RXA": 200, "operator": 200, "node RXA": 403, "stranger": 401},
    "/operator": {
        "": 401,
        "radiologist.RXA": 403,
        "operator": 200,
        "node RXA": 403,
        "stranger": 401,
    },
    "/node": {"": 401, "radiologist.RXA": 403, "operator": 403, "node RXA": 200, "stranger": 401},
}


def test_every_rule_lets_in_whom_it_names_and_nobody_else(tier: Tier) -> None:
    with served(tier.app(ROUTES)) as url, httpx.Client(base_url=url) as client:
        for path, by_name in EXPECTED.items():
            answers = {
                name: client.get(path, headers=bearer(name) if name else {}).status_code
                for name in by_name
            }
            assert answers == by_name, path


def test_an_endpoint_knows_as_whom_its_caller_asks(tier: Tier) -> None:
    with served(tier.app(ROUTES)) as url, httpx.Client(base_url=url) as client:
        trust = client.get("/user", headers=bearer("radiologist.RXA")).json()
        assert trust == {
            "who": "radiologist.RXA",
            "organisation": "RXA",
            "purpose": Purpose.TREATMENT,
        }
        operator = client.get("/user", headers=bearer("operator")).json()
        assert (operator["organisation"], operator["purpose"]) == (None, Purpose.OPERATIONS)
        assert client.get("/node", headers=bearer("node RXA")).text == "RXA"
        assert client.get("/node-as-user", headers=bearer("node RXA")).status_code == 401


def test_without_a_token_the_answer_says_how_to_send_one(tier: Tier) -> None:
    with served(tier.app(ROUTES)) as url:
        answer = httpx.get(f"{url}/user")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert answer.json()["error"] == "NotAuthenticated"
    assert "Authorization: Bearer" in answer.json()["hint"]


def test_the_cookie_reads_and_changes_nothing(tier: Tier) -> None:
    cookie = {"Cookie": f'{COOKIE}="{token_of("radiologist.RXA")}"'}
    of_node = {"Cookie": f'{COOKIE}="{token_of("node RXA")}"'}
    with served(tier.app(ROUTES)) as url, httpx.Client(base_url=url) as client:
        assert client.get("/user", headers=cookie).json()["who"] == "radiologist.RXA"
        assert client.get("/dicom-web/studies", headers=cookie).status_code == 200
        assert client.post("/user", headers=cookie).status_code == 401
        assert client.post("/user", headers=bearer("radiologist.RXA")).status_code == 200
        assert client.get("/node", headers=of_node).status_code == 401
        assert client.get("/user", headers=of_node).status_code == 401


def test_a_wrong_header_is_not_made_good_by_a_cookie(tier: Tier) -> None:
    headers = {"Cookie": f'{COOKIE}="{token_of("operator")}"', "Authorization": "Bearer other"}
    with served(tier.app(ROUTES)) as url:
        assert httpx.get(f"{url}/user", headers=headers).status_code == 401


def test_every_route_of_an_archive_has_a_rule(tier: Tier) -> None:
    assert unruled(tier.app()) == []


def test_a_route_without_a_rule_is_found_wherever_it_hides() -> None:
    async def endpoint(_request: Request) -> Response:
        return Response()

    async def app(_scope: object, _receive: object, _send: object) -> None: ...

    hidden: list[BaseRoute] = [
        Route("/plain", endpoint),
        Mount("/below", routes=[Route("/deep", endpoint), route("/ok", endpoint, rule=Rule.NODE)]),
        Mount("/whole", app=app),
        WebSocketRoute("/socket", endpoint),
    ]
    found = unruled(Starlette(routes=hidden))
    assert found == ["/plain", "/below/deep", "/whole", "/socket"]


@pytest.mark.parametrize(
    ("header", "token"),
    [
        ("Bearer abc", "abc"),
        ("bearer  abc ", "abc"),
        ("Basic abc", None),
        ("Bearer", None),
        ("", None),
    ],
)
def test_only_a_bearer_header_has_a_token(header: str, token: str | None) -> None:
    assert bearer_token(header) == token


def test_tokens_are_known_by_their_hash_alone() -> None:
    entry = TokenEntry("a", Role.RADIOLOGIST, "RXA", RXA, hashlib.sha256(b"t").hexdigest())
    empty = NodeEntry("n", "RXA", hashlib.sha256(b"").hexdigest())
    tokens = Tokens([entry], [empty])
    assert tokens.authenticate("Bearer t").name == "a"
    for header in ("Bearer other", "Bearer ", "", f"Bearer {entry.sha256}"):
        with pytest.raises(NotAuthenticated):
            tokens.authenticate(header)
    assert tokens.node("") is None
