"""Records arrive: edges, components, and that the order of arrival decides nothing."""

from hypothesis import given
from hypothesis import strategies as st

from archive.states import LinkState
from archive.words.identity import Issuer
from central_store.patients.components import (
    Breach,
    ComponentRule,
    Edge,
    EdgeKind,
    Member,
    Standing,
    admit,
)
from central_store.patients.demographics import Demographics
from central_store.patients.linking import EdgeDecision, link_all
from central_store.patients.rules import Outcome, Row, judge
from tests.patients.records import ONE, RXA, RXB, RXC, RXD, TWO, at, members
from tests.patients.region import SmallRegion

# --- what an edge may not do ----------------------------------------------------------------


def manual(a: Demographics, b: Demographics) -> Edge:
    return Edge(a.identity, b.identity, EdgeKind.MANUAL)


def rules_of(breaches: tuple[Breach, ...]) -> set[ComponentRule]:
    return {breach.rule for breach in breaches}


def test_an_edge_may_not_bring_two_verified_numbers_together() -> None:
    a, b, c = at(RXA), at(RXB), at(RXC, number=TWO)
    admission = admit(manual(b, c), members(a, b), members(c))
    assert rules_of(admission.breaches) == {ComponentRule.ONE_VERIFIED_NUMBER}
    assert admission.component_a == (a.identity, b.identity)
    assert admission.component_b == (c.identity,)


def test_a_second_number_that_is_not_verified_may_join() -> None:
    a, c = at(RXA), at(RXC, number=TWO, status="02")
    assert admit(manual(a, c), members(a), members(c)).admitted


def test_a_superseded_number_may_join() -> None:
    a, c = at(RXA), at(RXC, number=TWO)
    edge = Edge(a.identity, c.identity, EdgeKind.PDS_SUPERSEDED)
    assert not admit(edge, members(a), members(c)).admitted
    assert admit(edge, [Member(a, number_superseded=True)], members(c)).admitted


def test_an_edge_may_not_bring_two_live_records_of_one_authority_together() -> None:
    a, b, c = at(RXA, "1"), at(RXB), at(RXA, "2")
    admission = admit(manual(b, c), members(a, b), members(c))
    assert rules_of(admission.breaches) == {ComponentRule.ONE_LIVE_RECORD_PER_AUTHORITY}


def test_a_merged_or_withdrawn_record_is_not_live() -> None:
    a, b, c = at(RXA, "1"), at(RXB), at(RXA, "2")
    for standing in (Standing.ALIAS, Standing.INACTIVE):
        assert admit(manual(b, c), members(a, b), [Member(c, standing)]).admitted


def test_two_authorities_of_one_organisation_may_both_know_a_person() -> None:
    a, b = at(Issuer("RXA", "EAST"), "7"), at(Issuer("RXA", "WEST"), "7")
    assert admit(Edge(a.identity, b.identity), members(a), members(b)).admitted


def test_a_chain_does_not_join_by_rule_what_the_table_quarantines() -> None:
    john, jay, james = at(RXA, given="John"), at(RXB, given="J"), at(RXC, given="James")
    by_rule = admit(Edge(jay.identity, james.identity), members(john, jay), members(james))
    assert rules_of(by_rule.breaches) == {ComponentRule.NO_CONTRADICTION}
    assert admit(manual(jay, james), members(john, jay), members(james)).admitted


# --- a record arrives -----------------------------------------------------------------------


def decide(new: Demographics, *held: Demographics) -> list[EdgeDecision]:
    return link_all(Member(new), members(*held), {})


def states(decisions: list[EdgeDecision]) -> list[LinkState | None]:
    return [decision.state for decision in decisions]


def test_an_arrival_is_linked_to_every_record_that_agrees() -> None:
    decisions = decide(at(RXC), at(RXB), at(RXA))
    assert states(decisions) == [LinkState.CONFIRMED] * 2
    assert [decision.b.issuer for decision in decisions] == [RXA, RXB]
    assert all(decision.judgement.row is Row.VERIFIED for decision in decisions)


def test_an_arrival_itself_and_its_authoritys_others_are_not_linked() -> None:
    decisions = decide(at(RXA, "1"), at(RXA, "1"), at(RXA, "2"))
    assert states(decisions) == [None]
    assert decisions[0].judgement.outcome is Outcome.FLAG_DUPLICATE


def test_what_is_only_a_suggestion_writes_no_edge() -> None:
    decisions = decide(at(RXA), at(RXB, birth_date=""))
    assert states(decisions) == [None]
    assert decisions[0].judgement.row is Row.BIRTH_DATE_MISSING


def test_each_state_of_an_edge_is_decided() -> None:
    decisions = decide(at(RXA), at(RXB, status="02"), at(RXC, birth_date="19500101"), at(RXD))
    assert states(decisions) == [
        LinkState.PROVISIONAL,
        LinkState.QUARANTINED,
        LinkState.CONFIRMED,
    ]


def test_where_one_trust_has_the_person_twice_neither_is_picked() -> None:
    decisions = decide(at(RXB), at(RXA, "1"), at(RXA, "2"))
    assert states(decisions) == [LinkState.QUARANTINED] * 2
    for decision in decisions:
        assert decision.admission is not None
        assert rules_of(decision.admission.breaches) == {
            ComponentRule.ONE_LIVE_RECORD_PER_AUTHORITY
        }


def test_a_second_record_of_a_linked_trust_does_not_unlink_the_first() -> None:
    region = SmallRegion()
    region.arrive(at(RXA, "1"))
    region.arrive(at(RXB))
    region.arrive(at(RXA, "2"))
    assert region.confirmed == {frozenset((at(RXA, "1").identity, at(RXB).identity))}


def test_an_alias_is_passed_over_and_its_old_mistakes_stand_against_nobody() -> None:
    survivor, alias = at(RXA, "1"), Member(at(RXA, "2", birth_date="19500101"), Standing.ALIAS)
    person = (Member(survivor), alias)
    components = {survivor.identity: person, alias.identity: person}
    decisions = link_all(Member(at(RXB)), person, components)
    assert [(d.b, d.state) for d in decisions] == [(survivor.identity, LinkState.CONFIRMED)]
    assert link_all(alias, members(at(RXB)), components) == []


def test_the_story_of_the_region_links_two_trusts_and_no_third() -> None:
    region = SmallRegion()
    region.arrive(at(RXA, "77654033"))
    region.arrive(at(RXC, "5", number=TWO, family="Jones", given="Peter", sex="M"))
    region.arrive(at(RXB, "B-1"))
    assert region.confirmed == {frozenset((at(RXA, "77654033").identity, at(RXB, "B-1").identity))}


def test_one_mrn_of_two_authorities_never_mixes_two_people() -> None:
    east, west = Issuer("RXA", "EAST"), Issuer("RXA", "WEST")
    region = SmallRegion()
    region.arrive(at(east, "1001"))
    region.arrive(at(west, "1001", number=TWO, family="Jones", given="Peter", sex="M"))
    region.arrive(at(RXB, "9"))
    assert region.confirmed == {frozenset((at(east, "1001").identity, at(RXB, "9").identity))}


# --- the order of arrival -------------------------------------------------------------------

issuers = st.sampled_from([RXA, RXB, RXC, RXD])
records = st.builds(
    lambda issuer, mrn, words: at(issuer, mrn, **words),
    issuers,
    st.sampled_from(["1", "1", "1", "2"]),
    st.fixed_dictionaries(
        {},
        optional={
            "given": st.sampled_from(["E", "Emma", "Ella", "Em"]),
            "family": st.sampled_from(["Smyth", "Patel", "Smith-Patel"]),
            "birth_date": st.sampled_from(["19700413", "19701204", "1970", "19500101"]),
            "status": st.sampled_from(["01", "01", "02", "05", "06"]),
            "number": st.sampled_from([ONE, ONE, TWO, None]),
            "sex": st.sampled_from(["F", "M", ""]),
        },
    ),
)
arrivals = st.lists(records, min_size=2, max_size=6, unique_by=lambda record: record.identity)


def after(order: list[Demographics]) -> SmallRegion:
    region = SmallRegion()
    for record in order:
        region.arrive(record)
    return region


@given(arrivals.flatmap(lambda held: st.tuples(st.just(held), st.permutations(held))))
def test_the_order_of_arrival_does_not_change_who_is_who(
    orders: tuple[list[Demographics], list[Demographics]],
) -> None:
    one, other = map(after, orders)
    if not one.had_a_breach and not other.had_a_breach:
        assert one.confirmed == other.confirmed


@given(arrivals)
def test_in_no_order_does_a_component_break_its_rules(held: list[Demographics]) -> None:
    region = after(held)
    for record in held:
        person = region.person(record.identity)
        live = [member.identity.issuer for member in person]
        verified = {m.record.nhs_number for m in person if m.record.nhs_status == "01"}
        assert len(live) == len(set(live))
        assert len(verified - {None}) <= 1
        assert not any(
            judge(a.record, b.record).outcome is Outcome.QUARANTINED for a in person for b in person
        )


@given(records, records)
def test_judging_has_no_direction(a: Demographics, b: Demographics) -> None:
    assert judge(a, b) == judge(b, a)


@given(arrivals, st.data())
def test_the_order_of_candidates_does_not_matter(
    held: list[Demographics], data: st.DataObject
) -> None:
    new, *others = held
    shuffled = data.draw(st.permutations(others))
    assert link_all(Member(new), members(*others), {}) == link_all(
        Member(new), members(*shuffled), {}
    )
