"""Who is who at a trust, from its settings into rows and tables."""

from sqlalchemy import Connection

from archive.dimse.tables import CallerTable
from archive.index.directory import (
    ANY,
    ensure_authority,
    ensure_node,
    ensure_organisation,
    save_source,
)
from archive.words.identity import NHS, NHS_OID, AuthorityKind, Issuer
from local_node.config import NodeSettings, SourceSettings

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


def all_sources(settings: NodeSettings) -> list[SourceSettings]:
    """Return the sources in the settings, and those that they imply.

    Every HL7 feed without a row speaks for the first authority; a calling AE does where any
    caller is taken.
    """
    implied = [SourceSettings(kind="hl7", name=ANY)]
    if settings.dicom.any_caller:
        implied.append(SourceSettings(kind="dicom", name=ANY))
    return [*implied, *settings.sources]


def authority_of(settings: NodeSettings, source: SourceSettings) -> Issuer:
    """Return the authority that a source speaks for; the first where it names none."""
    namespace = source.authority or settings.authorities[0].namespace
    return Issuer(settings.node.organisation, namespace)


def first_authority(settings: NodeSettings, ods_code: str) -> Issuer | None:
    """Return the authority whose numbers the own trust's peers take; None for any other trust."""
    own = settings.node.organisation
    return Issuer(own, settings.authorities[0].namespace) if ods_code == own else None


def caller_table(settings: NodeSettings) -> CallerTable:
    """Return as whom calling AEs ask at this node's door."""
    trust = settings.node.organisation
    rows = {
        source.name: (trust, authority_of(settings, source))
        for source in all_sources(settings)
        if source.kind == "dicom" and source.name != ANY
    }
    first = Issuer(trust, settings.authorities[0].namespace)
    rows |= {peer.ae_title: (trust, first) for peer in settings.peers if peer.ae_title not in rows}
    return CallerTable(rows, anyone=(trust, first) if settings.dicom.any_caller else None)
