"""Who is who: organisations, their assigning authorities, nodes, and what feeds them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, Table, insert, select, update

from archive.errors import UnknownCallingAE, UnknownIssuer
from archive.index import tables
from archive.index.engine import serialise
from archive.words.identity import ANY, AuthorityKind, Issuer


@dataclass(frozen=True, slots=True)
class Source:
    """Where something came from: whose it is and whose numbers it carries."""

    source_id: int | None
    organisation: str
    organisation_id: int
    site: str
    node: str
    authority: Issuer | None
    authority_id: int | None


def ensure_organisation(conn: Connection, ods_code: str, name: str = "") -> int:
    """Return the row of an organisation, made when it is new."""
    known = {"ods_code": ods_code}
    return _ensure(conn, tables.organisation, known, {"name": name or ods_code})


def find_organisation(conn: Connection, ods_code: str) -> int | None:
    """Return the row of an organisation, or None; for reads, which make nothing."""
    columns = tables.organisation.c
    return conn.execute(select(columns.id).where(columns.ods_code == ods_code)).scalar()


def ensure_authority(
    conn: Connection, issuer: Issuer, *, kind: AuthorityKind = AuthorityKind.MRN, oid: str = ""
) -> int:
    """Return the row of an assigning authority, made with its organisation when it is new."""
    organisation_id = ensure_organisation(conn, issuer.organisation)
    known = {"organisation_id": organisation_id, "namespace": issuer.namespace}
    return _ensure(conn, tables.assigning_authority, known, {"oid": oid, "kind": kind.value})


def ensure_node(conn: Connection, name: str, *, organisation: str, ae_title: str) -> int:
    """Return the row of a node, made when it is new."""
    organisation_id = ensure_organisation(conn, organisation)
    made = {"organisation_id": organisation_id, "ae_title": ae_title}
    return _ensure(conn, tables.node, {"name": name}, made)


def hear(conn: Connection, node_name: str, *, at_ms: int) -> None:
    """Note that a node, or the centre under its name among a node's nodes, was heard of."""
    columns = tables.node.c
    conn.execute(update(tables.node).where(columns.name == node_name).values(last_heard_at=at_ms))


def last_heard(conn: Connection, node_name: str) -> int | None:
    """Return when a node was last heard of, in milliseconds; None: never, or it is unknown."""
    columns = tables.node.c
    query = select(columns.last_heard_at).where(columns.name == node_name)
    return conn.execute(query).scalar()


def ensure_site(conn: Connection, *, organisation: str, code: str) -> int:
    """Return the row of a site of an organisation, made when it is new."""
    organisation_id = ensure_organisation(conn, organisation)
    return _ensure(conn, tables.site, {"organisation_id": organisation_id, "code": code}, {})


def save_source(
    conn: Connection,
    *,
    node: str,
    kind: str,
    name: str,
    organisation: str,
    authority: Issuer | None,
    site: str = "",
) -> int:
    """Write what a calling AE or feed of a node stands for; a later call replaces it."""
    node_id = conn.execute(select(tables.node.c.id).where(tables.node.c.name == node)).scalar_one()
    says = {
        "organisation_id": ensure_organisation(conn, organisation),
        "authority_id": None if authority is None else ensure_authority(conn, authority),
        "site_id": ensure_site(conn, organisation=organisation, code=site) if site else None,
    }
    known = {"node_id": node_id, "kind": kind, "name": name}
    source_id = _ensure(conn, tables.source, known, says)
    conn.execute(update(tables.source).where(tables.source.c.id == source_id).values(says))
    return source_id


def resolve_source(conn: Connection, *, node: str, kind: str, name: str) -> Source:
    """Return what a calling AE (``dicom``) or feed (``hl7``) of ``node`` stands for.

    Raises:
        UnknownCallingAE: neither the name nor ``*`` is in the node's source table.
    """
    rows = {row.name: row for row in conn.execute(_sources(node, kind, name))}
    row = rows.get(name) or rows.get(ANY)
    if row is None:
        raise UnknownCallingAE("No source of this node has that name.", source=name, kind=kind)
    return Source(
        source_id=row.id,
        organisation=row.ods_code,
        organisation_id=row.organisation_id,
        site=row.site or "",
        node=node,
        authority=None if row.authority_id is None else issuer_of(conn, row.authority_id),
        authority_id=row.authority_id,
    )


def issuer_of(conn: Connection, authority_id: int) -> Issuer:
    """Return the assigning authority of a row."""
    row = conn.execute(_authorities().where(tables.assigning_authority.c.id == authority_id)).one()
    return Issuer(organisation=row.ods_code, namespace=row.namespace)


def authority_id(conn: Connection, issuer: Issuer) -> int:
    """Return the row id of an assigning authority.

    Raises:
        UnknownIssuer: this archive does not know it.
    """
    found = conn.execute(
        _authorities().where(
            tables.organisation.c.ods_code == issuer.organisation,
            tables.assigning_authority.c.namespace == issuer.namespace,
        )
    ).first()
    if found is None:
        raise UnknownIssuer("No assigning authority has that name.", issuer=issuer.namespace)
    return int(found.id)


def authority_facts(conn: Connection, authority_id: int) -> tuple[AuthorityKind, str]:
    """Return what an assigning authority numbers, and its OID or ``""``."""
    columns = tables.assigning_authority.c
    row = conn.execute(select(columns.kind, columns.oid).where(columns.id == authority_id)).one()
    return AuthorityKind(row.kind), row.oid


def find_issuer(conn: Connection, namespace: str, *, organisation: str | None) -> Issuer:
    """Return the assigning authority that ``namespace`` (or an OID) means to ``organisation``.

    Its own authorities come first, then national ones, then the only one in the region that has
    the name.

    Raises:
        UnknownIssuer: no authority has the name, or several of other organisations have it.
    """
    columns = tables.assigning_authority.c
    named = _authorities().where((columns.namespace == namespace) | (columns.oid == namespace))
    found = [Issuer(row.ods_code, row.namespace) for row in conn.execute(named) if namespace]
    own = [issuer for issuer in found if issuer.organisation == organisation]
    national = [issuer for issuer in found if not issuer.organisation]
    for choice in (own, national, found):
        if len(choice) == 1:
            return choice[0]
    raise UnknownIssuer("The issuer is unknown, or not one alone.", issuer=namespace[:64])


def authorities_of(conn: Connection, organisation: str) -> list[Issuer]:
    """Return an organisation's assigning authorities, the oldest row first."""
    query = _authorities().where(tables.organisation.c.ods_code == organisation)
    rows = conn.execute(query.order_by(tables.assigning_authority.c.id))
    return [Issuer(row.ods_code, row.namespace) for row in rows]


def organisation_code(conn: Connection, organisation_id: int) -> str:
    """Return the ODS code of an organisation's row."""
    columns = tables.organisation.c
    query = select(columns.ods_code).where(columns.id == organisation_id)
    return str(conn.execute(query).scalar_one())


def find_place(conn: Connection, *, kind: str, name: str) -> int | None:
    """Return the row of a place, or None; for reads, which make nothing."""
    columns = tables.place.c
    query = select(columns.id).where(columns.kind == kind, columns.name == name)
    return conn.execute(query).scalar()


def place_id(conn: Connection, *, kind: str, name: str) -> int:
    """Return the row of a place where copies can be, made when it is new."""
    return _ensure(conn, tables.place, {"kind": kind, "name": name}, {})


def _authorities() -> Select[tuple[int, str, str, str]]:
    columns = tables.assigning_authority.c
    return select(columns.id, columns.namespace, columns.kind, tables.organisation.c.ods_code).join(
        tables.organisation, columns.organisation_id == tables.organisation.c.id
    )


def _sources(node: str, kind: str, name: str) -> Select[Any]:
    columns = tables.source.c
    return (
        select(
            columns.id,
            columns.name,
            columns.organisation_id,
            columns.authority_id,
            tables.organisation.c.ods_code,
            tables.site.c.code.label("site"),
        )
        .join(tables.node, columns.node_id == tables.node.c.id)
        .join(tables.organisation, columns.organisation_id == tables.organisation.c.id)
        .outerjoin(tables.site, columns.site_id == tables.site.c.id)
        .where(tables.node.c.name == node, columns.kind == kind, columns.name.in_([name, ANY]))
    )


def _ensure(
    conn: Connection, table: Table, known: Mapping[str, object], made: Mapping[str, object]
) -> int:
    where = [table.c[name] == value for name, value in known.items()]
    query = select(table.c.id).where(*where)
    found = conn.execute(query).scalar()
    if found is None:
        serialise(conn, "ensure", table.name)
        found = conn.execute(query).scalar()
    if found is None:
        conn.execute(insert(table).values(**known, **made))
        found = conn.execute(query).scalar_one()
    return int(found)
