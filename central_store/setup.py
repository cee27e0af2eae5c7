"""Who is who in the region, from the settings into rows and tables."""

from sqlalchemy import Connection

from archive.dicomweb.access import NodeEntry, Role, TokenEntry
from archive.dimse.tables import CallerTable
from archive.index.directory import ensure_authority, ensure_node, ensure_organisation, save_source
from archive.words.identity import NHS, NHS_OID, AuthorityKind, Issuer
from central_store.config import CentralSettings


def write_directory(conn: Connection, settings: CentralSettings) -> None:
    """Write organisations, authorities, nodes, and whom the centre's own door takes."""
    ensure_authority(conn, NHS, kind=AuthorityKind.NHS, oid=NHS_OID)
    for organisation in settings.organisations:
        ensure_organisation(conn, organisation.ods_code, organisation.name)
        for authority in organisation.authorities:
            issuer = Issuer(organisation.ods_code, authority.namespace)
            ensure_authority(conn, issuer, kind=authority.kind, oid=authority.oid)
    for node in settings.nodes:
        ensure_node(conn, node.name, organisation=node.organisation, ae_title=node.ae_title)
    centre = settings.central
    ensure_node(conn, centre.name, organisation="", ae_title=centre.ae_title)
    for caller in settings.callers:
        save_source(
            conn,
            node=centre.name,
            kind="dicom",
            name=caller.ae_title,
            organisation=caller.organisation,
            authority=first_authority(settings, caller.organisation),
        )


def first_authority(settings: CentralSettings, ods_code: str) -> Issuer | None:
    """Return the authority whose numbers a trust's users speak; None for the region's own."""
    for organisation in settings.organisations:
        if organisation.ods_code == ods_code:
            return Issuer(ods_code, organisation.authorities[0].namespace)
    return None


def caller_table(settings: CentralSettings) -> CallerTable:
    """Return as whom calling AEs ask at the centre's door; all others are refused."""
    rows = {
        caller.ae_title: (caller.organisation, first_authority(settings, caller.organisation))
        for caller in settings.callers
    }
    return CallerTable(rows)


def token_entries(settings: CentralSettings) -> list[TokenEntry]:
    """Return the users of the centre."""
    return [
        TokenEntry(
            name=token.name,
            role=Role(token.role),
            organisation=token.organisation,
            authority=first_authority(settings, token.organisation),
            sha256=token.sha256,
        )
        for token in settings.tokens
    ]


def node_entries(settings: CentralSettings) -> list[NodeEntry]:
    """Return the nodes that may call."""
    return [
        NodeEntry(name=node.name, organisation=node.organisation, sha256=node.token_sha256)
        for node in settings.nodes
    ]
