"""What nodes tell: packs, states, patients, arrivals. Told twice is told once."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import structlog
from sqlalchemy import Connection, insert, select

from archive.clock import Clock, milliseconds
from archive.errors import MalformedMessage
from archive.index import tables
from archive.index.copies import note_copy
from archive.index.engine import Index, serialise
from archive.index.studies import move_study, study_row
from archive.states import CopyState, StudyState
from central_store.config import PrefetchSettings
from central_store.links import order_links
from central_store.orders import order_states
from central_store.patients.records import learn
from central_store.prefetch.plan import open_plan, open_plans
from central_store.tiers.calling import CallingNode
from sync.jobs.ledger import Ledger
from sync.jobs.nudger import Nudger
from sync.jobs.work import JobClass
from sync.transfer.messages import (
    AnnouncementMessage,
    ArrivalMessage,
    LackingMessage,
    PatientPart,
    PatientsMessage,
    StatePart,
    StatesMessage,
)
from sync.transfer.taking import (
    Announced,
    ReadPack,
    read_pack,
    take_announcement,
    take_issuer,
    take_states,
)

_STATES_AT_ONCE = 50
"""States of one transaction, so that no writer waits long."""

_log = structlog.get_logger("tiers")


@dataclass(frozen=True, slots=True)
class Facts:
    """Takes what nodes tell; every method raises NotPermitted where it is not theirs to tell."""

    index: Index
    ledger: Ledger
    clock: Clock
    prefetch: PrefetchSettings
    nudger: Nudger
    place: str
    """Name of this store, where the copies come to be."""

    def announce(self, node: CallingNode, message: AnnouncementMessage) -> LackingMessage:
        """Write announced packs, and say what of them to put.

        Raises:
            PackMalformed, DigestMismatch, MalformedMessage: a pack's manifest or origin is not
                what was announced; nothing of the message is kept.
        """
        packs = _read_packs(node, message)
        self._take_states(message.custodian, message.states)
        bare = message.model_copy(update={"states": ()})
        at_ms = self._now_ms()
        with self.index.writing() as conn:
            announced = take_announcement(conn, bare, packs, at_ms=at_ms)
            self._note_copies(conn, node, announced, packs, at_ms=at_ms)
            _reopen(conn, announced)
        _log.info(
            "packs.announced",
            node=node.name,
            study=message.study.study_instance_uid,
            packs=len(packs),
            lacking=len(announced.lacking),
        )
        return LackingMessage(
            lacking=tuple(sha256.hex() for sha256 in announced.lacking),
            packs=tuple(content.hex() for content in announced.wanted),
        )

    def states(self, node: CallingNode, message: StatesMessage) -> None:
        """Take over how a trust shows its instances, and tell whoever was sent copies."""
        node.speaks_for(message.custodian)
        news = self._take_states(message.custodian, message.states)
        _log.info("states.told", node=node.name, states=len(message.states), news=news)

    def patients(self, node: CallingNode, message: PatientsMessage) -> None:
        """Take a trust's records of patients, one transaction each, and plan what they change."""
        for part in message.patients:
            node.speaks_for(part.issuer.organisation)
        touched = sum(map(self._learn, message.patients))
        if touched:
            self.nudger.nudge(JobClass.URGENT, None)
        _log.info("patients.told", node=node.name, patients=len(message.patients), touched=touched)

    def arrival(self, node: CallingNode, message: ArrivalMessage) -> None:
        """Write that a patient has turned up, once for each message of the feed, and plan."""
        node.speaks_for(message.issuer.organisation)
        with self.index.writing() as conn:
            arrival_id = self._write_arrival(conn, node, message)
            if arrival_id is not None:
                open_plan(self.ledger, conn, arrival_id, cause="arrival")
        if arrival_id is not None:
            self.nudger.nudge(JobClass.URGENT, None)
        _log.info("arrival.told", node=node.name, trigger=message.event, arrival=arrival_id)

    def _take_states(self, custodian: str, states: Sequence[StatePart]) -> int:
        news = 0
        for start in range(0, len(states), _STATES_AT_ONCE):
            with self.index.writing() as conn:
                fresh = take_states(conn, custodian, states[start : start + _STATES_AT_ONCE])
                order_states(conn, custodian, fresh, at_ms=self._now_ms())
            news += len(fresh)
        return news

    def _learn(self, part: PatientPart) -> int:
        with self.index.writing() as conn:
            touched = learn(conn, part, at_ms=self._now_ms())
            order_links(conn, touched, at_ms=self._now_ms())
            open_plans(self.ledger, conn, touched, cause=f"patients:{uuid.uuid4().hex}")
        return len(touched)

    def _write_arrival(
        self, conn: Connection, node: CallingNode, message: ArrivalMessage
    ) -> int | None:
        """Return the new arrival's row; None where the message was told before."""
        serialise(conn, "arrival", node.node_id, message.message_key)
        columns = tables.arrival.c
        known = select(columns.id).where(
            columns.node_id == node.node_id, columns.message_key == message.message_key
        )
        if conn.execute(known).first() is not None:
            return None
        at_ms = min(message.at_ms, self._now_ms())
        within = timedelta(minutes=self.prefetch.deadline_minutes)
        conn.execute(
            insert(tables.arrival).values(
                node_id=node.node_id,
                authority_id=take_issuer(conn, message.issuer),
                mrn=message.mrn,
                event=message.event,
                message_key=message.message_key,
                at=at_ms,
                deadline=at_ms + round(within.total_seconds() * 1000),
            )
        )
        return int(conn.execute(known).scalar_one())

    def _note_copies(
        self,
        conn: Connection,
        node: CallingNode,
        announced: Announced,
        packs: Sequence[ReadPack],
        *,
        at_ms: int,
    ) -> None:
        """Note that the announcer holds its packs, and which of them lack nothing here.

        A pack that lacks nothing may have no octets under its own name: they lie in other packs.
        """
        for key, pack in zip(announced.packs, packs, strict=True):
            places = [("node", node.name)]
            if pack.manifest.content_id not in announced.wanted:
                places.append(("centre", self.place))
            for kind, name in places:
                note_copy(conn, key, kind=kind, name=name, state=CopyState.CONFIRMED, at_ms=at_ms)

    def _now_ms(self) -> int:
        return milliseconds(self.clock.now())


def _read_packs(node: CallingNode, message: AnnouncementMessage) -> list[ReadPack]:
    node.speaks_for(message.custodian)
    if message.study.issuer is not None:
        node.speaks_for(message.study.issuer.organisation)
    packs = [
        read_pack(
            part,
            custodian=message.custodian,
            study=message.study.study_instance_uid,
            series=message.series.series_instance_uid,
        )
        for part in message.packs
    ]
    if any(pack.manifest.kind.value != message.series.kind for pack in packs):
        raise MalformedMessage("A pack is not of the kind of its series.")
    return packs


def _reopen(conn: Connection, announced: Announced) -> None:
    """Let a study that was complete be awaited again when more of it was announced."""
    for study_key in {key[0] for key in announced.packs if announced.wanted}:
        if study_row(conn, study_key).state == StudyState.REPLICATED:
            move_study(conn, study_key, before=StudyState.REPLICATED, after=StudyState.RECEIVING)
