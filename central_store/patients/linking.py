"""A record arrives: what becomes of it and every record that carries the same NHS number."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from archive.states import LinkState
from archive.words.identity import PatientIdentity
from central_store.patients.components import (
    STATE_OF,
    Admission,
    Component,
    Edge,
    Member,
    Spoke,
    Standing,
    admit_together,
    in_order,
)
from central_store.patients.rules import Judgement, judge


@dataclass(frozen=True, slots=True)
class EdgeDecision:
    """What becomes of a new record and one candidate."""

    a: PatientIdentity
    """The new record."""
    b: PatientIdentity
    """The candidate."""
    state: LinkState | None
    """The state of the AUTO-NHS edge to write; None: write none, the judgement goes to people."""
    judgement: Judgement
    admission: Admission | None
    """None where the judgement alone decided."""


def link_all(
    new_record: Member,
    candidates: Iterable[Member],
    components: Mapping[PatientIdentity, Component],
) -> list[EdgeDecision]:
    """Decide about every candidate for a record that has arrived.

    Candidates are the records with its NHS number; those of its own authority and itself may be
    among them. Aliases (A40) are passed over: the surviving record speaks for them, and nothing
    is decided for a new record that is one. ``components`` holds the component of each record
    that has one. The decisions stand in the order of the candidates' identities, and depend on
    no other order.
    """
    judged = [
        (candidate, judge(new_record.record, candidate.record))
        for candidate in in_order(candidates)
        if candidate.identity != new_record.identity and _speaks(candidate, new_record)
    ]
    admissions = _admit_confirmed(new_record, judged, components)
    return [
        _decision(new_record, candidate, judgement, admissions.get(candidate.identity))
        for candidate, judgement in judged
    ]


def _speaks(candidate: Member, new_record: Member) -> bool:
    return Standing.ALIAS not in {candidate.standing, new_record.standing}


def _admit_confirmed(
    new_record: Member,
    judged: Sequence[tuple[Member, Judgement]],
    components: Mapping[PatientIdentity, Component],
) -> dict[PatientIdentity, Admission]:
    hub = _component_of(new_record, components)
    spokes = [
        Spoke(
            Edge(new_record.identity, candidate.identity),
            _renewed(_component_of(candidate, components), new_record),
        )
        for candidate, judgement in judged
        if STATE_OF[judgement.outcome] is LinkState.CONFIRMED
    ]
    ends = [spoke.edge.b for spoke in spokes]
    return dict(zip(ends, admit_together(hub, spokes), strict=True))


def _component_of(
    member: Member, components: Mapping[PatientIdentity, Component]
) -> tuple[Member, ...]:
    """Return the member's component, with the member as it is now."""
    return _renewed(components.get(member.identity) or (member,), member)


def _renewed(component: Component, member: Member) -> tuple[Member, ...]:
    return tuple(member if held.identity == member.identity else held for held in component)


def _decision(
    new_record: Member, candidate: Member, judgement: Judgement, admission: Admission | None
) -> EdgeDecision:
    refused = admission is not None and not admission.admitted
    state = LinkState.QUARANTINED if refused else STATE_OF[judgement.outcome]
    return EdgeDecision(new_record.identity, candidate.identity, state, judgement, admission)
