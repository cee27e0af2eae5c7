from collections.abc import Iterator

import httpx
import pytest
from structlog.testing import capture_logs

from archive.dicomweb.app import session_cookie
from tests.dicomweb.tier import Tier, served, token_of
from tests.pages.reading import Page
from tests.pages.tiers import BROWSER, node_app

TOKEN = token_of("radiologist.RXA")


@pytest.fixture
def browser(tier: Tier) -> Iterator[httpx.Client]:
    with (
        served(node_app(tier)) as url,
        httpx.Client(base_url=url, headers=BROWSER, follow_redirects=False) as client,
    ):
        yield client


def test_a_browser_without_a_session_gets_the_form(browser: httpx.Client) -> None:
    answer = browser.get("/")
    page = Page(answer.text)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert "Sign in to RXA" in page.text
    (form,) = page.all("form")
    assert (form["method"], form["action"]) == ("post", "/sign-in")
    (field,) = page.all("input")
    assert (field["type"], field["id"]) == ("password", "token")
    assert page.all("label")[0]["for"] == "token"


def test_the_form_opens_a_session_that_no_script_and_no_other_site_can_use(
    browser: httpx.Client,
) -> None:
    answer = browser.post("/sign-in", data={"token": f" {TOKEN} "})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith(session_cookie("TEST"))
    for part in ("HttpOnly", "SameSite=strict", "Path=/"):
        assert part in cookie
    home = browser.get("/")
    assert home.status_code == 200
    assert "Signed in as radiologist.RXA" in Page(home.text).text
    assert browser.get("/dicom-web/studies").json() == []


def test_a_link_from_a_terminal_opens_a_session_and_leaves_no_token_in_the_address(
    browser: httpx.Client,
) -> None:
    with capture_logs() as lines:
        answer = browser.get("/sign-in", params={"token": TOKEN})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert browser.get("/").status_code == 200
    assert "token of" not in str(lines)


def test_a_wrong_token_opens_nothing_and_says_so(browser: httpx.Client) -> None:
    answer = browser.post("/sign-in", data={"token": "wrong"})
    assert answer.status_code == 401
    assert "does not know that token" in Page(answer.text).text
    assert "Set-Cookie" not in answer.headers
    assert browser.post("/sign-in", content=b"").status_code == 401
    assert browser.post("/sign-in", data={"token": token_of("node RXA")}).status_code == 401


def test_a_form_that_is_none_is_refused_before_it_is_read_to_the_end(browser: httpx.Client) -> None:
    assert browser.post("/sign-in", content=b"token=" + b"x" * 100_000).status_code == 413


def test_signing_out_ends_the_session(browser: httpx.Client) -> None:
    browser.post("/sign-in", data={"token": TOKEN})
    answer = browser.post("/sign-out")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/sign-in")
    assert browser.get("/").status_code == 401
    assert browser.get("/sign-in").status_code == 200


def test_two_tiers_on_one_host_do_not_take_each_others_session() -> None:
    assert session_cookie("RXA") != session_cookie("RXB")
    assert session_cookie("Röntgen & Co") == "imagestore-r-ntgen---co"


def test_what_is_not_there_or_not_allowed_is_told_to_people_as_a_page(
    browser: httpx.Client,
) -> None:
    browser.post("/sign-in", data={"token": TOKEN})
    nowhere = browser.get("/nowhere")
    page = Page(nowhere.text)
    assert nowhere.status_code == 404
    assert "There is nothing here" in page.text
    assert {"href": "/"} in page.all("a")
    forbidden = browser.get("/metrics")
    assert forbidden.status_code == 403
    assert "This is not open to you" in Page(forbidden.text).text
    study = browser.get("/dicom-web/studies/1.2.3/documents")
    assert (study.status_code, "No such study." in study.text) == (404, True)


def test_a_program_gets_the_same_problem_as_json(browser: httpx.Client) -> None:
    answer = browser.get("/", headers={"Accept": "*/*"})
    assert (answer.status_code, answer.json()["error"]) == (401, "NotAuthenticated")


def test_the_stylesheet_is_served_to_everybody(browser: httpx.Client) -> None:
    answer = browser.get("/style.css")
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/css; charset=utf-8")
    assert "url(" not in answer.text
    assert "@import" not in answer.text
