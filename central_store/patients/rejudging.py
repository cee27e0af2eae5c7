"""A record changes: what becomes of the edges of its component."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from archive.states import LinkState
from archive.words.identity import PatientIdentity
from central_store.patients.components import (
    ASSERTED,
    STATE_OF,
    Admission,
    Component,
    Edge,
    EdgeKind,
    Member,
    Spoke,
    admit,
    admit_together,
    component,
)
from central_store.patients.rules import Judgement, Outcome, judge

_TRUST = (LinkState.REVOKED, LinkState.QUARANTINED, LinkState.PROVISIONAL, LinkState.CONFIRMED)
"""From the least to the most."""

_CONFLICTS = frozenset({Outcome.QUARANTINED, Outcome.FLAG_DUPLICATE})


@dataclass(frozen=True, slots=True)
class EdgeChange:
    """An edge that must move because a record has changed."""

    edge: Edge
    """As it was."""
    state: LinkState
    """What it becomes."""
    judgement: Judgement
    """What the table says of its ends now."""
    admission: Admission | None
    """Both components, where confirming it was in question."""
    note: str
    """One sentence for the banner; it names no patient."""


@dataclass(frozen=True, slots=True)
class _Review:
    edge: Edge
    judgement: Judgement
    wanted: LinkState
    rim: Component


def rejudge(
    record_before: Member,
    record_after: Member,
    edges: Collection[Edge],
    members: Iterable[Member],
) -> list[EdgeChange]:
    """Judge a changed record's edges again; return those that must move.

    ``edges`` are all edges of its component and all further ones at the record, in any state;
    ``members`` all records at their ends. Edges by rule follow the table, down or up. An edge
    that somebody answers for is never revoked and never raised here: a conflict that was not
    there before puts it into quarantine. Nothing moves a revoked edge. Quarantined edges
    elsewhere in the component are confirmed when the change has removed what stood against them.
    """
    hub = record_after.identity
    known = {member.identity: member for member in (*members, record_after)}
    elsewhere = [edge for edge in edges if hub not in (edge.a, edge.b)]
    reviews = [
        _review(record_before, record_after, edge, component(edge.other(hub), elsewhere, known))
        for edge in edges
        if hub in (edge.a, edge.b) and edge.state is not LinkState.REVOKED
    ]
    admissions = _admissions(record_before, record_after, reviews)
    changes = [_change(review, admissions.get(review.edge)) for review in reviews]
    moved = [replace(change.edge, state=change.state) for change in changes]
    changes += _released(elsewhere, [*moved, *elsewhere], known)
    return [change for change in changes if change.state is not change.edge.state]


def _released(
    candidates: Iterable[Edge], edges: Sequence[Edge], known: Mapping[PatientIdentity, Member]
) -> list[EdgeChange]:
    """Confirm quarantined edges by rule that nothing stands against any more."""
    released = []
    for edge in candidates:
        judgement = judge(known[edge.a].record, known[edge.b].record)
        if _may_rise(edge) and STATE_OF[judgement.outcome] is LinkState.CONFIRMED:
            ends = (component(end, edges, known) for end in (edge.a, edge.b))
            admission = admit(edge, *ends)
            if admission.admitted:
                edges = [*edges, replace(edge, state=LinkState.CONFIRMED)]
                note = "What stood against this link has changed."
                confirmed = LinkState.CONFIRMED
                released.append(EdgeChange(edge, confirmed, judgement, admission, note))
    return released


def _may_rise(edge: Edge) -> bool:
    by_rule = edge.kind is EdgeKind.AUTO_NHS and not edge.held_by_person
    return by_rule and edge.state is LinkState.QUARANTINED


# --- what the table asks for ----------------------------------------------------------------


def _review(before: Member, after: Member, edge: Edge, rim: Component) -> _Review:
    other = next(iter(rim)).record
    judgement = judge(after.record, other)
    wanted = edge.state
    if edge.kind is EdgeKind.AUTO_NHS:
        wanted = _by_table(edge, judgement.outcome)
    elif edge.kind in ASSERTED and judgement.outcome in _CONFLICTS:
        is_new = judgement.row is not judge(before.record, other).row
        wanted = LinkState.QUARANTINED if is_new else edge.state
    return _Review(edge, judgement, wanted, rim)


def _by_table(edge: Edge, outcome: Outcome) -> LinkState:
    """Return the state that the table asks for; lost grounds are for a person to look at."""
    if outcome is Outcome.WAIT:
        return _lower(edge.state, LinkState.PROVISIONAL)
    wanted = STATE_OF[outcome] or LinkState.QUARANTINED
    return _lower(edge.state, wanted) if edge.held_by_person else wanted


def _lower(a: LinkState, b: LinkState) -> LinkState:
    return min(a, b, key=_TRUST.index)


# --- what the component allows --------------------------------------------------------------


def _admissions(before: Member, after: Member, reviews: Iterable[_Review]) -> dict[Edge, Admission]:
    """Return the admission of every edge that is to be confirmed.

    Of an edge that is confirmed already only new breaches count: somebody may have linked in
    spite of the old ones.
    """
    spokes = [Spoke(r.edge, r.rim) for r in reviews if r.wanted is LinkState.CONFIRMED]
    earlier = admit_together((before,), spokes)
    now = admit_together((after,), spokes)
    return {
        spoke.edge: _without(then, admission) if _is_confirmed(spoke.edge) else admission
        for spoke, then, admission in zip(spokes, earlier, now, strict=True)
    }


def _is_confirmed(edge: Edge) -> bool:
    return edge.state is LinkState.CONFIRMED


def _without(earlier: Admission, now: Admission) -> Admission:
    fresh = tuple(breach for breach in now.breaches if breach not in earlier.breaches)
    return replace(now, breaches=fresh)


def _change(review: _Review, admission: Admission | None) -> EdgeChange:
    refused = admission is not None and not admission.admitted
    state = LinkState.QUARANTINED if refused else review.wanted
    note = _note(review, state, refused=refused)
    return EdgeChange(review.edge, state, review.judgement, admission, note)


def _note(review: _Review, state: LinkState, *, refused: bool) -> str:
    if refused:
        return "A record has changed; with it the link would join what must stay apart."
    if state is not LinkState.QUARANTINED:
        return f"A record has changed. {review.judgement.reason}"
    if review.edge.kind in ASSERTED:
        return (
            f"Somebody answers for this link, but a record has changed: {review.judgement.reason}"
        )
    return f"A record has changed and the link no longer holds. {review.judgement.reason}"
