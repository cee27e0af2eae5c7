"""Objects that cannot be indexed: kept, listed, and shown to a person; never dropped."""

import secrets
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, insert, select

from archive.clock import milliseconds
from archive.index import tables
from archive.index.directory import organisation_code
from archive.index.header import Loose
from archive.index.journal import data_quality, tally
from archive.index.register import Answer
from archive.intake.header import plain
from archive.intake.reasons import Reason
from archive.reader import Octets
from archive.store.blobs import BlobStore, held_name
from archive.store.durable import ensure_directory, write_durably
from archive.store.segment import Envelope


@dataclass(frozen=True, slots=True)
class Unfit:
    """An object that goes to ``held``: its octets are those of the Data Set, or the message."""

    envelope: Envelope
    location: Loose
    sha256: bytes
    size: int
    reason: Reason
    sentence: str


@dataclass(frozen=True, slots=True)
class HeldOctets:
    """Where held objects are kept."""

    blobs: BlobStore
    staging: Path

    def keep(self, octets: Octets, unfit: Unfit) -> None:
        """Put the octets into the blob store, durably; twice is no more than once.

        Raises:
            StorageFailed: the disk or the blob store refused.
        """
        ensure_directory(self.staging)
        path = self.staging / f"held-{secrets.token_hex(16)}"
        try:
            write_durably(path, octets.data_set(unfit.location))
            self.blobs.put(held_name(unfit.sha256), path)
        finally:
            path.unlink(missing_ok=True)


def note_held(conn: Connection, unfit: Unfit, *, node: str, at_ms: int) -> None:
    """List an object whose octets are kept, raise the alarm when it is new, and count it."""
    tally(conn, f"register.{Answer.UNREADABLE.value}", 1, at_ms)
    columns = tables.held.c
    known = select(columns.id).where(
        columns.sha256 == unfit.sha256, columns.reason == unfit.reason.value
    )
    if conn.execute(known).first() is not None:
        return
    said = unfit.envelope
    conn.execute(
        insert(tables.held).values(
            at=milliseconds(said.arrived_at),
            reason=unfit.reason.value,
            sentence=unfit.sentence,
            calling_ae=plain(said.calling_ae),
            called_ae=plain(said.called_ae),
            command_sop_class_uid=plain(said.sop_class_uid),
            command_sop_instance_uid=plain(said.sop_instance_uid),
            transfer_syntax=plain(said.transfer_syntax),
            sha256=unfit.sha256,
            size=unfit.size,
        )
    )
    data_quality(
        conn,
        organisation=organisation_of_node(conn, node),
        code=unfit.reason.value,
        sentence=f"An object was kept but not indexed. {unfit.sentence}",
        subject=f"held/{unfit.sha256.hex()}",
        at_ms=at_ms,
    )


def organisation_of_node(conn: Connection, node: str) -> str:
    """Return the ODS code of the organisation that runs a node; empty when no row tells."""
    columns = tables.node.c
    query = select(columns.organisation_id).where(columns.name == node)
    organisation_id = conn.execute(query).scalar()
    return "" if organisation_id is None else organisation_code(conn, organisation_id)
