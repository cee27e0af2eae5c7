"""The region's memory in small: records that arrive, edges that are kept, persons."""

from archive.states import LinkState
from archive.words.identity import PatientIdentity
from central_store.patients.components import Edge, Member, component
from central_store.patients.demographics import Demographics
from central_store.patients.linking import EdgeDecision, link_all


class SmallRegion:
    """Applies what the rules decide, as the central store does with rows."""

    def __init__(self) -> None:
        self.members: dict[PatientIdentity, Member] = {}
        self.edges: list[Edge] = []
        self.decisions: list[EdgeDecision] = []

    def arrive(self, record: Demographics) -> list[EdgeDecision]:
        """Let a record arrive and keep the edges that are decided."""
        new = Member(record)
        self.members[record.identity] = new
        candidates = [m for m in self.members.values() if m.record.nhs_number == record.nhs_number]
        components = {m.identity: self.person(m.identity) for m in candidates}
        decided = link_all(new, candidates, components) if record.nhs_number else []
        self.edges += [Edge(d.a, d.b, state=d.state) for d in decided if d.state is not None]
        self.decisions += decided
        return decided

    def person(self, identity: PatientIdentity) -> tuple[Member, ...]:
        """Return the component that a record is in."""
        return component(identity, self.edges, self.members)

    @property
    def confirmed(self) -> set[frozenset[PatientIdentity]]:
        """Return the pairs that are linked."""
        return {frozenset((e.a, e.b)) for e in self.edges if e.state is LinkState.CONFIRMED}

    @property
    def had_a_breach(self) -> bool:
        """Tell whether a component ever stood against an edge."""
        return any(d.admission is not None and not d.admission.admitted for d in self.decisions)
