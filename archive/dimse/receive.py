"""C-STORE as it arrives: gathered, made durable, and only then answered.

The hot path. It needs a disk, and nothing else: nothing is decoded but the Command Set, no
database, broker or network is touched. Whatever a peer calls its objects, its octets are kept and
its request is answered.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from archive.clock import Clock
from archive.dimse import commands
from archive.errors import InvalidUid, Unavailable
from archive.store.disk import Octets
from archive.store.part10 import file_meta
from archive.store.segment import Envelope, RecordKind
from archive.store.spool import RecordStream, Spool
from archive.words.statuses import StoreStatus
from archive.words.uids import parse_uid

LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class StoreRequest:
    """One C-STORE request as its Command Set told it (PS3.7 Section 9.1.1)."""

    context_id: int
    message_id: int
    sop_class_uid: str
    sop_instance_uid: str
    """Both as the command said, unchecked."""

    @classmethod
    def of(cls, context_id: int, command: Mapping[int, bytes]) -> Self:
        """Return what a Command Set asks for."""
        return cls(
            context_id=context_id,
            message_id=commands.number(command, commands.MESSAGE_ID) or 0,
            sop_class_uid=commands.text(command, commands.AFFECTED_SOP_CLASS_UID),
            sop_instance_uid=commands.text(command, commands.AFFECTED_SOP_INSTANCE_UID),
        )


@dataclass(frozen=True, slots=True)
class StoreAnswer:
    """What the sender is told."""

    status: StoreStatus
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Peer:
    """Who is at the other end of an association."""

    association: str
    """Names the association in logs; ours."""
    calling_ae: str
    called_ae: str
    address: str


class Receiver:
    """Makes what arrives durable."""

    def __init__(self, spool: Spool, clock: Clock) -> None:
        self._spool = spool
        self._clock = clock

    def reception(self, peer: Peer) -> "Reception":
        """Return what one association stores through, with a segment of its own."""
        return Reception(self._spool, self._clock, peer)


class Reception:
    """The stores of one association, one after the other."""

    def __init__(self, spool: Spool, clock: Clock, peer: Peer) -> None:
        self._spool = spool
        self._writer = spool.writer()
        self._clock = clock
        self._peer = peer

    def incoming(self, request: StoreRequest, transfer_syntax: str) -> "Incoming":
        """Return where the Data Set of a request goes.

        ``transfer_syntax`` is that of the accepted context.
        """
        return Incoming(self, request, transfer_syntax)

    def keep_request(
        self,
        *,
        kind: RecordKind,
        context_id: int,
        transfer_syntax: str,
        sop_class_uid: str,
        sop_instance_uid: str,
        body: bytes,
    ) -> None:
        """Make any other request durable; on return it is.

        Raises:
            Unavailable: it is not, and never will be.
        """
        envelope = self._envelope(
            context_id=context_id,
            transfer_syntax=transfer_syntax,
            sop_class_uid=sop_class_uid,
            sop_instance_uid=sop_instance_uid,
        )
        self._writer.append(kind, envelope, [body])

    def end(self) -> None:
        """Hand over what was stored; nothing more comes."""
        self._writer.hand_over()

    # --- for Incoming -----------------------------------------------------------------------

    def append(self, request: StoreRequest, transfer_syntax: str, data_set: Octets) -> None:
        """Make a whole instance durable.

        Raises:
            Unavailable: nothing of it was kept.
        """
        envelope, meta = self._described(request, transfer_syntax)
        self._writer.append(RecordKind.DICOM, envelope, [meta, data_set])

    def stream(self, request: StoreRequest, transfer_syntax: str) -> RecordStream:
        """Begin an instance that is too long for memory. Errors as :meth:`append`."""
        envelope, meta = self._described(request, transfer_syntax)
        stream = self._spool.stream(RecordKind.DICOM, envelope)
        stream.write([meta])
        return stream

    def tell(self, request: StoreRequest, answer: StoreAnswer, *, octets: int) -> None:
        """Log what became of a request."""
        LOGGER.info(
            "association=%s calling=%r sop_instance_uid=%r octets=%d status=0x%04X comment=%r",
            self._peer.association,
            self._peer.calling_ae,
            request.sop_instance_uid[:80],
            octets,
            answer.status,
            answer.comment,
        )

    def _described(self, request: StoreRequest, transfer_syntax: str) -> tuple[Envelope, bytes]:
        envelope = self._envelope(
            context_id=request.context_id,
            transfer_syntax=transfer_syntax,
            sop_class_uid=request.sop_class_uid,
            sop_instance_uid=request.sop_instance_uid,
        )
        meta = file_meta(
            sop_class_uid=request.sop_class_uid,
            sop_instance_uid=request.sop_instance_uid,
            transfer_syntax=transfer_syntax,
            calling_ae=self._peer.calling_ae,
            called_ae=self._peer.called_ae,
        )
        return envelope, meta

    def _envelope(
        self, *, context_id: int, transfer_syntax: str, sop_class_uid: str, sop_instance_uid: str
    ) -> Envelope:
        return Envelope(
            association=self._peer.association,
            context_id=context_id,
            calling_ae=self._peer.calling_ae,
            called_ae=self._peer.called_ae,
            peer=self._peer.address,
            arrived_at=self._clock.now(),
            transfer_syntax=transfer_syntax,
            sop_class_uid=sop_class_uid,
            sop_instance_uid=sop_instance_uid,
        )


class Incoming:
    """The Data Set of one C-STORE: it comes whole, or in parts where it is long.

    Where the disk refuses, what still comes is let go, so that the request can be answered.
    """

    def __init__(self, reception: Reception, request: StoreRequest, transfer_syntax: str) -> None:
        self._reception = reception
        self._request = request
        self._transfer_syntax = transfer_syntax
        self._stream: RecordStream | None = None
        self._failure: Unavailable | None = None
        self._octets = 0

    def write(self, part: memoryview) -> None:
        """Take a part that is not the last; its memory may be used again."""
        self._octets += len(part)
        if self._failure is not None:
            return
        try:
            if self._stream is None:
                self._stream = self._reception.stream(self._request, self._transfer_syntax)
            self._stream.write([part])
        except Unavailable as error:
            self._failure = error

    def finish(self, last: memoryview) -> StoreAnswer:
        """Return the answer to the request, when its octets are on the disk or never will be.

        Success and 0117H both mean durable: an object with an impossible UID is kept for a person
        to see. A700H means that nothing was kept and the sender is to try again.
        """
        answer = self._finish(last)
        self._reception.tell(self._request, answer, octets=self._octets)
        return answer

    def abandon(self) -> None:
        """Leave nothing of it: the rest does not come."""
        if self._stream is not None and self._failure is None:
            self._stream.abandon()

    def _finish(self, last: memoryview) -> StoreAnswer:
        if not self._octets and not last:
            return StoreAnswer(StoreStatus.CANNOT_UNDERSTAND, "No Data Set came.")
        try:
            self._keep(last)
        except Unavailable as error:
            return StoreAnswer(StoreStatus.OUT_OF_RESOURCES, error.sentence)
        return _verdict(self._request)

    def _keep(self, last: memoryview) -> None:
        if not self._octets:
            self._octets = len(last)
            self._reception.append(self._request, self._transfer_syntax, last)
            return
        self.write(last)
        if self._failure is not None:
            raise self._failure
        if self._stream is not None:
            self._stream.commit()


def _verdict(request: StoreRequest) -> StoreAnswer:
    for name, uid, status in (
        ("SOP Instance UID", request.sop_instance_uid, StoreStatus.INVALID_SOP_INSTANCE),
        ("SOP Class UID", request.sop_class_uid, StoreStatus.DATA_SET_DOES_NOT_MATCH_SOP_CLASS),
    ):
        try:
            parse_uid(uid)
        except InvalidUid:
            return StoreAnswer(status, f"Kept, but the {name} breaks PS3.5 Section 9.1.")
    return StoreAnswer(StoreStatus.SUCCESS)
