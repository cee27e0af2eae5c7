"""A record on its way into the index: all that is told of it before any transaction."""

import hashlib
from dataclasses import dataclass

from archive.clock import milliseconds
from archive.errors import DataSetUnreadable, MalformedMessage, UnknownCallingAE
from archive.index.directory import Source, resolve_source
from archive.index.engine import Index
from archive.index.header import Arrived, Loose
from archive.intake.commitment import Asking
from archive.intake.header import plain
from archive.intake.held import HeldOctets, Unfit
from archive.intake.reasons import Reason, reason_of
from archive.intake.rejection import Rejection, rejection_in
from archive.intake.scan import Measured, digest_of, measure, read_header
from archive.reader import Octets
from archive.store.bodies import Body
from archive.store.segment import Record, RecordKind
from archive.view.commitment import read_action


@dataclass(frozen=True, slots=True)
class Instance:
    """An instance that can be registered."""

    arrived: Arrived
    rejection: Rejection | None

    @property
    def measured(self) -> Measured:
        """Where it lies, its digest and size."""
        arrived = self.arrived
        return Measured(arrived.location, arrived.digest.sha256, arrived.size)


@dataclass(frozen=True, slots=True)
class Message:
    """An HL7 message that can be applied."""

    octets: bytes
    measured: Measured
    source: Source


@dataclass(frozen=True, slots=True)
class Prepared:
    """One record, and what it is."""

    record: Record
    content: Instance | Message | Asking | Unfit

    @property
    def sop_instance_uid(self) -> str:
        """The UID that an instance is to be registered under; empty for all else."""
        content = self.content
        return content.arrived.header.SOPInstanceUID if isinstance(content, Instance) else ""


class Preparation:
    """Reads, hashes and scans records; octets that cannot be indexed are kept at once."""

    def __init__(
        self,
        index: Index,
        octets: Octets,
        held: HeldOctets,
        *,
        node: str,
        takes_hl7: bool,
        commits: bool = False,
    ) -> None:
        self._index = index
        self._octets = octets
        self._held = held
        self._node = node
        self._takes_hl7 = takes_hl7
        self._commits = commits
        self._sources: dict[tuple[str, str], Source] = {}

    def begin(self) -> None:
        """Ask the source table anew for what the next segment holds."""
        self._sources.clear()

    def prepare(self, segment: str, body: Body) -> Prepared:
        """Return what a record is, having taken its body once.

        Raises:
            TornRecord: the body is not what was received.
            NotFound: the segment is gone; another intake has finished it.
            StorageFailed: the disk or the blob store refused.
            DatabaseUnavailable: nothing could be learnt of the source now.
        """
        record = body.record
        if record.kind is RecordKind.HL7:
            return Prepared(record, self._message(segment, body))
        if record.kind is RecordKind.COMMITMENT:
            return Prepared(record, self._asking(segment, body))
        return Prepared(record, self._instance(segment, body))

    def held_instead(self, prepared: Prepared, sentence: str) -> Prepared:
        """Return a record that the index refused as one that is kept in ``held``."""
        content = prepared.content
        if isinstance(content, Unfit):
            return prepared
        return Prepared(
            prepared.record,
            self._unfit(prepared.record, content.measured, Reason.INTAKE_FAILED, sentence),
        )

    # --- instances --------------------------------------------------------------------------

    def _instance(self, segment: str, body: Body) -> Instance | Unfit:
        record = body.record
        try:
            measured = measure(_whole(segment, record), body.chunks)
        except DataSetUnreadable as error:
            _take_rest(body)
            return self._without_file_meta(segment, record, error)
        try:
            arrived = self._arrived(record, measured)
        except DataSetUnreadable as error:
            return self._unfit(record, measured, reason_of(error), error.sentence)
        except UnknownCallingAE as error:
            return self._unfit(record, measured, Reason.UNKNOWN_CALLING_AE, error.sentence)
        return Instance(arrived, rejection_in(self._octets, arrived))

    def _arrived(self, record: Record, measured: Measured) -> Arrived:
        said = record.envelope
        return Arrived(
            header=read_header(self._octets, measured, said),
            digest=digest_of(measured, said),
            size=measured.size,
            location=measured.location,
            source=self._source("dicom", said.calling_ae),
            calling_ae=plain(said.calling_ae),
            called_ae=plain(said.called_ae),
            arrived_ms=milliseconds(said.arrived_at),
        )

    def _source(self, kind: str, name: str) -> Source:
        if (kind, name) not in self._sources:
            with self._index.reading() as conn:
                source = resolve_source(conn, node=self._node, kind=kind, name=plain(name))
            self._sources[kind, name] = source
        return self._sources[kind, name]

    def _without_file_meta(self, segment: str, record: Record, error: DataSetUnreadable) -> Unfit:
        """Keep a whole record that is not Part 10 octets; no door of ours writes such."""
        location = _whole(segment, record)
        digest = hashlib.sha256()
        for chunk in self._octets.whole(location):
            digest.update(chunk)
        measured = Measured(location, digest.digest(), record.length)
        return self._unfit(record, measured, reason_of(error), error.sentence)

    # --- messages ---------------------------------------------------------------------------

    def _message(self, segment: str, body: Body) -> Message | Unfit:
        record = body.record
        octets = b"".join(body.chunks)
        measured = _measured(octets, _whole(segment, record))
        if not self._takes_hl7:
            sentence = "An HL7 message came to a tier that takes none."
            return self._unfit(record, measured, Reason.NOT_EXPECTED, sentence)
        try:
            source = self._source("hl7", record.envelope.calling_ae)
        except UnknownCallingAE as error:
            return self._unfit(record, measured, Reason.UNKNOWN_CALLING_AE, error.sentence)
        return Message(octets, measured, source)

    # --- storage commitment requests ---------------------------------------------------------

    def _asking(self, segment: str, body: Body) -> Asking | Unfit:
        record = body.record
        octets = b"".join(body.chunks)
        measured = _measured(octets, _whole(segment, record))
        if not self._commits:
            sentence = "A storage commitment request came to a tier that commits nothing."
            return self._unfit(record, measured, Reason.NOT_EXPECTED, sentence)
        try:
            request = read_action(octets, record.envelope.transfer_syntax)
        except MalformedMessage as error:
            return self._unfit(record, measured, Reason.BROKEN_CODING, error.sentence)
        calling_ae = plain(record.envelope.calling_ae)
        return Asking(request, calling_ae, self._octets.spool.present(), measured)

    # --- what is kept instead ---------------------------------------------------------------

    def _unfit(self, record: Record, measured: Measured, reason: Reason, sentence: str) -> Unfit:
        unfit = Unfit(
            envelope=record.envelope,
            location=measured.location,
            sha256=measured.sha256,
            size=measured.size,
            reason=reason,
            sentence=sentence,
        )
        self._held.keep(self._octets, unfit)
        return unfit


def _measured(octets: bytes, location: Loose) -> Measured:
    return Measured(location, hashlib.sha256(octets).digest(), len(octets))


def _whole(segment: str, record: Record) -> Loose:
    return Loose(segment, record.offset, record.length, 0)


def _take_rest(body: Body) -> None:
    """Take what is left of a body: what does not verify is kept nowhere."""
    for _ in body.chunks:
        pass
