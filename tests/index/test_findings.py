"""What waits for a person is listed, newest first, and ends when somebody has seen to it."""

import json

import pytest
from sqlalchemy import insert

from archive.errors import NotFound, StateMoved
from archive.index import tables
from archive.index.counts import count
from archive.index.findings import findings, held_objects, settle, settle_by_rule
from archive.index.journal import chain_is_whole, data_quality, entries
from tests.index.builders import Rows

TORN = bytes(range(32))


def find(rows: Rows, code: str, subject: str, organisation: str = "RXA") -> None:
    with rows.index.writing() as conn:
        data_quality(
            conn,
            organisation=organisation,
            code=code,
            sentence="Something is odd.",
            subject=subject,
            at_ms=rows.now_ms,
        )


def hold(rows: Rows, calling_ae: str = "CT1") -> None:
    says = {"reason": "TRUNCATED", "sha256": TORN, "size": 7, "calling_ae": calling_ae}
    with rows.index.writing() as conn:
        conn.execute(insert(tables.held).values(at=rows.now_ms, **says))
    find(rows, "TRUNCATED", f"held/{TORN.hex()}")


def done(rows: Rows, key: str) -> None:
    with rows.index.writing() as conn:
        settle(conn, key, actor="operator", at_ms=rows.now_ms)


def open_codes(rows: Rows, organisation: str | None = None) -> list[str]:
    with rows.index.reading() as conn:
        return [each.code for each in findings(conn, limit=9, organisation=organisation)]


def test_the_newest_finding_comes_first_and_an_organisation_sees_its_own(rows: Rows) -> None:
    find(rows, "ONE", "1.2.3")
    find(rows, "TWO", "1.2.4", organisation="RXB")
    find(rows, "THREE", "1.2.5")
    assert open_codes(rows) == ["THREE", "TWO", "ONE"]
    assert open_codes(rows, "RXA") == ["THREE", "ONE"]
    assert open_codes(rows, "NOBODY") == []
    with rows.index.reading() as conn:
        assert [each.code for each in findings(conn, limit=1)] == ["THREE"]


def test_what_a_person_has_seen_to_is_open_no_more_and_the_journal_says_who_and_what(
    rows: Rows,
) -> None:
    find(rows, "ONE", "1.2.3")
    with rows.index.reading() as conn:
        (one,) = findings(conn, limit=9)

    done(rows, one.key)

    assert open_codes(rows) == []
    with rows.index.reading() as conn:
        assert count(conn).data_quality == 0
        assert [each.settled_ms for each in findings(conn, limit=9, settled=True)] == [rows.now_ms]
        (entry,) = entries(conn, kind="audit", organisation="RXA")
        assert chain_is_whole(conn, kind="audit", organisation="RXA")
    assert json.loads(entry.body) == {
        "actor": "operator",
        "did": "resolved",
        "code": "ONE",
        "subject": "1.2.3",
    }


def test_what_is_settled_is_not_settled_again_and_what_is_not_there_not_at_all(rows: Rows) -> None:
    find(rows, "ONE", "1.2.3")
    done(rows, "1")
    with pytest.raises(StateMoved, match="settled already"):
        done(rows, "1")
    for nothing in ("2", "held-1", "x", "", "²", "9" * 30):
        with pytest.raises(NotFound):
            done(rows, nothing)


def test_a_held_object_takes_its_finding_along_when_no_other_row_is_open_for_it(
    rows: Rows,
) -> None:
    hold(rows)
    hold(rows, calling_ae="CT2")
    with rows.index.reading() as conn:
        second, first = held_objects(conn, limit=9)
    assert (first.calling_ae, second.calling_ae, first.sha256) == ("CT1", "CT2", TORN)

    done(rows, first.key)
    assert open_codes(rows) == ["TRUNCATED", "TRUNCATED"]
    done(rows, second.key)

    assert open_codes(rows) == []
    with rows.index.reading() as conn:
        assert held_objects(conn, limit=9) == ()
        assert len(held_objects(conn, limit=9, settled=True)) == 2


def test_a_rule_settles_what_it_answers_about_its_subject_and_nothing_else(rows: Rows) -> None:
    for code, subject in (
        ("ID_A", "p:1:2"),
        ("ID_B", "p:1:2"),
        ("ID_A", "p:1:3"),
        ("IDX", "p:1:2"),
    ):
        find(rows, code, subject, organisation="")
    with rows.index.writing() as conn:
        assert settle_by_rule(conn, codes="ID_", subject="p:1:2", at_ms=rows.now_ms) == 2
        assert settle_by_rule(conn, codes="ID_", subject="p:1:2", at_ms=rows.now_ms) == 0
    assert open_codes(rows) == ["IDX", "ID_A"]
    with rows.index.reading() as conn:
        actors = [json.loads(e.body)["actor"] for e in entries(conn, kind="audit", organisation="")]
    assert actors == ["rule", "rule"]
