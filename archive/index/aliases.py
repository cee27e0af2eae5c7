"""Accession aliases: what another trust sees for an accession number (SH: 16 characters)."""

import base64
import hashlib

from sqlalchemy import Connection, insert, select

from archive.index import tables
from archive.index.directory import issuer_of
from archive.index.engine import serialise

_DIGEST_OCTETS = 9


def accession_alias(custodian: str, issuer: str, accession_number: str) -> str:
    """Return the alias: ``R`` and 15 characters that custodian, issuer and number always give."""
    text = f"{custodian}\n{issuer}\n{accession_number}".encode()
    digest = hashlib.blake2b(text, digest_size=_DIGEST_OCTETS, person=b"accession").digest()
    return "R" + base64.b32encode(digest).decode().rstrip("=")


def save_alias(
    conn: Connection,
    *,
    custodian: str,
    custodian_id: int,
    issuer_id: int | None,
    accession_number: str,
) -> None:
    """Write the alias of an accession number, for good; a number without text has none."""
    if not accession_number:
        return
    issuer = "" if issuer_id is None else issuer_of(conn, issuer_id).namespace
    alias = accession_alias(custodian, issuer, accession_number)
    columns = tables.accession_alias.c
    serialise(conn, "alias", alias)
    if conn.execute(select(columns.alias).where(columns.alias == alias)).first() is None:
        conn.execute(
            insert(tables.accession_alias).values(
                alias=alias,
                custodian_id=custodian_id,
                issuer_id=issuer_id,
                accession_number=accession_number,
            )
        )


def original_accession(conn: Connection, alias: str) -> str | None:
    """Return the accession number behind an alias, or None."""
    columns = tables.accession_alias.c
    query = select(columns.accession_number).where(columns.alias == alias)
    return conn.execute(query).scalar()
