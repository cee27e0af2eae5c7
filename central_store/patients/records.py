"""Records as they arrive: saved, judged against the others, linked or shown to people.

All of it happens in the transaction that takes the record, so that no reader ever sees a changed
record with links that its old demographics earned.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict

from sqlalchemy import Connection, select

from archive.index import tables
from archive.index.engine import serialise
from archive.index.findings import settle_by_rule
from archive.index.journal import append, data_quality
from archive.index.patients import (
    Link,
    LocalPatient,
    component,
    find_patient,
    links_of,
    patients_by_id,
    patients_with_nhs_number,
    save_link,
)
from archive.states import LinkState
from archive.words.identity import PatientIdentity
from archive.words.nhs import NhsNumber, parse_status, read_nhs_number
from archive.words.person_names import PersonName, match_form
from central_store.patients.components import Component, Edge, EdgeKind, Member, Standing
from central_store.patients.demographics import Demographics
from central_store.patients.linking import EdgeDecision, link_all
from central_store.patients.rejudging import EdgeChange, rejudge
from central_store.patients.rules import Judgement, Outcome
from sync.transfer.messages import PatientPart
from sync.transfer.taking import take_patient, told_identity

_RULE = "rule"
_BY_PERSON = "user:"
_LOOKALIKES = 20
_CODES = "IDENTITY_"
"""How the codes of findings about a pair of records begin; a confirmed edge settles them."""

_ASKS_PEOPLE = frozenset(
    {Outcome.SUGGESTION, Outcome.FLAG_DUPLICATE, Outcome.PROVISIONAL, Outcome.QUARANTINED}
)


def learn(conn: Connection, told: PatientPart, *, at_ms: int) -> set[int]:
    """Take a record as its PAS tells it now; return the patients whose person may have changed.

    Links by rule are made, lowered or raised; what needs a person becomes a data-quality row and
    every change of an edge an entry of the identity journal. Telling the same again does nothing.
    """
    serialise(conn, "identity")
    before = find_patient(conn, told_identity(told))
    after = take_patient(conn, told, at_ms=at_ms)
    if before == after:
        return set()
    touched = component(conn, after.patient_id)
    if before is not None:
        _rejudge(conn, before, after, at_ms=at_ms)
    _link(conn, after, at_ms=at_ms)
    return touched | component(conn, after.patient_id)


def _link(conn: Connection, patient: LocalPatient, *, at_ms: int) -> None:
    """Judge a record against those that share its number or its name and birth date."""
    joined = {end for link in links_of(conn, {patient.patient_id}) for end in _ends(link)}
    found = [
        each
        for each in _candidates(conn, patient)
        if each.patient_id not in joined and each.patient_id != patient.patient_id
    ]
    ids = {each.identity: each.patient_id for each in [*found, patient]}
    components = {each.identity: _component(conn, each) for each in [*found, patient]}
    for decision in link_all(_member(patient), map(_member, found), components):
        _write_decision(conn, decision, ids, at_ms=at_ms)


def _write_decision(
    conn: Connection, decision: EdgeDecision, ids: dict[PatientIdentity, int], *, at_ms: int
) -> None:
    pair = (ids[decision.a], ids[decision.b])
    if decision.state is not None:
        _write(conn, pair, EdgeKind.AUTO_NHS, decision.state, decision.judgement, at_ms=at_ms)
    if decision.state is LinkState.QUARANTINED or decision.judgement.outcome in _ASKS_PEOPLE:
        _ask_people(conn, pair, decision, at_ms=at_ms)


def _rejudge(conn: Connection, before: LocalPatient, after: LocalPatient, *, at_ms: int) -> None:
    """Judge every edge of a changed record's component again."""
    links = links_of(conn, component(conn, after.patient_id))
    ends = {end for link in links for end in _ends(link)}
    patients = {each.patient_id: each for each in patients_by_id(conn, ends)}
    edges = {_edge(link, patients): link for link in links}
    members = map(_member, patients.values())
    ids = {each.identity: key for key, each in patients.items()}
    for change in rejudge(_member(before), _member(after), list(edges), members):
        _write_change(conn, change, ids, at_ms=at_ms)


def _write_change(
    conn: Connection, change: EdgeChange, ids: dict[PatientIdentity, int], *, at_ms: int
) -> None:
    pair = (ids[change.edge.a], ids[change.edge.b])
    _write(conn, pair, change.edge.kind, change.state, change.judgement, at_ms=at_ms)
    if change.state is not LinkState.CONFIRMED:
        data_quality(
            conn,
            organisation="",
            code=f"{_CODES}{change.state.value}",
            sentence=change.note,
            subject=_subject(pair),
            at_ms=at_ms,
        )


def _write(
    conn: Connection,
    pair: tuple[int, int],
    kind: EdgeKind,
    state: LinkState,
    judgement: Judgement,
    *,
    at_ms: int,
) -> None:
    evidence = json.dumps(asdict(judgement.evidence), default=str, sort_keys=True)
    link = Link(
        patient_a=pair[0],
        patient_b=pair[1],
        kind=kind.value,
        state=state,
        rule=judgement.row.value,
        evidence=evidence,
        actor=_RULE,
    )
    save_link(conn, link, at_ms=at_ms)
    entry = {"patients": pair, "kind": kind, "state": state, "row": link.rule, "evidence": evidence}
    body = json.dumps(entry, sort_keys=True).encode()
    append(conn, kind="identity", organisation="", subject=_subject(pair), body=body, at_ms=at_ms)
    if state is LinkState.CONFIRMED:
        settle_by_rule(conn, codes=_CODES, subject=_subject(pair), at_ms=at_ms)


def _ask_people(
    conn: Connection, pair: tuple[int, int], decision: EdgeDecision, *, at_ms: int
) -> None:
    refused = decision.admission is not None and not decision.admission.admitted
    outcome = Outcome.QUARANTINED if refused else decision.judgement.outcome
    sentence = decision.judgement.reason
    if refused:
        sentence = "The records agree, but joining them would contradict what is linked already."
    data_quality(
        conn,
        organisation="",
        code=f"{_CODES}{outcome.value}"[:32],
        sentence=sentence,
        subject=_subject(pair),
        at_ms=at_ms,
    )


def _subject(pair: tuple[int, int]) -> str:
    return f"patients:{min(pair)}:{max(pair)}"


def _candidates(conn: Connection, patient: LocalPatient) -> list[LocalPatient]:
    found = {}
    if patient.nhs_number:
        found = {
            each.patient_id: each for each in patients_with_nhs_number(conn, patient.nhs_number)
        }
    for each in _lookalikes(conn, patient):
        found.setdefault(each.patient_id, each)
    return list(found.values())


def _lookalikes(conn: Connection, patient: LocalPatient) -> Sequence[LocalPatient]:
    if not patient.name or not patient.birth_date:
        return ()
    columns = tables.local_patient.c
    query = (
        select(columns.id)
        .where(
            columns.name_match == match_form(patient.name),
            columns.birth_date == patient.birth_date,
            columns.active.is_(True),
        )
        .order_by(columns.id)
        .limit(_LOOKALIKES)
    )
    return patients_by_id(conn, set(conn.execute(query).scalars()))


def _component(conn: Connection, patient: LocalPatient) -> Component:
    reached = patients_by_id(conn, component(conn, patient.patient_id))
    return tuple(_member(each) for each in reached)


def _member(patient: LocalPatient) -> Member:
    number = read_nhs_number(patient.nhs_number)
    record = Demographics(
        identity=patient.identity,
        nhs_number=number if isinstance(number, NhsNumber) else None,
        nhs_status=parse_status(patient.nhs_status).status,
        name=PersonName.from_pn(patient.name),
        birth_date=patient.birth_date,
        sex=patient.sex,
        postcode=patient.postcode,
    )
    return Member(record, Standing.LIVE if patient.active else Standing.INACTIVE)


def _edge(link: Link, patients: dict[int, LocalPatient]) -> Edge:
    return Edge(
        patients[link.patient_a].identity,
        patients[link.patient_b].identity,
        kind=EdgeKind(link.kind),
        state=link.state,
        held_by_person=link.actor.startswith(_BY_PERSON),
    )


def _ends(link: Link) -> tuple[int, int]:
    return link.patient_a, link.patient_b
