"""The decision table: every row, and the traps around it."""

from dataclasses import asdict, replace

import pytest

from archive.words.person_names import PersonName
from central_store.patients.rules import TABLE, Outcome, Row, judge
from tests.patients.pairs import CASES, Case
from tests.patients.records import ONE, RXA, RXB, TWO, at


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_the_table_decides(case: Case) -> None:
    _, here, there, outcome, row = case
    a, b = at(RXA, **here), at(RXB, **there)
    assert (judge(a, b).outcome, judge(a, b).row) == (outcome, row)
    assert judge(a, b) == judge(b, a)


def test_every_row_but_the_authorities_own_is_in_the_labelled_table() -> None:
    own = {Row.ONE_RECORD, Row.SAME_AUTHORITY, Row.SAME_AUTHORITY_DUPLICATE}
    assert {case[4] for case in CASES.values()} == set(Row) - own
    assert [rule.row for rule in TABLE] == list(Row)


def test_two_records_of_one_authority_are_never_linked() -> None:
    judgement = judge(at(RXA, "1"), at(RXA, "2"))
    assert (judgement.outcome, judgement.row) == (
        Outcome.FLAG_DUPLICATE,
        Row.SAME_AUTHORITY_DUPLICATE,
    )
    other = judge(at(RXA, "1"), at(RXA, "2", number=TWO))
    assert (other.outcome, other.row) == (Outcome.NO_LINK, Row.SAME_AUTHORITY)


def test_a_record_is_not_linked_to_itself() -> None:
    assert judge(at(RXA), at(RXA)).row is Row.ONE_RECORD


def test_one_mrn_under_two_authorities_is_two_records() -> None:
    a, b = at(RXA, "77", number=None, given="Anna"), at(RXB, "77", number=None)
    assert judge(a, b).outcome is Outcome.NO_LINK


def test_ideographic_names_are_compared_where_nothing_else_was_sent() -> None:
    name = PersonName.from_pn("=山田^太郎")
    a, b = (replace(at(issuer), name=name) for issuer in (RXA, RXB))
    assert judge(a, b).row is Row.VERIFIED
    assert judge(a, at(RXB)).outcome is Outcome.SUGGESTION


def test_evidence_and_reason_hold_nothing_personal() -> None:
    judgement = judge(at(RXA), at(RXB, given="Anna"))
    told = f"{asdict(judgement.evidence)} {judgement.reason} {judgement!r}".lower()
    for secret in ("smith", "emma", "anna", "19700412", ONE.digits, "ls1"):
        assert secret not in told


def test_a_record_is_hidden_in_its_repr() -> None:
    assert "Smith" not in repr(at(RXA))
    assert ONE.digits not in repr(at(RXA))
