"""Pack rows: sealed here, received from another tier, or only announced."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, Row, delete, func, insert, or_, select, update

from archive.errors import NotFound, StateMoved
from archive.index import tables
from archive.index.adding import PATIENT_MISMATCH
from archive.index.copies import PackKey
from archive.index.engine import serialise
from archive.index.members import LOOSE, forget_loose, held_octets, remember
from archive.index.overlay import Overlay, overlay
from archive.states import InstanceState
from archive.store.layout import Layout
from archive.store.manifest import Manifest, PackKind
from archive.store.origin import Origin

_SET_BACK_MS = 60_000
"""Clocks of one archive's machines differ by less."""


@dataclass(frozen=True, slots=True)
class LooseInstance:
    """One row of what is loose in a series, with what a pack's origin tells of it."""

    sop_instance_uid: str
    sop_class_uid: str
    transfer_syntax: str
    instance_number: str
    sha256: bytes
    size: int
    segment: str
    offset: int
    length: int
    data_set_offset: int
    calling_ae: str
    called_ae: str
    arrived_ms: int


@dataclass(frozen=True, slots=True)
class UnsealedSeries:
    """A quiet series with loose instances, as it stood at ``revision``."""

    study_key: int
    series_no: int
    study_instance_uid: str
    series_instance_uid: str
    kind: PackKind
    revision: int
    custodian_id: int
    authority_id: int | None
    mrn: str
    site_id: int | None
    registered_day: str
    open: tuple[LooseInstance, ...]
    """What may leave the trust."""
    withheld: tuple[LooseInstance, ...]
    """What stays until a person has settled a conflict about it."""


@dataclass(frozen=True, slots=True)
class SealedPack:
    """A pack that lies durably in the blob store, ready to replace its loose instances."""

    manifest: Manifest
    layout: Layout
    origin: Origin
    encoding_id: bytes
    length: int
    withheld: bool


def quiet_series(
    conn: Connection, *, before_ms: int, now_ms: int, limit: int = 20
) -> list[tuple[int, int]]:
    """Return (study_key, series_no) of unsealed series without an arrival since ``before_ms``.

    An arrival well after ``now_ms`` came before the clock was set back; it keeps nothing waiting.
    """
    columns = tables.series.c
    arrived = columns.last_arrival_at
    query = (
        select(columns.study_key, columns.series_no)
        .where(
            columns.sealed_revision < columns.revision,
            or_(arrived <= before_ms, arrived > now_ms + _SET_BACK_MS),
        )
        .order_by(columns.last_arrival_at)
        .limit(limit)
    )
    return [(row.study_key, row.series_no) for row in conn.execute(query)]


def read_unsealed(conn: Connection, study_key: int, series_no: int) -> UnsealedSeries:
    """Return what is loose in a series, parted into what may leave and what may not."""
    study = tables.study.c
    series = tables.series.c
    row = conn.execute(
        select(
            tables.study,
            series.series_instance_uid,
            series.kind.label("pack_kind"),
            series.revision.label("series_revision"),
        )
        .join(tables.series, series.study_key == study.study_key)
        .where(series.study_key == study_key, series.series_no == series_no)
    ).one()
    loose = _loose_rows(conn, study_key, series_no)
    said = overlay(conn, row.custodian_id, [each.sop_instance_uid for each in loose])
    stays = {id(each) for each in loose if _stays(said, each)}
    return UnsealedSeries(
        study_key=study_key,
        series_no=series_no,
        study_instance_uid=row.study_instance_uid,
        series_instance_uid=row.series_instance_uid,
        kind=PackKind(row.pack_kind),
        revision=row.series_revision,
        custodian_id=row.custodian_id,
        authority_id=row.authority_id,
        mrn=row.mrn,
        site_id=_site_of(conn, study_key, series_no),
        registered_day=row.registered_day,
        open=tuple(each for each in loose if id(each) not in stays),
        withheld=tuple(each for each in loose if id(each) in stays),
    )


def seal(
    conn: Connection, unsealed: UnsealedSeries, packs: Sequence[SealedPack], *, at_ms: int
) -> list[PackKey]:
    """Replace a series' loose instances by the packs that hold them.

    Raises:
        StateMoved: an instance came, or another sealer was faster; begin again.
    """
    series = tables.series.c
    serialise(conn, "study", unsealed.custodian_id, unsealed.study_instance_uid)
    moved = conn.execute(
        update(tables.series)
        .where(
            series.study_key == unsealed.study_key,
            series.series_no == unsealed.series_no,
            series.revision == unsealed.revision,
            series.sealed_revision < unsealed.revision,
        )
        .values(sealed_revision=unsealed.revision)
    ).rowcount
    if moved == 0:
        raise StateMoved("The series has changed since it was read.", study_key=unsealed.study_key)
    keys = [_insert_pack(conn, unsealed, pack, at_ms) for pack in packs]
    _delete_loose(conn, unsealed)
    return keys


def announce_pack(
    conn: Connection,
    *,
    study_key: int,
    series_no: int,
    custodian_id: int,
    manifest: Manifest,
    origin: Origin,
    at_ms: int,
) -> PackKey:
    """Note a pack that another tier holds; one already known under its content is returned."""
    columns = tables.pack.c
    known = conn.execute(
        select(columns.study_key, columns.series_no, columns.pack_no).where(
            columns.content_id == manifest.content_id, columns.study_key == study_key
        )
    ).first()
    if known is not None:
        return known.study_key, known.series_no, known.pack_no
    key = (study_key, series_no, _next_pack_no(conn, study_key, series_no))
    _insert_row(conn, key, manifest=manifest, origin=origin, withheld=False, at_ms=at_ms)
    remember(
        conn,
        custodian_id=custodian_id,
        study_key=study_key,
        series_no=series_no,
        pack_no=key[2],
        sop_instance_uids=[member.sop_instance_uid for member in manifest.members],
    )
    return key


def hold_pack(
    conn: Connection,
    key: PackKey,
    *,
    encoding_id: bytes,
    length: int,
    layout: Layout,
    at_ms: int,
) -> None:
    """Note that an announced pack's octets now lie durably in this archive's blob store."""
    conn.execute(
        update(tables.pack)
        .where(_where(key))
        .values(encoding_id=encoding_id, length=length, layout=layout.packed(), held_at=at_ms)
    )


def pack_row(conn: Connection, key: PackKey) -> Row[tuple[object, ...]]:
    """Return a pack's row.

    Raises:
        NotFound: no pack has that key.
    """
    row = conn.execute(select(tables.pack).where(_where(key))).first()
    if row is None:
        raise NotFound("No such pack.", pack=key)
    return row


def packs_of(conn: Connection, study_key: int) -> list[Row[tuple[object, ...]]]:
    """Return the rows of a study's packs, documents' packs last."""
    columns = tables.pack.c
    query = select(tables.pack).where(columns.study_key == study_key)
    rows = conn.execute(query.order_by(columns.series_no, columns.pack_no)).all()
    return sorted(rows, key=lambda row: row.kind != PackKind.SERIES.value)


def packs_with_content(conn: Connection, content_id: bytes) -> list[Row[tuple[object, ...]]]:
    """Return every pack row of a content; several custodians may hold the same."""
    columns = tables.pack.c
    query = select(tables.pack).where(columns.content_id == content_id)
    return list(conn.execute(query.order_by(columns.study_key, columns.pack_no)).all())


def lacking_digests(
    conn: Connection, custodian_id: int, manifest: Manifest
) -> set[tuple[str, str, bytes]]:
    """Return (UID, syntax, digest) of a manifest that the custodian's held objects lack."""
    wanted = {
        (member.sop_instance_uid, member.transfer_syntax, member.sha256)
        for member in manifest.members
    }
    return wanted - held_octets(conn, custodian_id, (uid for uid, _, _ in wanted))


def _stays(said: Overlay, loose: LooseInstance) -> bool:
    shown = said.of(loose.sop_instance_uid, loose.sha256)
    disputed = said.disputed(loose.sop_instance_uid)
    return disputed or shown.code == PATIENT_MISMATCH or shown.state is InstanceState.QUARANTINED


def _loose_rows(conn: Connection, study_key: int, series_no: int) -> list[LooseInstance]:
    columns = tables.instance.c
    query = select(tables.instance).where(
        columns.study_key == study_key, columns.series_no == series_no
    )
    return [
        LooseInstance(
            sop_instance_uid=row.sop_instance_uid,
            sop_class_uid=row.sop_class_uid,
            transfer_syntax=row.transfer_syntax,
            instance_number=row.instance_number,
            sha256=row.sha256,
            size=row.size,
            segment=row.segment,
            offset=row.offset,
            length=row.length,
            data_set_offset=row.data_set_offset,
            calling_ae=row.calling_ae,
            called_ae=row.called_ae,
            arrived_ms=row.arrived_at,
        )
        for row in conn.execute(query)
    ]


def _site_of(conn: Connection, study_key: int, series_no: int) -> int | None:
    loose = tables.instance.c
    query = (
        select(tables.source.c.site_id)
        .join(tables.instance, loose.source_id == tables.source.c.id)
        .where(loose.study_key == study_key, loose.series_no == series_no)
        .limit(1)
    )
    return conn.execute(query).scalar()


def _insert_pack(
    conn: Connection, unsealed: UnsealedSeries, pack: SealedPack, at_ms: int
) -> PackKey:
    next_no = _next_pack_no(conn, unsealed.study_key, unsealed.series_no)
    key = (unsealed.study_key, unsealed.series_no, next_no)
    _insert_row(
        conn,
        key,
        manifest=pack.manifest,
        origin=pack.origin,
        withheld=pack.withheld,
        at_ms=at_ms,
    )
    hold_pack(
        conn,
        key,
        encoding_id=pack.encoding_id,
        length=pack.length,
        layout=pack.layout,
        at_ms=at_ms,
    )
    remember(
        conn,
        custodian_id=unsealed.custodian_id,
        study_key=unsealed.study_key,
        series_no=unsealed.series_no,
        pack_no=next_no,
        sop_instance_uids=[member.sop_instance_uid for member in pack.manifest.members],
    )
    return key


def _insert_row(
    conn: Connection,
    key: PackKey,
    *,
    manifest: Manifest,
    origin: Origin,
    withheld: bool,
    at_ms: int,
) -> None:
    conn.execute(
        insert(tables.pack).values(
            study_key=key[0],
            series_no=key[1],
            pack_no=key[2],
            kind=manifest.kind.value,
            content_id=manifest.content_id,
            instance_count=len(manifest.members),
            octets=sum(member.size for member in manifest.members),
            manifest=manifest.packed(),
            origin=origin.canonical().decode(),
            withheld=withheld,
            registered_day=origin.registered_day,
            sealed_at=at_ms,
        )
    )


def _next_pack_no(conn: Connection, study_key: int, series_no: int) -> int:
    columns = tables.pack.c
    query = select(func.max(columns.pack_no)).where(
        columns.study_key == study_key, columns.series_no == series_no
    )
    return int(conn.execute(query).scalar() or LOOSE) + 1


def _delete_loose(conn: Connection, unsealed: UnsealedSeries) -> None:
    columns = tables.instance.c
    conn.execute(
        delete(tables.instance).where(
            columns.study_key == unsealed.study_key, columns.series_no == unsealed.series_no
        )
    )
    forget_loose(
        conn,
        custodian_id=unsealed.custodian_id,
        study_key=unsealed.study_key,
        series_no=unsealed.series_no,
        sop_instance_uids=[each.sop_instance_uid for each in unsealed.open + unsealed.withheld],
    )


def _where(key: PackKey):  # type: ignore[no-untyped-def]  # noqa: ANN202
    columns = tables.pack.c
    return (
        (columns.study_key == key[0]) & (columns.series_no == key[1]) & (columns.pack_no == key[2])
    )
