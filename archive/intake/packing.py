"""From the loose instances of a series to packs: divided, described, built and verified."""

import json
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, select

from archive.index import tables
from archive.index.directory import issuer_of, organisation_code
from archive.index.header import Loose
from archive.index.packs import LooseInstance, SealedPack, UnsealedSeries, read_unsealed
from archive.intake.document_metadata import DocumentItem, documents_metadata
from archive.intake.instance_metadata import instance_metadata
from archive.intake.plain import Stored
from archive.reader import Octets
from archive.store.manifest import Manifest, Member, PackKind
from archive.store.origin import Arrival, Origin
from archive.store.pack import Source, build_pack
from archive.view.json_octets import JsonTexts
from archive.words.identity import Issuer

INSTANCES_LIMIT = 2000
"""Members of one pack."""
OCTETS_LIMIT = 2 * 1024**3
"""Data Set octets of one pack; a longer instance has a pack of its own."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """What becomes one pack: members in the manifest's order, each with the row it comes from."""

    manifest: Manifest
    rows: tuple[LooseInstance, ...]
    withheld: bool
    documents: tuple[DocumentItem, ...]
    """Of a pack of documents; else empty."""


@dataclass(frozen=True, slots=True)
class Consignment:
    """A series as it stood when it was read, divided into parcels."""

    unsealed: UnsealedSeries
    custodian: str
    authority: Issuer | None
    site: str
    parcels: tuple[Parcel, ...]


def consignment(conn: Connection, study_key: int, series_no: int) -> Consignment:
    """Read what is loose in a series and divide it: what may leave and what stays, apart."""
    unsealed = read_unsealed(conn, study_key, series_no)
    authority = unsealed.authority_id
    return Consignment(
        unsealed=unsealed,
        custodian=organisation_code(conn, unsealed.custodian_id),
        authority=None if authority is None else issuer_of(conn, authority),
        site=_site_code(conn, unsealed.site_id),
        parcels=tuple(
            _parcel(conn, unsealed, part, withheld=withheld)
            for rows, withheld in ((unsealed.open, False), (unsealed.withheld, True))
            for part in divided(rows)
        ),
    )


def divided(rows: Sequence[LooseInstance]) -> Iterator[list[LooseInstance]]:
    """Yield the rows in parts that one pack may hold, in the order of instance numbers."""
    part: list[LooseInstance] = []
    octets = 0
    for row in sorted(rows, key=_number):
        if part and (len(part) >= INSTANCES_LIMIT or octets + row.size > OCTETS_LIMIT):
            yield part
            part, octets = [], 0
        part.append(row)
        octets += row.size
    if part:
        yield part


def built(
    parcel: Parcel, of: Consignment, octets: Octets, *, node: str, staging: Path
) -> tuple[SealedPack, Path]:
    """Write a parcel as a verified pack into the staging directory, and return both.

    Raises:
        DigestMismatch: octets are not those that were registered.
        TornRecord, NotFound: they cannot be read where they were.
        StorageFailed: the disk refused.
    """
    path = staging / f"{secrets.token_hex(16)}.tar"
    origin = _origin(parcel, of, node=node)
    verified = build_pack(
        path,
        manifest=parcel.manifest,
        metadata=_metadata(parcel, of.unsealed, octets),
        origin=origin,
        sources=[
            _source(member, row, octets)
            for member, row in zip(parcel.manifest.members, parcel.rows, strict=True)
        ],
    )
    pack = SealedPack(
        manifest=verified.manifest,
        layout=verified.layout,
        origin=origin,
        encoding_id=verified.encoding_id,
        length=verified.length,
        withheld=parcel.withheld,
    )
    return pack, path


def _parcel(
    conn: Connection, unsealed: UnsealedSeries, part: Sequence[LooseInstance], *, withheld: bool
) -> Parcel:
    by_member = {_member(row): row for row in part}
    manifest = Manifest.of(
        study_instance_uid=unsealed.study_instance_uid,
        series_instance_uid=unsealed.series_instance_uid,
        kind=unsealed.kind,
        members=by_member,
    )
    uids = [member.sop_instance_uid for member in manifest.members]
    are_documents = unsealed.kind is PackKind.DOCUMENTS
    return Parcel(
        manifest=manifest,
        rows=tuple(by_member[member] for member in manifest.members),
        withheld=withheld,
        documents=tuple(
            documents_metadata(conn, unsealed.study_key, uids) if are_documents else ()
        ),
    )


def _member(row: LooseInstance) -> Member:
    return Member(
        sop_class_uid=row.sop_class_uid,
        sop_instance_uid=row.sop_instance_uid,
        transfer_syntax=row.transfer_syntax,
        instance_number=row.instance_number,
        sha256=row.sha256,
        size=row.size,
    )


def _number(row: LooseInstance) -> tuple[int, str]:
    """Return what neighbours in a series are sorted by."""
    text = row.instance_number.lstrip("+")
    return (int(text) if text.isdecimal() else 0), row.sop_instance_uid


def _source(member: Member, row: LooseInstance, octets: Octets) -> Source:
    location = _location(row)
    return Source(
        member=member,
        part10_length=row.length,
        data_set_offset=row.data_set_offset,
        open=lambda: octets.whole(location),
    )


def _location(row: LooseInstance) -> Loose:
    return Loose(row.segment, row.offset, row.length, row.data_set_offset)


def _origin(parcel: Parcel, of: Consignment, *, node: str) -> Origin:
    return Origin(
        custodian=of.custodian,
        site=of.site,
        node=node,
        authority=of.authority,
        mrn=of.unsealed.mrn,
        registered_day=of.unsealed.registered_day,
        arrivals=tuple(
            Arrival(row.calling_ae, row.called_ae, row.arrived_ms) for row in parcel.rows
        ),
    )


def _metadata(parcel: Parcel, unsealed: UnsealedSeries, octets: Octets) -> bytes:
    if unsealed.kind is PackKind.DOCUMENTS:
        return json.dumps(parcel.documents, ensure_ascii=False, sort_keys=True).encode()
    texts = JsonTexts()
    models = (
        instance_metadata(
            Stored(octets, _location(row), row.transfer_syntax),
            sop_class_uid=row.sop_class_uid,
            sop_instance_uid=row.sop_instance_uid,
            study_uid=unsealed.study_instance_uid,
            series_uid=unsealed.series_instance_uid,
            texts=texts,
        )
        for row in parcel.rows
    )
    return b"[" + b",".join(models) + b"]"


def _site_code(conn: Connection, site_id: int | None) -> str:
    if site_id is None:
        return ""
    return str(conn.execute(select(tables.site.c.code).where(tables.site.c.id == site_id)).scalar())
