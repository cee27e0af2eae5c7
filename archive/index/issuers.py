"""Whose number an object carries, as its header says: Issuer of Patient ID (0010,0021).

A header without an issuer carries a number of its source's authority. One that names an issuer is
believed: where that is no authority of the custodian's own, the number is nobody's here. The
object is kept and shown under its study, but it belongs to no person until somebody has looked.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection

from archive.errors import UnknownIssuer
from archive.index.directory import authority_id, find_issuer
from archive.index.journal import data_quality_once

FOREIGN_ISSUER = "FOREIGN_ISSUER"
UNKNOWN_ISSUER = "UNKNOWN_ISSUER"

_SENTENCES: Mapping[str, str] = {
    FOREIGN_ISSUER: "An object carries a patient number of another issuer; it is nobody's here.",
    UNKNOWN_ISSUER: "An object names an issuer of its patient number that nothing here knows.",
}


@dataclass(frozen=True, slots=True)
class HeaderIssuer:
    """What an issuer in a header comes to."""

    authority_id: int | None
    """Row of the custodian's own authority, or None."""
    finding: str = ""
    """FOREIGN_ISSUER or UNKNOWN_ISSUER, or empty."""


def header_issuers(
    conn: Connection, namespaces: Iterable[str], *, custodian: str
) -> dict[str, HeaderIssuer]:
    """Return what each namespace that headers name comes to; an empty one is left out."""
    return {name: _header_issuer(conn, name, custodian) for name in sorted(set(namespaces)) if name}


def note_findings(
    conn: Connection,
    issuers: Iterable[HeaderIssuer],
    *,
    custodian: str,
    study_instance_uid: str,
    at_ms: int,
) -> None:
    """Show a person what issuers a study's objects named, once for each study."""
    for finding in sorted({issuer.finding for issuer in issuers if issuer.finding}):
        data_quality_once(
            conn,
            organisation=custodian,
            code=finding,
            sentence=_SENTENCES[finding],
            subject=study_instance_uid,
            at_ms=at_ms,
        )


def _header_issuer(conn: Connection, namespace: str, custodian: str) -> HeaderIssuer:
    try:
        issuer = find_issuer(conn, namespace, organisation=custodian)
    except UnknownIssuer:
        return HeaderIssuer(None, UNKNOWN_ISSUER)
    if issuer.organisation != custodian:
        return HeaderIssuer(None, FOREIGN_ISSUER)
    return HeaderIssuer(authority_id(conn, issuer))
