"""Who is shown what waits for a person, and how it is told."""

from sqlalchemy import insert

from archive.index import tables
from archive.index.journal import data_quality
from archive.states import StudyState
from tests.dicomweb.objects import ct
from tests.dicomweb.tier import Tier
from tests.pages.test_home import read
from tests.pages.tiers import central_app, node_app


def find(tier: Tier, number: int, organisation: str = "RXA") -> None:
    with tier.rows.index.writing() as conn:
        data_quality(
            conn,
            organisation=organisation,
            code=f"CODE_{number}",
            sentence=f"Oddity <{number}>.",
            subject=f"1.2.{number}",
            at_ms=tier.rows.now_ms,
        )


def hold(tier: Tier) -> None:
    with tier.rows.index.writing() as conn:
        conn.execute(
            insert(tables.held).values(
                at=tier.rows.now_ms,
                reason="TRUNCATED",
                sentence="It ends too early.",
                calling_ae="CT1",
                command_sop_class_uid="1.2.840",
                command_sop_instance_uid="1.2.9",
                sha256=bytes(32),
                size=1_500,
            )
        )


def hold_back(tier: Tier, study: str) -> None:
    """Let all packs of a study be such as a conflict keeps in the trust."""
    with tier.rows.index.writing() as conn:
        key = conn.execute(
            tables.study.select().where(tables.study.c.study_instance_uid == study)
        ).one()
        assert key.state == StudyState.STABLE
        packs = tables.pack.update().where(tables.pack.c.study_key == key.study_key)
        conn.execute(packs.values(withheld=True))


def test_an_operator_is_shown_the_newest_findings_and_every_held_object(tier: Tier) -> None:
    for number in range(1, 23):
        find(tier, number)
    hold(tier)
    for app in (node_app(tier), central_app(tier)):
        page = read(app, by="operator")
        assert "22 CODE_22 Oddity <22>. 1.2.22 1 Mar 2026 12:00:00 UTC" in page.text
        assert "CODE_3 " in page.text
        assert "CODE_2 " not in page.text
        assert (
            "held-1 TRUNCATED It ends too early. CT1 1.2.840 1.2.9 1.5 kB 1 Mar 2026 12:00:00 UTC"
            in page.text
        )
        assert (page.unbalanced, page.open) == ([], [])
        assert all("scope" in header for header in page.all("th"))
        assert len(page.all("caption")) == len(page.all("table"))
        ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
        assert len(ids) == len(set(ids))
        assert {region["aria-labelledby"] for region in page.all("div") if "role" in region} <= set(
            ids
        )


def test_a_trusts_user_is_shown_what_was_found_in_its_name_at_its_own_node_alone(
    tier: Tier,
) -> None:
    find(tier, 1)
    find(tier, 2, organisation="RXB")
    hold(tier)
    own = read(node_app(tier)).text
    assert "CODE_1" in own
    assert "CODE_2" not in own
    assert "held-1" not in own
    for app, by in ((node_app(tier), "radiologist.RXB"), (central_app(tier), "radiologist.RXA")):
        assert "CODE_" not in read(app, by=by).text


def test_a_study_that_is_held_back_is_not_told_as_if_it_were_on_its_way(tier: Tier) -> None:
    tier.store(ct("1.2.3.1.1"), ct("1.2.4.1.1", study="1.2.4", series="1.2.4.1"))
    hold_back(tier, "1.2.4")
    text = read(node_app(tier, centre_heard=lambda: None)).text
    assert "1 study is complete here and not yet confirmed by the central store." in text
    assert "1 study is held back for a person" in text
    assert "Packs held back: 1 they do not leave until a person decides" in text
    hold_back(tier, "1.2.3")
    text = read(node_app(tier, centre_heard=lambda: None)).text
    assert "not yet confirmed" not in text
    assert "2 studies are held back for a person" in text
    assert "Everything that may leave is confirmed by the central store." in text
    assert "held back for a person" not in read(node_app(tier)).text
