"""What waits for a person is listed and ended on the command line."""

from sqlalchemy import insert

from archive.errors import NotFound, StateMoved
from archive.index import tables
from archive.index.journal import data_quality
from tests.operators.conftest import Imagestore, RegionDirectory

MARCH = 1_772_366_405_000


def find(region: RegionDirectory, tier: str, code: str, subject: str, at_ms: int = MARCH) -> None:
    with region.tiers[tier].writing() as conn:
        data_quality(
            conn,
            organisation="RXA",
            code=code,
            sentence="Something is odd.",
            subject=subject,
            at_ms=at_ms,
        )


def hold(region: RegionDirectory) -> None:
    with region.tiers["RXA"].writing() as conn:
        conn.execute(
            insert(tables.held).values(
                at=MARCH + 1_000,
                reason="TRUNCATED",
                sentence="It ends too early.",
                calling_ae="CT1\x1b[2J",
                command_sop_instance_uid="1.2.9",
                sha256=bytes(32),
                size=7,
            )
        )


def test_findings_and_held_objects_of_every_tier_are_listed_newest_first(
    region: RegionDirectory, imagestore: Imagestore
) -> None:
    find(region, "RXA", "ODD", "1.2.3")
    find(region, "CENTRE", "ODDER", "1.2.4")
    hold(region)
    told = imagestore("findings")
    assert told.exit_code == 0, told.output
    odder, torn, odd = told.output.splitlines()
    assert odd.split() == ("2026-03-01 12:00:05Z RXA 1 ODD Something is odd. 1.2.3".split())
    assert odder.split()[2:5] == ["CENTRE", "1", "ODDER"]
    assert torn.split()[2:5] == ["RXA", "held-1", "TRUNCATED"]
    assert f"It ends too early.  held/{'00' * 32}, from CT1?[2J as 1.2.9, 7 octets" in torn
    assert imagestore("findings", "--limit", "1", "--tier", "RXA").output.splitlines() == [torn]


def test_what_is_resolved_is_listed_with_all_and_no_more_without(
    region: RegionDirectory, imagestore: Imagestore
) -> None:
    find(region, "RXA", "ODD", "1.2.3")
    hold(region)
    assert imagestore("findings", "resolve", "1").exit_code == 2
    for key in ("1", "held-1"):
        told = imagestore("findings", "resolve", key, "--tier", "RXA")
        assert told.output == f"{key} at RXA is resolved\n"
    assert imagestore("findings").output == ""
    listed = imagestore("findings", "--all").output.splitlines()
    assert [line.endswith("(resolved)") for line in listed] == [True, True]
    again = imagestore("findings", "resolve", "1", "--tier", "RXA")
    assert isinstance(again.exception, StateMoved)
    nothing = imagestore("findings", "resolve", "9", "--tier", "RXA")
    assert isinstance(nothing.exception, NotFound)
