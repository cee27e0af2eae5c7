import httpx
from sqlalchemy import insert, update
from starlette.applications import Starlette

from archive.dicomweb.access import unruled
from archive.index import tables
from archive.index.journal import data_quality
from archive.states import LinkState
from tests.dicomweb.objects import ct
from tests.dicomweb.tier import Tier, bearer, served
from tests.index.builders import RXA, RXB
from tests.pages.reading import Page
from tests.pages.tiers import BROWSER, central_app, node_app


def read(app: Starlette, path: str = "/", *, by: str = "radiologist.RXA") -> Page:
    with served(app) as url:
        answer = httpx.get(url + path, headers={**BROWSER, **bearer(by)})
    assert answer.status_code == 200, answer.text
    return Page(answer.text)


def fill(tier: Tier) -> None:
    """Store two studies of RXA, one of whose patients RXB knows."""
    other = {"PatientID": "777", "PatientName": "Müller^Ève", "StudyDescription": ""}
    tier.store(
        ct("1.2.3.1.1"), ct("1.2.3.1.2"), ct("1.2.4.1.1", study="1.2.4", series="1.2.4.1", **other)
    )
    rows = tier.rows
    theirs = rows.patient("B-9", RXB, "Doe^Archie")
    rows.link(rows.patient("1234", RXA), theirs, LinkState.CONFIRMED)


def job(tier: Tier, state: str, number: int) -> None:
    row = {
        "kind": "replicate",
        "subject": "1.2.3",
        "destination": "CENTRE",
        "class": "routine",
        "state": state,
        "idempotency_key": f"{state} {number}",
        "created_at": tier.rows.now_ms,
        "not_before": tier.rows.now_ms,
    }
    with tier.rows.index.writing() as conn:
        conn.execute(insert(tables.job).values(row))


def test_every_route_of_both_tiers_has_a_rule(tier: Tier) -> None:
    assert unruled(node_app(tier)) == []
    assert unruled(central_app(tier)) == []


def test_a_node_says_in_plain_words_what_it_holds_and_what_waits(tier: Tier) -> None:
    fill(tier)
    job(tier, "SCHEDULED", 1)
    job(tier, "COMPLETED", 1)
    job(tier, "COMPLETED", 2)
    tier.rows.clock.advance(75)
    heard_ms = tier.rows.now_ms - 3_000
    page = read(node_app(tier, centre_heard=lambda: heard_ms))
    assert "Kept here: 2 studies with 3 images and other objects." in page.text
    assert "2 studies are complete here and not yet confirmed by the central store." in page.text
    assert "The oldest unfinished job was made 1 min 15 s ago." in page.text
    assert "The central store was last heard 3 s ago." in page.text
    assert "Scheduled 1 waiting, or to be tried again" in page.text
    assert "Completed 2 done" in page.text
    assert "Registered 3 new, and kept" in page.text
    assert "Signed in as radiologist.RXA , RXA (radiologist)" in page.text


def test_a_trusts_user_sees_the_studies_as_the_trust_finds_them(tier: Tier) -> None:
    fill(tier)
    own = read(node_app(tier)).text
    assert "5 Jan 2024 CT thorax CT Doe, Archibald 1234 RXA own 2 here" in own
    assert "No description CT Müller, Ève 777 RXA own 1 here" in own
    theirs = read(central_app(tier), by="radiologist.RXB").text
    assert "CT thorax CT Doe, Archie B-9 RXB from RXA 2 here" in theirs
    assert "777 RXA no local number from RXA 1 here" in theirs


def test_an_operator_sees_counts_and_no_patient(tier: Tier) -> None:
    fill(tier)
    for app in (node_app(tier), central_app(tier)):
        page = read(app, by="operator")
        assert "shows no patients to operators." in page.text
        for told in ("Doe", "Müller", "1234", "777", "B-9", "CT thorax"):
            assert told not in page.html


def test_the_centre_says_when_each_node_was_last_heard_and_calls_the_silent_silent(
    tier: Tier,
) -> None:
    now_ms = tier.rows.now_ms
    with tier.rows.index.writing() as conn:
        for name, heard in (("RXA", now_ms - 5_000), ("RXB", now_ms - 3_600_000)):
            node = tables.node.c
            conn.execute(update(tables.node).where(node.name == name).values(last_heard_at=heard))
    text = read(central_app(tier)).text
    assert "RXA RXA 5 s ago" in text
    assert "RXB RXB silent for 1 h" in text
    assert "RXC RXC never" in text


def test_what_a_person_must_look_at_stands_apart(tier: Tier) -> None:
    assert "Nothing needs a person." in read(node_app(tier)).text
    with tier.rows.index.writing() as conn:
        data_quality(
            conn,
            organisation="RXA",
            code="X",
            sentence="odd",
            subject="1.2",
            at_ms=tier.rows.now_ms,
        )
    job(tier, "FAILED", 1)
    text = read(node_app(tier)).text
    assert "Nothing needs a person." not in text
    assert "Findings: 1 in messages and objects, each with its reason" in text
    assert "Failed jobs: 1 given up after every attempt" in text


def test_an_empty_tier_says_so_in_words(tier: Tier) -> None:
    node = read(node_app(tier, centre_heard=lambda: None)).text
    assert "Kept here: 0 studies with 0 images and other objects." in node
    assert "Nothing waits to be done." in node
    assert "has not been heard yet; this node goes on by itself" in node
    assert "RXA finds no study here yet." in node
    assert "No job was ever made." in node
    centre = read(central_app(tier)).text
    assert "No order was ever given." in centre
    assert "No study has come yet." in centre


def test_a_page_renews_itself_unless_it_is_held_still(tier: Tier) -> None:
    app = node_app(tier)
    refreshing = [{"http-equiv": "refresh", "content": "10"}]
    is_refresh = [meta for meta in read(app).all("meta") if "http-equiv" in meta]
    assert is_refresh == refreshing
    assert not [meta for meta in read(app, "/?still").all("meta") if "http-equiv" in meta]


def test_a_page_is_whole_needs_no_script_and_nothing_from_elsewhere(tier: Tier) -> None:
    fill(tier)
    for app in (node_app(tier), central_app(tier)):
        page = read(app)
        assert (page.unbalanced, page.open) == ([], [])
        assert page.all("script") == []
        addresses = [
            value
            for _, attributes in page.elements
            for name, value in attributes.items()
            if name in ("href", "src", "action")
        ]
        assert all(address and address[0] in "/#" for address in addresses), addresses


def test_a_page_can_be_read_by_its_landmarks_headings_and_table_headers(tier: Tier) -> None:
    fill(tier)
    page = read(central_app(tier))
    for landmark in ("header", "main", "footer"):
        assert len(page.all(landmark)) == 1
    assert len(page.all("h1")) == 1
    assert page.all("html")[0]["lang"] == "en"
    assert all("scope" in header for header in page.all("th"))
    assert len(page.all("caption")) == len(page.all("table"))
    ids = {attributes["id"] for _, attributes in page.elements if "id" in attributes}
    named = [section["aria-labelledby"] for section in page.all("section")]
    assert named
    assert set(named) <= ids


def test_names_that_look_like_markup_stay_names(tier: Tier) -> None:
    tier.store(ct("1.2.3.1.1", PatientName="<b>Doe</b>^&", StudyDescription="<script>x</script>"))
    page = read(node_app(tier))
    assert page.all("script") == []
    assert "&lt;script&gt;x&lt;/script&gt;" in page.html
