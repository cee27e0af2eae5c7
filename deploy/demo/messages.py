"""DIMSE messages on an association, sent and received whole (PS3.7 Section 6.3, PS3.8 Annex E)."""

import contextlib
import hashlib
import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from deploy.demo.command_set import (
    CommandElement,
    CommandField,
    CommandUnreadable,
    DataSetType,
    command_set,
    number_element,
    read_elements,
    uid_element,
)
from deploy.demo.upper_layer import (
    Connection,
    PduType,
    PeerError,
    ProtocolBroken,
    p_data,
    pdu,
    read_pdvs,
    release_request,
)


@dataclass(frozen=True, slots=True)
class Message:
    """One message as it came."""

    context_id: int
    command: Mapping[int, bytes]
    data_set: bytes
    """The joined Data Set fragments; empty where none came."""

    @property
    def field(self) -> int:
        """What the command asks or answers."""
        return self.number(CommandElement.COMMAND_FIELD)

    def number(self, element: CommandElement) -> int:
        """Return the value of an element of VR US, 0 where it is not there."""
        return int.from_bytes(self.command.get(element, b"")[:2], "little")

    def text(self, element: CommandElement) -> str:
        """Return the value of an element of text, without padding."""
        return self.command.get(element, b"").decode("latin-1").strip(" \0")


@dataclass(frozen=True, slots=True)
class Received:
    """One object that came by C-STORE; its Data Set octets lie in a file of their own."""

    sop_class_uid: str
    sop_instance_uid: str
    """Both as the command said."""

    transfer_syntax: str
    path: Path
    """The Data Set as it came, without preamble and File Meta."""

    sha256: str
    octets: int
    calling_ae: str
    move_originator: str
    """(0000,1030) where a C-MOVE caused the store, else ""."""


class Shelf:
    """Where received Data Sets are put, one file each, so that none stays in memory."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self._numbers = itertools.count()

    def keep(self, message: Message, *, transfer_syntax: str, calling_ae: str) -> Received:
        """Write the Data Set of a C-STORE and tell what it was."""
        path = self._directory / f"{next(self._numbers):06d}.dataset"
        path.write_bytes(message.data_set)
        return Received(
            sop_class_uid=message.text(CommandElement.AFFECTED_SOP_CLASS_UID),
            sop_instance_uid=message.text(CommandElement.AFFECTED_SOP_INSTANCE_UID),
            transfer_syntax=transfer_syntax,
            path=path,
            sha256=hashlib.sha256(message.data_set).hexdigest(),
            octets=len(message.data_set),
            calling_ae=calling_ae,
            move_originator=message.text(CommandElement.MOVE_ORIGINATOR),
        )


class Conversation:
    """The messages of one established association."""

    def __init__(self, connection: Connection, *, fragment_length: int) -> None:
        self._connection = connection
        self._fragment_length = fragment_length

    def send(self, context_id: int, command: bytes, data_set: bytes = b"") -> None:
        """Send one message.

        Raises:
            AssociationAborted, AssociationLost, AnswerOverdue
        """
        self._send_part(context_id, command, is_command=True)
        if data_set:
            self._send_part(context_id, data_set, is_command=False)

    def receive(self) -> Message | None:
        """Wait for the next message; None when the peer releases instead, which is answered.

        Raises:
            AssociationAborted, AssociationLost, AnswerOverdue, ProtocolBroken
        """
        parts = {True: bytearray(), False: bytearray()}
        command: Mapping[int, bytes] | None = None
        while True:
            received = self._connection.receive()
            if received.kind == PduType.RELEASE_RQ:
                self._connection.send(pdu(PduType.RELEASE_RP, bytes(4)))
                return None
            if received.kind != PduType.P_DATA_TF:
                raise ProtocolBroken(f"{received.kind.name} came where a message was owed.")
            for value in read_pdvs(received.body):
                parts[value.command] += value.fragment
                if value.command and value.last:
                    command = _elements(bytes(parts[True]))
                if command is not None and value.last and _is_whole(command, of=value.command):
                    return Message(value.context_id, command, bytes(parts[False]))

    def release(self) -> None:
        """End the association in order; whatever is answered ends it too."""
        with contextlib.suppress(PeerError):
            self._connection.send(release_request())
            while self._connection.receive().kind != PduType.RELEASE_RP:
                pass
        self._connection.close()

    def close(self) -> None:
        """End the connection."""
        self._connection.close()

    def _send_part(self, context_id: int, octets: bytes, *, is_command: bool) -> None:
        for start in range(0, len(octets), self._fragment_length):
            fragment = octets[start : start + self._fragment_length]
            last = start + self._fragment_length >= len(octets)
            self._connection.send(p_data(context_id, fragment, command=is_command, last=last))


def answer(request: Message, field: CommandField, *, status: int) -> bytes:
    """Return the command set that answers a C-STORE or C-ECHO."""
    message_id = request.number(CommandElement.MESSAGE_ID)
    sop_class = request.text(CommandElement.AFFECTED_SOP_CLASS_UID)
    instance = request.text(CommandElement.AFFECTED_SOP_INSTANCE_UID)
    return command_set(
        uid_element(CommandElement.AFFECTED_SOP_CLASS_UID, sop_class),
        number_element(CommandElement.COMMAND_FIELD, field),
        number_element(CommandElement.MESSAGE_ID_BEING_RESPONDED_TO, message_id),
        number_element(CommandElement.COMMAND_DATA_SET_TYPE, DataSetType.NONE),
        number_element(CommandElement.STATUS, status),
        *([uid_element(CommandElement.AFFECTED_SOP_INSTANCE_UID, instance)] if instance else []),
    )


def _elements(command: bytes) -> Mapping[int, bytes]:
    try:
        return read_elements(command)
    except CommandUnreadable as problem:
        raise ProtocolBroken(str(problem)) from problem


def _is_whole(command: Mapping[int, bytes], *, of: bool) -> bool:
    """Tell whether a message ends with the last fragment of its command (``of``), or Data Set."""
    kind = int.from_bytes(command.get(CommandElement.COMMAND_DATA_SET_TYPE, b"\1\1")[:2], "little")
    return of == (kind == DataSetType.NONE)
