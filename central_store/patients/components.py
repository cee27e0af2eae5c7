"""Persons as components of confirmed edges, and the rules that keep chains honest.

A component holds at most one verified NHS number (superseded ones apart) and at most one live
record of each assigning authority (merged ones apart), and no rule joins two records that the
table would quarantine. So a chain cannot join what no pair would. Where two edges exclude each
other, nothing says which is right: neither is confirmed.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import product
from typing import TypeAlias

from archive.states import LinkState
from archive.words.identity import PatientIdentity
from archive.words.nhs import NhsStatus
from central_store.patients.demographics import Demographics
from central_store.patients.rules import Outcome, judge


class Standing(StrEnum):
    """What the authority has done with a record since it made it."""

    LIVE = "LIVE"
    ALIAS = "ALIAS"
    """Merged into another record of the same authority (A40), which speaks for it since: what
    it says itself is often the mistake that the merge has mended. Its verified number counts."""
    INACTIVE = "INACTIVE"
    """Withdrawn (A29, A23); what it holds is kept."""


@dataclass(frozen=True, slots=True)
class Member:
    """A record as a part of a component."""

    record: Demographics
    standing: Standing = Standing.LIVE
    number_superseded: bool = False
    """PDS says that another number has taken the place of this one."""

    @property
    def identity(self) -> PatientIdentity:
        """Return whose record it is."""
        return self.record.identity


Component: TypeAlias = Collection[Member]


class EdgeKind(StrEnum):
    """Who or what says that two records are one person's."""

    AUTO_NHS = "AUTO-NHS"
    """The decision table."""
    MANUAL = "MANUAL"
    A24 = "A24"
    PIX = "PIX"
    PDS_SUPERSEDED = "PDS-superseded"
    A40 = "A40"
    """The authority has merged two of its own records."""


ASSERTED = frozenset({EdgeKind.MANUAL, EdgeKind.A24, EdgeKind.PIX})
"""Edges that a person or another system answers for; the table cannot take them back."""


@dataclass(frozen=True, slots=True)
class Edge:
    """A link between two records; it has no direction."""

    a: PatientIdentity
    b: PatientIdentity
    kind: EdgeKind = EdgeKind.AUTO_NHS
    state: LinkState = LinkState.CONFIRMED
    held_by_person: bool = False
    """A person has put it where it is: rules may lower it, never raise it."""

    def other(self, end: PatientIdentity) -> PatientIdentity:
        """Return the end that is not ``end``."""
        return self.b if end == self.a else self.a


def component(
    start: PatientIdentity, edges: Iterable[Edge], members: Mapping[PatientIdentity, Member]
) -> tuple[Member, ...]:
    """Return the members that confirmed edges join to ``start``, which stands first."""
    confirmed = [edge for edge in edges if edge.state is LinkState.CONFIRMED]
    reached, fresh = {start: None}, [start]
    while fresh:
        end = fresh.pop()
        met = [edge.other(end) for edge in confirmed if end in (edge.a, edge.b)]
        fresh += [identity for identity in met if identity not in reached]
        reached |= dict.fromkeys(met)
    return tuple(members[identity] for identity in reached)


STATE_OF: Mapping[Outcome, LinkState | None] = {
    Outcome.CONFIRMED: LinkState.CONFIRMED,
    Outcome.CONFIRMED_NOTED: LinkState.CONFIRMED,
    Outcome.PROVISIONAL: LinkState.PROVISIONAL,
    Outcome.QUARANTINED: LinkState.QUARANTINED,
    Outcome.WAIT: None,
    Outcome.SUGGESTION: None,
    Outcome.FLAG_DUPLICATE: None,
    Outcome.NO_LINK: None,
}
"""The edge that an outcome asks for; None asks for none."""


# --- what an edge may not do ----------------------------------------------------------------


class ComponentRule(StrEnum):
    """What every component keeps to."""

    ONE_VERIFIED_NUMBER = "one-verified-number"
    ONE_LIVE_RECORD_PER_AUTHORITY = "one-live-record-per-authority"
    NO_CONTRADICTION = "no-contradiction"
    """No two records that the decision table quarantines. It binds edges made by rule only."""


@dataclass(frozen=True, slots=True)
class Breach:
    """Two records that must not meet in one component."""

    rule: ComponentRule
    a: PatientIdentity
    b: PatientIdentity


@dataclass(frozen=True, slots=True)
class Admission:
    """Whether an edge may be confirmed, with both components for the person who looks."""

    breaches: tuple[Breach, ...]
    component_a: tuple[PatientIdentity, ...]
    component_b: tuple[PatientIdentity, ...]

    @property
    def admitted(self) -> bool:
        """Tell whether nothing stands against the edge."""
        return not self.breaches


def admit(edge: Edge, component_a: Component, component_b: Component) -> Admission:
    """Decide whether ``edge`` may join two components; one component may be given twice."""
    return Admission(
        tuple(_breaches(edge, component_a, component_b)),
        _shown(component_a),
        _shown(component_b),
    )


def _breaches(edge: Edge, one: Component, other: Component) -> Iterable[Breach]:
    for a, b in product(in_order(one), in_order(other)):
        if a.identity != b.identity:
            rules = _broken_rules(a, b, by_rule=edge.kind is EdgeKind.AUTO_NHS)
            yield from (Breach(rule, a.identity, b.identity) for rule in rules)


def _broken_rules(a: Member, b: Member, *, by_rule: bool) -> Iterable[ComponentRule]:
    numbers = {_verified_number(a), _verified_number(b)} - {None}
    if len(numbers) > 1:
        yield ComponentRule.ONE_VERIFIED_NUMBER
    both_live = a.standing is b.standing is Standing.LIVE
    if both_live and a.identity.issuer == b.identity.issuer:
        yield ComponentRule.ONE_LIVE_RECORD_PER_AUTHORITY
    speak = Standing.ALIAS not in {a.standing, b.standing}
    if by_rule and speak and judge(a.record, b.record).outcome is Outcome.QUARANTINED:
        yield ComponentRule.NO_CONTRADICTION


def _verified_number(member: Member) -> str | None:
    record = member.record
    verified = record.nhs_status is NhsStatus.VERIFIED and not member.number_superseded
    return record.nhs_number.digits if verified and record.nhs_number else None


def identity_order(identity: PatientIdentity) -> tuple[str, str, str]:
    """Return a sort key: results must not depend on who came first."""
    return identity.issuer.organisation, identity.issuer.namespace, identity.mrn


def in_order(component: Iterable[Member]) -> list[Member]:
    """Return members by the order of their identities."""
    return sorted(component, key=lambda member: identity_order(member.identity))


def _shown(component: Component) -> tuple[PatientIdentity, ...]:
    return tuple(member.identity for member in in_order(component))


# --- several edges that meet in one record --------------------------------------------------


@dataclass(frozen=True, slots=True)
class Spoke:
    """An edge from the record in question, the hub, to a component."""

    edge: Edge
    rim: Component
    """Never empty."""


def admit_together(hub: Component, spokes: Sequence[Spoke]) -> list[Admission]:
    """Admit each spoke by itself and beside every other one that leads elsewhere."""
    return [_admit_beside(hub, spoke, spokes) for spoke in spokes]


def _admit_beside(hub: Component, spoke: Spoke, spokes: Sequence[Spoke]) -> Admission:
    elsewhere = [other.rim for other in spokes if not _overlap(other.rim, spoke.rim)]
    breaches = [
        breach for rim in (hub, *elsewhere) for breach in _breaches(spoke.edge, rim, spoke.rim)
    ]
    return Admission(tuple(dict.fromkeys(breaches)), _shown(hub), _shown(spoke.rim))


def _overlap(one: Component, other: Component) -> bool:
    return not {member.identity for member in one}.isdisjoint(member.identity for member in other)
