"""From which AE octets have come, and how they are kept: what a commitment stands on.

Of what lies loose its row tells, of what is sealed the pack's origin, of what came once more from
another AE, or was kept beside other octets, a sighting.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Row, insert, select

from archive.index import tables
from archive.index.copies import PackKey
from archive.index.header import Arrived, Elsewhere
from archive.index.members import LOOSE, Holding, sop_hash, unpacked_manifest
from archive.index.parts import in_parts
from archive.states import CopyState
from archive.store.origin import Origin

ALREADY_HELD = "AlreadyHeld"
"""The answer of a sighting that tells only of another sender."""


@dataclass(frozen=True, slots=True)
class Kept:
    """Octets that a custodian has here, or that are announced, under one UID."""

    sop_instance_uid: str
    sop_class_uid: str
    sha256: bytes
    calling_ae: str
    """Who sent them first."""
    pack: PackKey | None
    """None: they lie loose in a spool segment."""
    is_here: bool


def kept_octets(
    conn: Connection, *, custodian_id: int, sop_instance_uids: Iterable[str]
) -> Mapping[str, Sequence[Kept]]:
    """Return what is kept under some UIDs, by UID; each pack is read once."""
    uids = set(sop_instance_uids)
    found: defaultdict[str, list[Kept]] = defaultdict(list)
    for place in _places(conn, custodian_id, uids):
        for kept in _at(conn, place, uids):
            found[kept.sop_instance_uid].append(kept)
    return found


def sighted_octets(
    conn: Connection, *, custodian_id: int, calling_ae: str, sop_instance_uids: Iterable[str]
) -> Mapping[str, frozenset[bytes]]:
    """Return the digests that an AE has sent and that register() did not take as new, by UID."""
    columns = tables.sighting.c
    found: defaultdict[str, set[bytes]] = defaultdict(set)
    for part in in_parts(sorted(set(sop_instance_uids))):
        query = select(columns.sop_instance_uid, columns.sha256).where(
            columns.custodian_id == custodian_id,
            columns.calling_ae == calling_ae,
            columns.sop_instance_uid.in_(part),
        )
        for row in conn.execute(query):
            found[row.sop_instance_uid].add(bytes(row.sha256))
    return {uid: frozenset(digests) for uid, digests in found.items()}


def held_reasons(
    conn: Connection, *, calling_ae: str, sop_instance_uids: Iterable[str]
) -> Mapping[str, str]:
    """Return why what an AE has sent lies in ``held`` unsettled, by UID of the command."""
    columns = tables.held.c
    query = select(columns.command_sop_instance_uid, columns.reason).where(
        columns.calling_ae == calling_ae, columns.resolved_at.is_(None)
    )
    return {
        row.command_sop_instance_uid: row.reason
        for part in in_parts(sorted(set(sop_instance_uids)))
        for row in conn.execute(query.where(columns.command_sop_instance_uid.in_(part)))
    }


def copies_of(
    conn: Connection, packs: Iterable[PackKey]
) -> Mapping[PackKey, Mapping[str, CopyState]]:
    """Return the states of packs' copies, by the kind of their place (``node``, ``centre``)."""
    columns, place = tables.copy.c, tables.place.c
    query = select(columns.state, place.kind).join(tables.place, columns.place_id == place.id)
    return {
        pack: {
            row.kind: CopyState(row.state)
            for row in conn.execute(
                query.where(
                    columns.study_key == pack[0],
                    columns.series_no == pack[1],
                    columns.pack_no == pack[2],
                )
            )
        }
        for pack in set(packs)
    }


def note_sender(conn: Connection, arrived: Arrived, holding: Holding, *, at_ms: int) -> None:
    """Note that octets which are held already have come from another AE than before, once."""
    if _has_sent(conn, arrived.calling_ae, holding) or _is_noted(conn, arrived):
        return
    note_sighting(conn, arrived, answer=ALREADY_HELD, of_sha256=arrived.digest.sha256, at_ms=at_ms)


def note_sighting(
    conn: Connection,
    arrived: Arrived,
    *,
    answer: str,
    of_sha256: bytes,
    differences: str = "",
    at_ms: int,
) -> None:
    """Note that octets have come which were not taken as new, and what they were found to be."""
    conn.execute(
        insert(tables.sighting).values(
            custodian_id=arrived.source.organisation_id,
            sop_instance_uid=arrived.header.SOPInstanceUID,
            sha256=arrived.digest.sha256,
            transfer_syntax=arrived.digest.transfer_syntax,
            answer=answer,
            of_sha256=of_sha256,
            differences=differences,
            calling_ae=arrived.calling_ae,
            at=at_ms,
        )
    )


def _places(conn: Connection, custodian_id: int, uids: Iterable[str]) -> set[PackKey]:
    columns = tables.sop.c
    places = (
        select(columns.study_key, columns.series_no, columns.pack_no)
        .where(columns.custodian_id == custodian_id)
        .distinct()
    )
    return {
        (row.study_key, row.series_no, row.pack_no)
        for part in in_parts(sorted({sop_hash(conn, uid) for uid in uids}))
        for row in conn.execute(places.where(columns.hash.in_(part)))
    }


def _at(conn: Connection, place: PackKey, uids: set[str]) -> Iterator[Kept]:
    study_key, series_no, pack_no = place
    if pack_no == LOOSE:
        yield from _loose(conn, study_key, series_no, uids)
    else:
        yield from _packed(_pack_row(conn, place), place, uids)


def _loose(conn: Connection, study_key: int, series_no: int, uids: set[str]) -> Iterator[Kept]:
    columns = tables.instance.c
    query = select(
        columns.sop_instance_uid, columns.sop_class_uid, columns.sha256, columns.calling_ae
    ).where(columns.study_key == study_key, columns.series_no == series_no)
    for row in conn.execute(query):
        if row.sop_instance_uid in uids:
            yield Kept(
                sop_instance_uid=row.sop_instance_uid,
                sop_class_uid=row.sop_class_uid,
                sha256=bytes(row.sha256),
                calling_ae=row.calling_ae,
                pack=None,
                is_here=True,
            )


def _packed(row: Row[*tuple[Any, ...]], place: PackKey, uids: set[str]) -> Iterator[Kept]:
    members = unpacked_manifest(row.manifest).members
    for member, calling_ae in zip(members, _senders(row.origin), strict=True):
        if member.sop_instance_uid in uids:
            yield Kept(
                sop_instance_uid=member.sop_instance_uid,
                sop_class_uid=member.sop_class_uid,
                sha256=member.sha256,
                calling_ae=calling_ae,
                pack=place,
                is_here=row.encoding_id is not None,
            )


def _pack_row(conn: Connection, place: PackKey) -> Row[*tuple[Any, ...]]:
    columns = tables.pack.c
    query = select(columns.manifest, columns.origin, columns.encoding_id).where(
        columns.study_key == place[0],
        columns.series_no == place[1],
        columns.pack_no == place[2],
    )
    return conn.execute(query).one()


@lru_cache(maxsize=64)
def _senders(origin: str) -> tuple[str, ...]:
    """Return the calling AE of each member, in the manifest's order."""
    return tuple(arrival.calling_ae for arrival in Origin.parse(origin.encode()).arrivals)


def _has_sent(conn: Connection, calling_ae: str, holding: Holding) -> bool:
    """Tell whether an AE is the one that sent what is held."""
    if isinstance(holding.location, Elsewhere):
        return False
    if holding.pack_no == LOOSE:
        return _loose_sender(conn, holding) == calling_ae
    row = _pack_row(conn, (holding.study_key, holding.series_no, holding.pack_no))
    senders = _senders(row.origin)
    if set(senders) == {calling_ae}:
        return True
    members = unpacked_manifest(row.manifest).members
    return senders[members.index(holding.member)] == calling_ae


def _loose_sender(conn: Connection, holding: Holding) -> str:
    columns = tables.instance.c
    query = select(columns.calling_ae).where(
        columns.study_key == holding.study_key,
        columns.series_no == holding.series_no,
        columns.sop_instance_uid == holding.member.sop_instance_uid,
        columns.sha256 == holding.member.sha256,
    )
    return str(conn.execute(query).scalar_one())


def _is_noted(conn: Connection, arrived: Arrived) -> bool:
    columns = tables.sighting.c
    query = select(columns.id).where(
        columns.sop_instance_uid == arrived.header.SOPInstanceUID,
        columns.sha256 == arrived.digest.sha256,
        columns.calling_ae == arrived.calling_ae,
        columns.custodian_id == arrived.source.organisation_id,
    )
    return conn.execute(query.limit(1)).first() is not None
