"""Send C-STORE messages whose Data Set is octets, in fragments, with bounded memory."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pynetdicom.pdu_primitives import P_DATA

from archive.dimse import commands
from archive.dimse.receive import StoreAnswer, StoreRequest
from archive.errors import PeerUnreachable
from archive.words.statuses import StoreStatus

if TYPE_CHECKING:
    from pynetdicom.association import Association

_PDV_HEADER = 6
_LARGEST = 128 * 1024
"""Octets of a PDU for a peer that sets no limit, and at most for others."""
_WAITING_PDUS = 32
_PAUSE_SECONDS = 0.001
_GENERAL_WARNINGS = frozenset({0x0001, 0x0107, 0x0116})
"""PS3.7 Annex C.3."""
_SERVICE_WARNINGS = 0xB000
"""B000H to BFFFH (PS3.7 Annex C.3, PS3.4 Table B.2-1)."""
_COMMAND, _COMMAND_LAST, _DATA, _DATA_LAST = b"\x01", b"\x03", b"\x00", b"\x02"


@dataclass(frozen=True, slots=True)
class StoreMessage:
    """The Command Set of a C-STORE sub-operation (PS3.7 Section 9.3.1.1)."""

    message_id: int
    sop_class_uid: str
    sop_instance_uid: str
    originator_ae: str = ""
    originator_message_id: int = 0
    """Who asked for the C-MOVE and by which message; left out without an AE title."""

    def coded(self) -> bytes:
        """Return the Command Set's octets."""
        values = {
            commands.AFFECTED_SOP_CLASS_UID: commands.ui(self.sop_class_uid),
            commands.COMMAND_FIELD: commands.us(commands.C_STORE_RQ),
            commands.MESSAGE_ID: commands.us(self.message_id),
            commands.PRIORITY: commands.us(commands.MEDIUM_PRIORITY),
            commands.COMMAND_DATA_SET_TYPE: commands.us(commands.DATA_SET_FOLLOWS),
            commands.AFFECTED_SOP_INSTANCE_UID: commands.ui(self.sop_instance_uid),
        }
        return commands.coded_command(values | self._originator())

    def _originator(self) -> dict[int, bytes]:
        if not self.originator_ae:
            return {}
        return {
            commands.MOVE_ORIGINATOR_AE_TITLE: commands.lo(self.originator_ae),
            commands.MOVE_ORIGINATOR_MESSAGE_ID: commands.us(self.originator_message_id),
        }


def store_response(request: StoreRequest, answer: StoreAnswer) -> bytes:
    """Return the Command Set of a response; what the request named is echoed, whatever it was."""
    values = {
        commands.AFFECTED_SOP_CLASS_UID: commands.ui(request.sop_class_uid),
        commands.COMMAND_FIELD: commands.us(commands.C_STORE_RSP),
        commands.MESSAGE_ID_BEING_RESPONDED_TO: commands.us(request.message_id),
        commands.COMMAND_DATA_SET_TYPE: commands.us(commands.NO_DATA_SET),
        commands.STATUS: commands.us(answer.status),
        commands.AFFECTED_SOP_INSTANCE_UID: commands.ui(request.sop_instance_uid),
    }
    if answer.comment:
        values[commands.ERROR_COMMENT] = commands.lo(answer.comment)
    return commands.coded_command(values)


def store(
    association: "Association", context_id: int, message: StoreMessage, chunks: Iterable[bytes]
) -> int:
    """Send one instance and return the status that the peer answers.

    The first chunk is awaited before the first octet leaves, so what cannot be read at all costs
    nothing. Where a later one fails, the association is aborted: a message cannot be taken back.

    Raises:
        PeerUnreachable: the association ended, or no response came in time.
        ArchiveError: whatever reading the chunks raised.
    """
    ahead = iter(chunks)
    first = next(ahead, b"")
    _pause_reactor(association)
    try:
        _send(association, context_id, message.coded(), _with_first(first, ahead))
        return _response(association, message.message_id)
    except BaseException:
        association.abort()
        raise
    finally:
        association._reactor_checkpoint.set()  # noqa: SLF001 - as pynetdicom's send_c_store does


def is_success(status: int) -> bool:
    """Tell whether a C-STORE status says that the instance was stored as sent."""
    return status == StoreStatus.SUCCESS


def is_warning(status: int) -> bool:
    """Tell whether a status says stored, but coerced or in part (PS3.4 Table B.2-1)."""
    return status in _GENERAL_WARNINGS or status & 0xF000 == _SERVICE_WARNINGS


def _with_first(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def _pause_reactor(association: "Association") -> None:
    association._reactor_checkpoint.clear()  # noqa: SLF001 - as pynetdicom's send_c_store does
    while not association._is_paused and association.is_established:  # noqa: SLF001
        time.sleep(_PAUSE_SECONDS)


def _send(
    association: "Association", context_id: int, command: bytes, data_set: Iterable[bytes]
) -> None:
    limit = association.dimse.maximum_pdu_size or _LARGEST
    length = min(max(limit, _PDV_HEADER + 2), _LARGEST) - _PDV_HEADER
    for fragment, last in _fragments([command], length):
        _put(association, context_id, (_COMMAND_LAST if last else _COMMAND) + fragment)
    for fragment, last in _fragments(data_set, length):
        _put(association, context_id, (_DATA_LAST if last else _DATA) + fragment)


def _fragments(chunks: Iterable[bytes], length: int) -> Iterator[tuple[bytes, bool]]:
    """Yield pieces of exactly ``length`` octets and a last one, told as such."""
    waiting = bytearray()
    for chunk in chunks:
        waiting += chunk
        start = 0
        while len(waiting) - start > length:
            yield bytes(waiting[start : start + length]), False
            start += length
        del waiting[:start]
    if waiting:
        yield bytes(waiting), True


def _put(association: "Association", context_id: int, value: bytes) -> None:
    """Queue one P-DATA request, waiting while the peer is slow to take what is queued."""
    queue = association.dul.to_provider_queue
    while queue.qsize() >= _WAITING_PDUS and association.dul.is_alive():
        time.sleep(_PAUSE_SECONDS)
    if not association.is_established or association.acse.is_aborted():
        raise PeerUnreachable("The association ended while an instance was sent.")
    primitive = P_DATA()
    primitive.presentation_data_value_list.append((context_id, value))
    association.dul.send_pdu(primitive)


def _response(association: "Association", message_id: int) -> int:
    while True:
        _, message = association.dimse.get_msg(block=True)
        if message is None:
            raise PeerUnreachable("No response to a C-STORE came.")
        status = getattr(message, "Status", None)
        if status is not None and message.MessageIDBeingRespondedTo == message_id:
            return int(status)
