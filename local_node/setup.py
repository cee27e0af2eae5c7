"""Who is who at a trust, from its settings into rows."""

from sqlalchemy import Connection

from archive.index.directory import (
    ensure_authority,
    ensure_node,
    ensure_organisation,
    save_source,
)
from archive.words.identity import NHS, NHS_OID, AuthorityKind, Issuer
from local_node.callers import all_sources, authority_of
from local_node.config import NodeSettings

CENTRE_NAME = "centre"
"""Name of the central store among a node's places and nodes."""


def write_directory(conn: Connection, settings: NodeSettings) -> int:
    """Write organisation, authorities, node and sources; return the node's row."""
    node = settings.node
    for authority in settings.authorities:
        issuer = Issuer(node.organisation, authority.namespace)
        ensure_authority(conn, issuer, kind=authority.kind, oid=authority.oid)
    ensure_authority(conn, NHS, kind=AuthorityKind.NHS, oid=NHS_OID)
    node_id = ensure_node(conn, node.name, organisation=node.organisation, ae_title=node.ae_title)
    for source in all_sources(settings):
        save_source(
            conn,
            node=node.name,
            kind=source.kind,
            name=source.name,
            organisation=node.organisation,
            authority=authority_of(settings, source),
            site=source.site,
        )
    if settings.centre is not None:
        ensure_organisation(conn, "")
        ensure_node(conn, CENTRE_NAME, organisation="", ae_title="")
    return node_id
