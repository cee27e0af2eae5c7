"""Storage Commitment Push Model as SCP (PS3.4 Annex J): a request is durable before it is answered.

The result goes out on the association that asked, while that is open, or on one of our own
(:mod:`archive.dimse.reporting`). Here nothing is needed but a disk.
"""

import logging
import time
from contextlib import suppress
from io import BytesIO
from queue import Empty
from typing import TYPE_CHECKING, Any, cast

from pynetdicom.dimse_primitives import N_ACTION, N_EVENT_REPORT
from pynetdicom.dsutils import encode
from pynetdicom.pdu_primitives import A_ABORT, A_P_ABORT, A_RELEASE
from pynetdicom.presentation import PresentationContext
from pynetdicom.status import code_to_category

from archive.dimse.commands import comment
from archive.dimse.letterbox import Letterbox, Slot
from archive.errors import MalformedMessage, Unavailable
from archive.store.segment import RecordKind
from archive.view.commitment import event_information, read_action
from archive.words.commitment import (
    PUSH_MODEL,
    PUSH_MODEL_INSTANCE,
    REQUEST_STORAGE_COMMITMENT,
    CommitmentRequest,
    CommitmentResult,
)
from archive.words.statuses import ActionStatus

if TYPE_CHECKING:
    from archive.dimse.acceptor import Acceptor

LOGGER = logging.getLogger(__name__)

ANSWER_SECONDS = 30.0
"""A peer that has not acknowledged a result for so long gets it on another association."""
_TURN_SECONDS = 0.1
_MESSAGE_IDS = 0xFFFF
_ACKNOWLEDGED = ("Success", "Warning")


class _Turned(Exception):
    """An N-ACTION that is answered with another status than Success."""

    def __init__(self, status: ActionStatus, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence


def serve_action(association: "Acceptor", message: N_ACTION, context: PresentationContext) -> None:
    """Answer an N-ACTION (PS3.7 Section 10.1.4); Success means that the request is on the disk."""
    status, sentence = ActionStatus.SUCCESS, ""
    try:
        request = _asked(message, context)
        _keep(association, message, context, request)
    except _Turned as error:
        status, sentence = error.status, error.sentence
    LOGGER.info(
        "association=%s calling=%r service=N-ACTION status=0x%04X comment=%r",
        association.name,
        association.calling_ae,
        status,
        sentence,
    )
    association.respond(_response(message, status, sentence), context)


def name_of(calling_ae: str, transaction_uid: str, content: bytes) -> str:
    """Return the name of the letter that answers a request."""
    return Letterbox.name(calling_ae.strip(), transaction_uid, content.hex())


class OpenRequests:
    """The results that one association waits for, to send them itself."""

    def __init__(self, association: "Acceptor", letterbox: Letterbox) -> None:
        self._association = association
        self._letterbox = letterbox
        self._slots: dict[str, tuple[Slot, PresentationContext]] = {}
        self._sent = 0

    def expect(self, request: CommitmentRequest, context: PresentationContext) -> None:
        """Wait for a result; where that cannot be, it comes on another association."""
        calling_ae = self._association.calling_ae
        name = name_of(calling_ae, request.transaction_uid, request.content)
        slot = None if name in self._slots else self._letterbox.wait(name)
        if slot is not None:
            self._slots[name] = (slot, context)

    def look(self) -> None:
        """Send the results that are there. The association's errand: it waits for the responses."""
        for name, (slot, context) in list(self._slots.items()):
            octets = slot.take()
            if octets is not None:
                del self._slots[name]
                slot.close(acknowledged=self._tell(CommitmentResult.decoded(octets), context))

    def end(self) -> None:
        """Wait no more: the association is over."""
        for slot, _ in self._slots.values():
            slot.close()
        self._slots.clear()

    def _tell(self, result: CommitmentResult, context: PresentationContext) -> bool:
        """Send a result and wait for the response; tell whether it was acknowledged."""
        association = self._association
        self._sent = self._sent % _MESSAGE_IDS + 1
        event = _event_report(result, context, self._sent, association.offer.ae_title)
        if not association.has_ended():
            association.dimse.send_msg(event, cast("int", context.context_id))
        status = _response_status(association, self._sent)
        LOGGER.info(
            "association=%s calling=%r service=N-EVENT-REPORT transaction_uid=%s status=%s",
            association.name,
            association.calling_ae,
            result.transaction_uid,
            "none" if status is None else f"0x{status:04X}",
        )
        return status is not None and is_acknowledged(status)


def is_acknowledged(status: int) -> bool:
    """Tell whether a status of an N-EVENT-REPORT says that the result was taken."""
    return code_to_category(status) in _ACKNOWLEDGED


def _asked(message: N_ACTION, context: PresentationContext) -> CommitmentRequest:
    """Return what is asked (the checks of PS3.7 Section 10.1.4.1.10)."""
    classes = {str(message.RequestedSOPClassUID), str(context.abstract_syntax)}
    if classes != {PUSH_MODEL}:
        raise _Turned(ActionStatus.NO_SUCH_SOP_CLASS, "Only Storage Commitment has actions here.")
    if str(message.RequestedSOPInstanceUID) != PUSH_MODEL_INSTANCE:
        raise _Turned(ActionStatus.NO_SUCH_SOP_INSTANCE, "It has one well-known instance.")
    if message.ActionTypeID != REQUEST_STORAGE_COMMITMENT:
        raise _Turned(ActionStatus.NO_SUCH_ACTION, "The only Action Type is 1.")
    try:
        return read_action(_information(message), str(context.transfer_syntax[0]))
    except MalformedMessage as error:
        raise _Turned(ActionStatus.INVALID_ARGUMENT_VALUE, error.sentence) from error


def _information(message: N_ACTION) -> bytes:
    information = message.ActionInformation
    return b"" if information is None else information.getvalue()


def _keep(
    association: "Acceptor",
    message: N_ACTION,
    context: PresentationContext,
    request: CommitmentRequest,
) -> None:
    """Make a request durable. The association waits for the result before anybody can have it."""
    _waiting(association).expect(request, context)
    try:
        association.reception().keep_request(
            kind=RecordKind.COMMITMENT,
            context_id=cast("int", context.context_id),
            transfer_syntax=str(context.transfer_syntax[0]),
            sop_class_uid=PUSH_MODEL,
            sop_instance_uid=PUSH_MODEL_INSTANCE,
            body=_information(message),
        )
    except Unavailable as error:
        raise _Turned(ActionStatus.RESOURCE_LIMITATION, error.sentence) from error


def _waiting(association: "Acceptor") -> OpenRequests:
    if association.open_requests is None:
        letterbox = association.offer.letterbox
        if letterbox is None:
            raise _Turned(ActionStatus.NO_SUCH_SOP_CLASS, "This tier does not commit.")
        association.open_requests = OpenRequests(association, letterbox)
        association.errand = association.open_requests.look
    return association.open_requests


def _response(message: N_ACTION, status: ActionStatus, sentence: str) -> Any:  # noqa: ANN401
    response: Any = N_ACTION()
    response.MessageIDBeingRespondedTo = message.MessageID or 0
    response.AffectedSOPClassUID = message.RequestedSOPClassUID
    response.AffectedSOPInstanceUID = message.RequestedSOPInstanceUID
    response.ActionTypeID = message.ActionTypeID
    response.Status = status
    if sentence:
        response.ErrorComment = comment(sentence)
    return response


def _event_report(
    result: CommitmentResult, context: PresentationContext, message_id: int, ae_title: str
) -> N_EVENT_REPORT:
    syntax = context.transfer_syntax[0]
    information = encode(
        event_information(result, retrieve_ae=ae_title),
        syntax.is_implicit_VR,
        syntax.is_little_endian,
    )
    report = N_EVENT_REPORT()
    report.MessageID = message_id
    report.AffectedSOPClassUID = PUSH_MODEL
    report.AffectedSOPInstanceUID = PUSH_MODEL_INSTANCE
    report.EventTypeID = result.event
    report.EventInformation = BytesIO(information or b"")
    return report


def _response_status(association: "Acceptor", message_id: int) -> int | None:
    """Wait for a response, and serve what else the peer asks meanwhile."""
    until = time.monotonic() + ANSWER_SECONDS
    while time.monotonic() < until and not _is_ending(association):
        with suppress(Empty):
            context_id, message = association.dimse.msg_queue.get(timeout=_TURN_SECONDS)
            if _answers(message, message_id):
                return int(cast("Any", message).Status)
            association._serve_request(message, cast("int", context_id))  # noqa: SLF001
    return None


def _answers(message: object, message_id: int) -> bool:
    return (
        isinstance(message, N_EVENT_REPORT)
        and message.MessageIDBeingRespondedTo == message_id
        and message.Status is not None
    )


def _is_ending(association: "Acceptor") -> bool:
    primitive = association.dul.peek_next_pdu()
    return association.has_ended() or isinstance(primitive, A_RELEASE | A_ABORT | A_P_ABORT)
