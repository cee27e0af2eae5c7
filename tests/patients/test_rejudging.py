"""A record changes: edges follow, and nothing that somebody answers for is revoked."""

from dataclasses import replace
from typing import Unpack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive.states import LinkState
from central_store.patients.components import ComponentRule, Edge, EdgeKind, Member, Standing
from central_store.patients.demographics import Demographics
from central_store.patients.rejudging import EdgeChange, rejudge
from central_store.patients.rules import Outcome, Row, judge
from tests.patients.records import RXA, RXB, RXC, TWO, Changes, at, changed, members

CONFIRMED, PROVISIONAL = LinkState.CONFIRMED, LinkState.PROVISIONAL
QUARANTINED, REVOKED = LinkState.QUARANTINED, LinkState.REVOKED


def edge(
    a: Demographics,
    b: Demographics,
    state: LinkState = CONFIRMED,
    kind: EdgeKind = EdgeKind.AUTO_NHS,
) -> Edge:
    return Edge(a.identity, b.identity, kind, state)


def change(
    record: Demographics, others: list[Demographics], edges: list[Edge], **words: Unpack[Changes]
) -> list[EdgeChange]:
    after = changed(record, **words)
    return rejudge(Member(record), Member(after), edges, members(record, *others))


def one(changes: list[EdgeChange]) -> EdgeChange:
    (only,) = changes
    return only


A, B, C = at(RXA), at(RXB), at(RXC)


@pytest.mark.parametrize(
    ("words", "state"),
    [
        ({"birth_date": "19500101"}, QUARANTINED),
        ({"given": "Anna"}, QUARANTINED),
        ({"status": "05"}, QUARANTINED),
        ({"number": TWO}, QUARANTINED),
        ({"number": None}, QUARANTINED),
        ({"birth_date": ""}, QUARANTINED),
        ({"family": "UNKNOWN"}, QUARANTINED),
        ({"birth_date": "19700413"}, PROVISIONAL),
        ({"status": "02"}, PROVISIONAL),
        ({"status": "06"}, PROVISIONAL),
    ],
)
def test_a_confirmed_edge_goes_down_when_its_grounds_do(words: Changes, state: LinkState) -> None:
    moved = one(change(A, [B], [edge(A, B)], **words))
    assert (moved.edge, moved.state) == (edge(A, B), state)
    assert moved.note


@pytest.mark.parametrize("words", [{"postcode": "LS9 7TF"}, {"family": "Patel"}, {"given": "E"}])
def test_a_change_that_keeps_the_grounds_moves_nothing(words: Changes) -> None:
    assert change(A, [B], [edge(A, B)], **words) == []


@pytest.mark.parametrize("state", [PROVISIONAL, QUARANTINED])
def test_an_edge_by_rule_goes_up_when_the_table_confirms(state: LinkState) -> None:
    before = changed(A, birth_date="19500101", status="06")
    moved = one(change(before, [B], [edge(A, B, state)], birth_date="19700412", status="01"))
    assert (moved.state, moved.judgement.row) == (CONFIRMED, Row.VERIFIED)


def test_an_edge_that_a_person_holds_is_lowered_but_not_raised() -> None:
    held = replace(edge(A, B, QUARANTINED), held_by_person=True)
    assert change(changed(A, birth_date=""), [B], [held], birth_date="19700412") == []
    moved = one(change(A, [B], [replace(held, state=CONFIRMED)], birth_date="19500101"))
    assert moved.state is QUARANTINED


def test_nothing_moves_a_revoked_edge() -> None:
    assert change(A, [B], [edge(A, B, REVOKED)], birth_date="19500101") == []
    assert (
        change(changed(A, birth_date=""), [B], [edge(A, B, REVOKED)], birth_date="19700412") == []
    )


@pytest.mark.parametrize("kind", [EdgeKind.MANUAL, EdgeKind.A24, EdgeKind.PIX])
def test_an_edge_that_somebody_answers_for_is_quarantined_by_a_new_conflict_only(
    kind: EdgeKind,
) -> None:
    asserted = edge(A, B, kind=kind)
    assert change(A, [B], [asserted], number=None) == []
    assert change(A, [B], [asserted], birth_date="") == []
    moved = one(change(A, [B], [asserted], birth_date="19500101"))
    assert moved.state is QUARANTINED
    assert moved.note.startswith("Somebody answers for this link")
    linked_in_spite = changed(A, birth_date="19500101")
    assert change(linked_in_spite, [B], [asserted], postcode="LS9 7TF") == []


def test_an_asserted_edge_is_never_raised() -> None:
    asserted = edge(A, B, QUARANTINED, EdgeKind.MANUAL)
    assert change(changed(A, birth_date="19500101"), [B], [asserted], birth_date="19700412") == []


def test_a_new_verified_number_quarantines_the_chain_that_would_hold_two() -> None:
    a, b, c = at(RXA, number=None), at(RXB, status="02"), at(RXC)
    edges = [edge(a, b, kind=EdgeKind.MANUAL), edge(b, c, kind=EdgeKind.MANUAL)]
    moved = one(change(a, [b, c], edges, number=TWO, status="01"))
    assert (moved.edge, moved.state) == (edges[0], QUARANTINED)
    assert moved.admission is not None
    assert [breach.rule for breach in moved.admission.breaches] == [
        ComponentRule.ONE_VERIFIED_NUMBER
    ]
    assert moved.admission.component_b == (b.identity, c.identity)


def test_a_merge_that_is_taken_back_quarantines_what_it_had_allowed() -> None:
    a, b, old = at(RXA, "1"), at(RXB), at(RXA, "2")
    edges = [edge(a, b), edge(old, b)]
    before, after = Member(old, Standing.ALIAS), Member(old)
    moved = one(rejudge(before, after, edges, members(a, b)))
    assert (moved.edge, moved.state) == (edges[1], QUARANTINED)


def test_every_edge_of_the_record_is_judged() -> None:
    edges = [edge(A, B), edge(A, C), edge(B, C)]
    changes = change(A, [B, C], edges, birth_date="19500101")
    assert [(moved.edge, moved.state) for moved in changes] == [
        (edges[0], QUARANTINED),
        (edges[1], QUARANTINED),
    ]


def test_an_edge_elsewhere_is_confirmed_when_what_stood_against_it_has_gone() -> None:
    john, jay, other = at(RXA, given="John"), at(RXB, given="J"), at(RXC, given="James")
    edges = [edge(john, jay), edge(jay, other, QUARANTINED), edge(john, other, QUARANTINED)]
    changes = change(john, [jay, other], edges, given="James")
    assert {moved.edge for moved in changes} == set(edges[1:])
    assert {moved.state for moved in changes} == {CONFIRMED}


words = st.fixed_dictionaries(
    {},
    optional={
        "given": st.sampled_from(["E", "Emma", "Ella"]),
        "birth_date": st.sampled_from(["19700412", "19700413", "1970", "19500101"]),
        "status": st.sampled_from(["01", "02", "06"]),
    },
)


@given(words, words)
def test_a_changed_record_ends_where_a_new_one_would(before: Changes, after: Changes) -> None:
    """For pairs that the table links: what was sent first and then corrected leaves no trace."""
    a = changed(A, **before)
    wanted = judge(changed(a, **after), B).outcome
    moved = change(a, [B], [edge(a, B, QUARANTINED)], **after)
    if wanted in {Outcome.CONFIRMED, Outcome.CONFIRMED_NOTED}:
        assert one(moved).state is CONFIRMED
    elif wanted is Outcome.PROVISIONAL:
        assert one(moved).state is PROVISIONAL
    else:
        assert moved == []


@given(words, words)
def test_a_note_names_nobody(before: Changes, after: Changes) -> None:
    for moved in change(changed(A, **before), [B], [edge(A, B)], **after):
        assert not {"smith", "emma", "ella"} & set(moved.note.lower().split())
