"""The seam to a tier that takes HL7 messages: what intake asks of it, and what comes back."""

from typing import Protocol

from sqlalchemy import Connection

from archive.index.directory import Source
from archive.index.documents import Document
from archive.store.segment import Envelope


class Applied(Protocol):
    """What became of one message."""

    @property
    def document(self) -> Document | None:
        """A report to be registered, whose octets are the message as it came; or None."""


class Hl7Port(Protocol):
    """Applies messages inside intake's transaction; the same message twice changes nothing."""

    def apply(self, conn: Connection, octets: bytes, envelope: Envelope, source: Source) -> Applied:
        """Apply one message that was accepted."""
