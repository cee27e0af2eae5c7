"""What packs and segments hold, instance by instance, and where."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

from sqlalchemy import Connection, Row, delete, insert, select

from archive.index import tables
from archive.index.header import Elsewhere, Location, Loose, Packed
from archive.store.layout import Layout
from archive.store.manifest import Manifest, Member

LOOSE = 0
"""The ``pack_no`` of what no pack holds yet."""

_HASH_KEY = "sop_hash_key"


@dataclass(frozen=True, slots=True)
class Holding:
    """One instance as this archive holds it."""

    study_key: int
    series_no: int
    pack_no: int
    member: Member
    location: Location


def sop_hash(conn: Connection, sop_instance_uid: str) -> int:
    """Return the archive's keyed 64-bit hash of a UID, signed as rows keep it.

    Keyed, so that no sender can choose UIDs that collide.
    """
    digest = hashlib.blake2b(sop_instance_uid.encode(), digest_size=8, key=_hash_key(conn))
    return int.from_bytes(digest.digest(), "big", signed=True)


def make_hash_key(conn: Connection, random_octets: bytes) -> None:
    """Give the archive its hash key for good; a second call changes nothing."""
    columns = tables.setting.c
    if conn.execute(select(columns.value).where(columns.name == _HASH_KEY)).first() is None:
        conn.execute(insert(tables.setting).values(name=_HASH_KEY, value=random_octets))


def may_be_held(conn: Connection, sop_instance_uids: Iterable[str]) -> set[str]:
    """Return which UIDs something may be held or announced under here, whoever's it is.

    Under the others there is certainly nothing.
    """
    hashes = {uid: sop_hash(conn, uid) for uid in sop_instance_uids}
    columns = tables.sop.c
    taken = {
        row.hash
        for part in _slices(sorted(set(hashes.values())))
        for row in conn.execute(select(columns.hash).where(columns.hash.in_(part)))
    }
    return {uid for uid, value in hashes.items() if value in taken}


def holdings_of(
    conn: Connection, sop_instance_uid: str, *, custodian_id: int | None = None
) -> list[Holding]:
    """Return everything held or announced under a SOP Instance UID."""
    columns = tables.sop.c
    query = select(tables.sop).where(columns.hash == sop_hash(conn, sop_instance_uid))
    if custodian_id is not None:
        query = query.where(columns.custodian_id == custodian_id)
    found = conn.execute(query.order_by(columns.study_key, columns.pack_no)).all()
    return [
        holding
        for row in found
        for holding in _at(conn, row, sop_instance_uid)
        if holding.member.sop_instance_uid == sop_instance_uid
    ]


def held_octets(
    conn: Connection, custodian_id: int, sop_instance_uids: Iterable[str]
) -> set[tuple[str, str, bytes]]:
    """Return (UID, syntax, digest) of all that a custodian has here under some UIDs, and more.

    What is only announced is not here. Each pack is read once, however many of the UIDs it holds.
    """
    columns = tables.sop.c
    places = (
        select(columns.study_key, columns.series_no, columns.pack_no)
        .where(columns.custodian_id == custodian_id)
        .distinct()
    )
    hashes = sorted({sop_hash(conn, uid) for uid in sop_instance_uids})
    found = {
        row
        for part in _slices(hashes)
        for row in conn.execute(places.where(columns.hash.in_(part)))
    }
    return {
        (holding.member.sop_instance_uid, holding.member.transfer_syntax, holding.member.sha256)
        for place in found
        for holding in _at(conn, place)
        if not isinstance(holding.location, Elsewhere)
    }


def series_holdings(conn: Connection, study_key: int, series_no: int) -> Iterator[Holding]:
    """Yield everything held or announced of a series: its packs in order, then what is loose."""
    columns = tables.pack.c
    packs = select(tables.pack).where(
        columns.study_key == study_key, columns.series_no == series_no
    )
    for row in conn.execute(packs.order_by(columns.pack_no)).all():
        yield from _in_pack(row)
    yield from _loose(conn, study_key, series_no)


def remember(
    conn: Connection,
    *,
    custodian_id: int,
    study_key: int,
    series_no: int,
    pack_no: int,
    sop_instance_uids: Iterable[str],
) -> None:
    """Note that a pack, or what is loose of a series, may hold these UIDs."""
    wanted = {(sop_hash(conn, uid), series_no, pack_no) for uid in sop_instance_uids}
    _remember(conn, custodian_id, study_key, wanted)


def remember_loose(
    conn: Connection,
    *,
    custodian_id: int,
    study_key: int,
    members: Iterable[tuple[int, str]],
) -> None:
    """Note that what is loose of a study may hold these: number of the series, and UID."""
    wanted = {(sop_hash(conn, uid), series_no, LOOSE) for series_no, uid in members}
    _remember(conn, custodian_id, study_key, wanted)


def forget_loose(
    conn: Connection,
    *,
    custodian_id: int,
    study_key: int,
    series_no: int,
    sop_instance_uids: Iterable[str],
) -> None:
    """Take back that these UIDs are loose in a series."""
    columns = tables.sop.c
    hashes = [sop_hash(conn, uid) for uid in sop_instance_uids]
    for part in _slices(hashes):
        conn.execute(
            delete(tables.sop).where(
                columns.hash.in_(part),
                columns.custodian_id == custodian_id,
                columns.study_key == study_key,
                columns.series_no == series_no,
                columns.pack_no == LOOSE,
            )
        )


@lru_cache(maxsize=512)
def unpacked_manifest(octets: bytes) -> Manifest:
    """Return the manifest of a pack's row; the same octets give the same object."""
    return Manifest.unpacked(octets)


@lru_cache(maxsize=512)
def unpacked_layout(octets: bytes) -> Layout:
    """Return the layout of a pack's row; the same octets give the same object."""
    return Layout.unpacked(octets)


def _remember(
    conn: Connection, custodian_id: int, study_key: int, wanted: set[tuple[int, int, int]]
) -> None:
    """Add (hash, series number, pack number) to a study's, those that are not there yet."""
    columns = tables.sop.c
    query = select(columns.hash, columns.series_no, columns.pack_no).where(
        columns.custodian_id == custodian_id, columns.study_key == study_key
    )
    known = {
        (row.hash, row.series_no, row.pack_no)
        for part in _slices(sorted({value for value, _, _ in wanted}))
        for row in conn.execute(query.where(columns.hash.in_(part)))
    }
    rows = [
        {
            "hash": value,
            "custodian_id": custodian_id,
            "study_key": study_key,
            "series_no": series_no,
            "pack_no": pack_no,
        }
        for value, series_no, pack_no in sorted(wanted - known)
    ]
    if rows:
        conn.execute(insert(tables.sop), rows)


def _slices(values: list[int], size: int = 500) -> Iterator[list[int]]:
    for start in range(0, len(values), size):
        yield values[start : start + size]


def _hash_key(conn: Connection) -> bytes:
    """Return the hash key, read once for each connection."""
    if _HASH_KEY not in conn.info:
        columns = tables.setting.c
        query = select(columns.value).where(columns.name == _HASH_KEY)
        conn.info[_HASH_KEY] = bytes(conn.execute(query).scalar_one())
    return cast("bytes", conn.info[_HASH_KEY])


def _at(
    conn: Connection, place: Row[*tuple[Any, ...]], sop_instance_uid: str | None = None
) -> Iterator[Holding]:
    if place.pack_no == LOOSE:
        return _loose(conn, place.study_key, place.series_no, sop_instance_uid)
    columns = tables.pack.c
    query = select(tables.pack).where(
        columns.study_key == place.study_key,
        columns.series_no == place.series_no,
        columns.pack_no == place.pack_no,
    )
    return _in_pack(conn.execute(query).one(), sop_instance_uid)


def _in_pack(
    row: Row[tuple[object, ...]], sop_instance_uid: str | None = None
) -> Iterator[Holding]:
    manifest = unpacked_manifest(row.manifest)
    for number, member in enumerate(manifest.members):
        if sop_instance_uid not in (None, member.sop_instance_uid):
            continue
        yield Holding(
            study_key=row.study_key,
            series_no=row.series_no,
            pack_no=row.pack_no,
            member=member,
            location=_packed(row, number),
        )


def _packed(row: Row[tuple[object, ...]], number: int) -> Location:
    if row.layout is None or row.encoding_id is None:
        return Elsewhere()
    placement = unpacked_layout(row.layout).placements[number]
    return Packed(
        encoding_id=row.encoding_id,
        offset=placement.offset,
        length=placement.length,
        data_set_offset=placement.data_set_offset,
        codec=placement.codec,
    )


def _loose(
    conn: Connection, study_key: int, series_no: int, sop_instance_uid: str | None = None
) -> Iterator[Holding]:
    columns = tables.instance.c
    query = select(tables.instance).where(
        columns.study_key == study_key, columns.series_no == series_no
    )
    if sop_instance_uid is not None:
        query = query.where(columns.sop_instance_uid == sop_instance_uid)
    for row in conn.execute(query.order_by(columns.arrived_at, columns.sop_instance_uid)).all():
        yield Holding(
            study_key=study_key,
            series_no=series_no,
            pack_no=LOOSE,
            member=Member(
                sop_class_uid=row.sop_class_uid,
                sop_instance_uid=row.sop_instance_uid,
                transfer_syntax=row.transfer_syntax,
                instance_number=row.instance_number,
                sha256=row.sha256,
                size=row.size,
            ),
            location=Loose(row.segment, row.offset, row.length, row.data_set_offset),
        )
