"""C-STORE as it arrives: fragments are gathered, made durable, and only then answered.

The hot path. It needs a disk, and nothing else: nothing is decoded but the Command Set, no
database, broker or network is touched. Whatever a peer calls its objects, its octets are kept and
its request is answered.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.pdu_primitives import P_DATA

from archive.clock import Clock
from archive.dimse import commands
from archive.errors import InvalidUid, MalformedMessage, Unavailable
from archive.store.part10 import file_meta
from archive.store.segment import Envelope, RecordKind
from archive.store.spool import Spool
from archive.words.statuses import StoreStatus
from archive.words.uids import parse_uid

if TYPE_CHECKING:
    from pynetdicom.association import Association

LOGGER = logging.getLogger(__name__)

_COMMAND = 0x01
_LAST = 0x02
_INVALID_PDU = "Evt19"
"""PS3.8 Table 9-5: unrecognised or invalid PDU; the state machine answers with A-ABORT."""


@dataclass(frozen=True, slots=True)
class StoreRequest:
    """One C-STORE request with its Data Set, both exactly as they came (PS3.7 Section 9.1.1)."""

    context_id: int
    message_id: int
    sop_class_uid: str
    sop_instance_uid: str
    """Both as the command said, unchecked."""
    data_set: Sequence[bytes]
    """The Data Set fragments, in order; empty where the command said that none follows."""

    @property
    def octets(self) -> int:
        """Length of the Data Set."""
        return sum(len(fragment) for fragment in self.data_set)


@dataclass(frozen=True, slots=True)
class StoreAnswer:
    """What the sender is told."""

    status: StoreStatus
    comment: str = ""


@dataclass(slots=True)
class _Arriving:
    """A C-STORE whose Data Set is still on its way."""

    context_id: int
    command: dict[int, bytes]
    fragments: list[bytes] = field(default_factory=list)

    def request(self) -> StoreRequest:
        return StoreRequest(
            context_id=self.context_id,
            message_id=commands.number(self.command, commands.MESSAGE_ID) or 0,
            sop_class_uid=commands.text(self.command, commands.AFFECTED_SOP_CLASS_UID),
            sop_instance_uid=commands.text(self.command, commands.AFFECTED_SOP_INSTANCE_UID),
            data_set=self.fragments,
        )


class Inbox(DIMSEServiceProvider):
    """Gathers the messages of one association; a C-STORE is kept as octets, without a model.

    pynetdicom would abort an association on a UID of 65 characters and leave a request without UID
    unanswered. Here neither happens. All other messages are pynetdicom's own.
    """

    def __init__(self, assoc: "Association") -> None:
        super().__init__(assoc)
        self._command = bytearray()
        self._arriving: _Arriving | None = None

    def receive_primitive(self, primitive: P_DATA) -> None:
        """Take the fragments of one P-DATA indication (PS3.8 Section 9.3.1 and Annex E.2)."""
        for context_id, value in primitive.presentation_data_value_list:
            if not value:
                self._refuse("A fragment has no Message Control Header.")
            elif value[0] & _COMMAND:
                self._take_command(context_id, value)
            elif self._arriving is None:
                self._pass_on(context_id, value)
            else:
                self._take_data(self._arriving, context_id, value)

    def _take_command(self, context_id: int, value: bytes) -> None:
        self._command += value[1:]
        if self._arriving is not None or len(self._command) > commands.LENGTH_LIMIT:
            self._refuse("A command came where none may come, or it does not end.")
        elif value[0] & _LAST:
            octets = bytes(self._command)
            self._command.clear()
            self._begin(context_id, octets)

    def _begin(self, context_id: int, octets: bytes) -> None:
        try:
            command = commands.read_command(octets)
        except MalformedMessage as error:
            self._refuse(error.sentence)
            return
        if commands.number(command, commands.COMMAND_FIELD) != commands.C_STORE_RQ:
            self._pass_on(context_id, bytes((_COMMAND | _LAST,)) + octets)
            return
        arriving = _Arriving(context_id, command)
        if commands.number(command, commands.COMMAND_DATA_SET_TYPE) == commands.NO_DATA_SET:
            self._deliver(arriving)
        else:
            self._arriving = arriving

    def _take_data(self, arriving: _Arriving, context_id: int, value: bytes) -> None:
        if context_id != arriving.context_id:
            self._refuse("A Data Set goes on in another presentation context.")
            return
        arriving.fragments.append(value[1:])
        if value[0] & _LAST:
            self._arriving = None
            self._deliver(arriving)

    def _pass_on(self, context_id: int, value: bytes) -> None:
        try:
            super().receive_primitive(_p_data(context_id, value))
        except Exception as error:  # noqa: BLE001 - pynetdicom raises whatever a bad message makes it
            self._refuse(f"A message cannot be read: {type(error).__name__}")

    def _deliver(self, arriving: _Arriving) -> None:
        self.msg_queue.put((arriving.context_id, cast("Any", arriving.request())))

    def _refuse(self, sentence: str) -> None:
        LOGGER.warning("association=%s refused=%r", self.assoc.name, sentence)
        self._arriving = None
        self.dul.event_queue.put(_INVALID_PDU)


def _p_data(context_id: int, value: bytes) -> P_DATA:
    primitive = P_DATA()
    primitive.presentation_data_value_list.append((context_id, value))
    return primitive


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
        self._writer = spool.writer()
        self._clock = clock
        self._peer = peer

    def store(self, request: StoreRequest, transfer_syntax: str) -> StoreAnswer:
        """Return the answer to one C-STORE, when its octets are on the disk or never will be.

        ``transfer_syntax`` is that of the accepted context. Success and 0117H both mean durable:
        an object with an impossible UID is kept for a person to see. A700H means that nothing was
        kept and the sender is to try again.
        """
        answer = self._answer(request, transfer_syntax)
        LOGGER.info(
            "association=%s calling=%r sop_instance_uid=%r octets=%d status=0x%04X comment=%r",
            self._peer.association,
            self._peer.calling_ae,
            request.sop_instance_uid[:80],
            request.octets,
            answer.status,
            answer.comment,
        )
        return answer

    def end(self) -> None:
        """Hand over what was stored; nothing more comes."""
        self._writer.hand_over()

    def _answer(self, request: StoreRequest, transfer_syntax: str) -> StoreAnswer:
        if not request.octets:
            return StoreAnswer(StoreStatus.CANNOT_UNDERSTAND, "No Data Set came.")
        try:
            self._keep(request, transfer_syntax)
        except Unavailable as error:
            return StoreAnswer(StoreStatus.OUT_OF_RESOURCES, error.sentence)
        return _verdict(request)

    def _keep(self, request: StoreRequest, transfer_syntax: str) -> None:
        envelope = Envelope(
            association=self._peer.association,
            context_id=request.context_id,
            calling_ae=self._peer.calling_ae,
            called_ae=self._peer.called_ae,
            peer=self._peer.address,
            arrived_at=self._clock.now(),
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
        self._writer.append(RecordKind.DICOM, envelope, [meta, *request.data_set])


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
