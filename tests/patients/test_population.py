"""No false link among a hundred thousand pairs and triples of people made to be confused."""

from itertools import combinations
from math import comb

import pytest

from archive.states import LinkState
from central_store.patients import comparison
from central_store.patients.comparison import BirthDates, compare_birth_dates
from central_store.patients.linking import EdgeDecision
from central_store.patients.rules import Outcome, judge
from tests.patients.population import Population, Written
from tests.patients.region import SmallRegion

LINKS = {Outcome.CONFIRMED, Outcome.CONFIRMED_NOTED}


def confusable_pairs(seed: int, households: int) -> list[tuple[Written, Written]]:
    return [
        pair
        for records in Population(seed).households(households)
        for pair in combinations(records, 2)
    ]


def test_no_pair_of_two_people_is_ever_confirmed() -> None:
    pairs = confusable_pairs(seed=20240607, households=6700)
    linked = [(a, b) for a, b in pairs if judge(a.record, b.record).outcome in LINKS]
    false_links = [(a.record.name.pn, b.record.name.pn) for a, b in linked if a.person != b.person]
    assert len(pairs) >= 100_000
    assert false_links == []
    same = sum(a.person == b.person for a, b in pairs)
    assert len(linked) > same * 0.3  # the rules do link: mistakes are frequent here


def test_no_chain_joins_two_people() -> None:
    triples = 0
    for records in Population(77).households(1500):
        region = SmallRegion()
        for written in records:
            region.arrive(written.record)
        whose = {written.record.identity: written.person.key for written in records}
        for written in records:
            person = region.person(written.record.identity)
            assert {whose[member.identity] for member in person} == {written.person.key}
        triples += comb(len(records), 3)
    assert triples >= 30_000


def test_every_decision_says_what_it_rests_on() -> None:
    region = SmallRegion()
    decided: list[EdgeDecision] = []
    for records in Population(5).households(50):
        decided += [decision for written in records for decision in region.arrive(written.record)]
    assert any(decision.state is LinkState.CONFIRMED for decision in decided)
    assert all(decision.judgement.reason.endswith((".", "?")) for decision in decided)


def test_the_corpus_would_find_a_table_that_takes_near_dates_for_equal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def lenient(a: str, b: str) -> BirthDates:
        told = compare_birth_dates(a, b)
        return BirthDates.EQUAL if told is BirthDates.NEAR else told

    monkeypatch.setattr(comparison, "compare_birth_dates", lenient)
    pairs = confusable_pairs(seed=20240607, households=500)
    assert any(
        a.person != b.person and judge(a.record, b.record).outcome in LINKS for a, b in pairs
    )
