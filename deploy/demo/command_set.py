"""The command sets that a modality and a workstation send and get (PS3.7 Section 9.3, Annex E)."""

import struct
from dataclasses import dataclass
from enum import IntEnum

VERIFICATION_SOP_CLASS = "1.2.840.10008.1.1"
"""PS3.4 Section A.4."""


class CommandElement(IntEnum):
    """Element numbers within group 0000 (PS3.7 Annex E.1)."""

    GROUP_LENGTH = 0x0000
    AFFECTED_SOP_CLASS_UID = 0x0002
    COMMAND_FIELD = 0x0100
    MESSAGE_ID = 0x0110
    MESSAGE_ID_BEING_RESPONDED_TO = 0x0120
    MOVE_DESTINATION = 0x0600
    PRIORITY = 0x0700
    COMMAND_DATA_SET_TYPE = 0x0800
    STATUS = 0x0900
    ERROR_COMMENT = 0x0902
    AFFECTED_SOP_INSTANCE_UID = 0x1000
    REMAINING_SUB_OPERATIONS = 0x1020
    COMPLETED_SUB_OPERATIONS = 0x1021
    FAILED_SUB_OPERATIONS = 0x1022
    WARNING_SUB_OPERATIONS = 0x1023
    MOVE_ORIGINATOR = 0x1030


class CommandField(IntEnum):
    """What a command asks (PS3.7 Annex E.1)."""

    C_STORE_RQ = 0x0001
    C_STORE_RSP = 0x8001
    C_GET_RQ = 0x0010
    C_FIND_RQ = 0x0020
    C_MOVE_RQ = 0x0021
    C_ECHO_RQ = 0x0030
    C_ECHO_RSP = 0x8030


class DataSetType(IntEnum):
    """Whether a Data Set follows the command (PS3.7 Annex E.1)."""

    PRESENT = 0x0001
    NONE = 0x0101


MEDIUM_PRIORITY = 0x0000


class CommandUnreadable(ValueError):
    """A response's command set is not built as PS3.7 Section 6.3.1 asks."""


@dataclass(frozen=True, slots=True)
class Response:
    """What a response says."""

    message_id: int
    status: int
    error_comment: str


def echo_request(*, message_id: int) -> bytes:
    """Return a C-ECHO-RQ (PS3.7 Section 9.3.5.1)."""
    return command_set(
        uid_element(CommandElement.AFFECTED_SOP_CLASS_UID, VERIFICATION_SOP_CLASS),
        number_element(CommandElement.COMMAND_FIELD, CommandField.C_ECHO_RQ),
        number_element(CommandElement.MESSAGE_ID, message_id),
        number_element(CommandElement.COMMAND_DATA_SET_TYPE, DataSetType.NONE),
    )


def store_request(*, message_id: int, sop_class_uid: str, sop_instance_uid: str) -> bytes:
    """Return a C-STORE-RQ (PS3.7 Section 9.3.1.1) with the UIDs as given, well-built or not."""
    return command_set(
        uid_element(CommandElement.AFFECTED_SOP_CLASS_UID, sop_class_uid),
        number_element(CommandElement.COMMAND_FIELD, CommandField.C_STORE_RQ),
        number_element(CommandElement.MESSAGE_ID, message_id),
        number_element(CommandElement.PRIORITY, MEDIUM_PRIORITY),
        number_element(CommandElement.COMMAND_DATA_SET_TYPE, DataSetType.PRESENT),
        uid_element(CommandElement.AFFECTED_SOP_INSTANCE_UID, sop_instance_uid),
    )


def read_response(command_set: bytes) -> Response:
    """Read message, status and error comment of a response.

    Raises:
        CommandUnreadable: an element reaches beyond the set, or no status is in it.
    """
    values = read_elements(command_set)
    try:
        status = _us(values[CommandElement.STATUS])
        message_id = _us(values[CommandElement.MESSAGE_ID_BEING_RESPONDED_TO])
    except (KeyError, struct.error) as problem:
        raise CommandUnreadable("The response has no status or no message ID.") from problem
    comment = values.get(CommandElement.ERROR_COMMENT, b"").decode("latin-1").strip(" \0")
    return Response(message_id=message_id, status=status, error_comment=comment)


def read_elements(command_set: bytes) -> dict[int, bytes]:
    """Return the value of each element by its number within group 0000.

    Raises:
        CommandUnreadable: an element reaches beyond the set.
    """
    values: dict[int, bytes] = {}
    position = 0
    while position + 8 <= len(command_set):
        _, element, length = struct.unpack_from("<HHI", command_set, position)
        end = position + 8 + length
        if end > len(command_set):
            raise CommandUnreadable("An element reaches beyond the command set.")
        values[element] = command_set[position + 8 : end]
        position = end
    return values


def _us(value: bytes) -> int:
    number: int = struct.unpack("<H", value)[0]
    return number


def command_set(*elements: bytes) -> bytes:
    """Return a command set of these elements, which come in ascending order (PS3.7 6.3.1)."""
    body = b"".join(elements)
    return _element(CommandElement.GROUP_LENGTH, struct.pack("<I", len(body))) + body


def _element(element: CommandElement, value: bytes) -> bytes:
    return struct.pack("<HHI", 0x0000, element, len(value)) + value


def number_element(element: CommandElement, value: int) -> bytes:
    """Return an element of VR US."""
    return _element(element, struct.pack("<H", value))


def ae_element(element: CommandElement, value: str) -> bytes:
    """Return an element of VR AE, padded with a space to an even length."""
    encoded = value.encode("ascii")
    return _element(element, encoded + b" " * (len(encoded) % 2))


def uid_element(element: CommandElement, value: str) -> bytes:
    """Return an element of VR UI, padded with a null to an even length."""
    encoded = value.encode("latin-1")
    return _element(element, encoded + bytes(len(encoded) % 2))
