"""Objects that cannot be indexed: kept, listed, and shown to a person; never dropped."""

import secrets
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, insert, select, update

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

_NAME_LIMIT = 200
"""Of a peer's name in a key: far more than any AE title or UID has, and few enough to index."""


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
    """List an object whose octets are kept, raise the alarm when it is new, and count it.

    What came before in every respect is no news, unless a person had settled it.
    """
    tally(conn, f"register.{Answer.UNREADABLE.value}", 1, at_ms)
    if not _list(conn, unfit):
        return
    data_quality(
        conn,
        organisation=organisation_of_node(conn, node),
        code=unfit.reason.value,
        sentence=f"An object was kept but not indexed. {unfit.sentence}",
        subject=f"held/{unfit.sha256.hex()}",
        at_ms=at_ms,
    )


def _list(conn: Connection, unfit: Unfit) -> bool:
    """Make the row of an arrival, or open it again; False when it is open already."""
    arrival = _arrival(unfit)
    columns = tables.held.c
    is_it = [columns[name] == value for name, value in arrival.items()]
    known = conn.execute(select(columns.id, columns.resolved_at).where(*is_it)).first()
    if known is None:
        conn.execute(insert(tables.held).values(**arrival, **_told(unfit)))
        return True
    again = update(tables.held).where(*is_it, columns.resolved_at.is_not(None))
    return conn.execute(again.values(**_told(unfit), resolved_at=None)).rowcount > 0


def _arrival(unfit: Unfit) -> dict[str, object]:
    """Return what makes an arrival one of its own."""
    said = unfit.envelope
    return {
        "sha256": unfit.sha256,
        "reason": unfit.reason.value,
        "calling_ae": plain(said.calling_ae)[:_NAME_LIMIT],
        "command_sop_class_uid": plain(said.sop_class_uid)[:_NAME_LIMIT],
        "command_sop_instance_uid": plain(said.sop_instance_uid)[:_NAME_LIMIT],
    }


def _told(unfit: Unfit) -> dict[str, object]:
    said = unfit.envelope
    return {
        "at": milliseconds(said.arrived_at),
        "sentence": unfit.sentence,
        "called_ae": plain(said.called_ae),
        "transfer_syntax": plain(said.transfer_syntax),
        "size": unfit.size,
    }


def organisation_of_node(conn: Connection, node: str) -> str:
    """Return the ODS code of the organisation that runs a node; empty when no row tells."""
    columns = tables.node.c
    query = select(columns.organisation_id).where(columns.name == node)
    organisation_id = conn.execute(query).scalar()
    return "" if organisation_id is None else organisation_code(conn, organisation_id)
