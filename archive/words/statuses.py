"""DIMSE statuses by name. No bare number of the Standard stands anywhere else."""

from enum import IntEnum


class StoreStatus(IntEnum):
    """C-STORE (PS3.4 Table B.2-1, PS3.7 Section 9.1.1.1.9)."""

    SUCCESS = 0x0000
    OUT_OF_RESOURCES = 0xA700
    """Refused: Out of Resources. Nothing was kept; send again."""
    DATA_SET_DOES_NOT_MATCH_SOP_CLASS = 0xA900
    CANNOT_UNDERSTAND = 0xC000
    INVALID_SOP_INSTANCE = 0x0117
    """The SOP Instance UID breaks the construction rules (PS3.7 Section C.5.13)."""
    NOT_AUTHORIZED = 0x0124


class FindStatus(IntEnum):
    """C-FIND (PS3.4 Table C.4-1)."""

    SUCCESS = 0x0000
    PENDING = 0xFF00
    PENDING_KEYS_UNSUPPORTED = 0xFF01
    CANCEL = 0xFE00
    OUT_OF_RESOURCES = 0xA700
    IDENTIFIER_DOES_NOT_MATCH_SOP_CLASS = 0xA900
    UNABLE_TO_PROCESS = 0xC001


class RetrieveStatus(IntEnum):
    """C-MOVE and C-GET (PS3.4 Tables C.4-2 and C.4-3)."""

    SUCCESS = 0x0000
    PENDING = 0xFF00
    CANCEL = 0xFE00
    SUB_OPERATIONS_COMPLETE_WITH_FAILURES = 0xB000
    UNABLE_TO_CALCULATE_MATCHES = 0xA701
    UNABLE_TO_PERFORM_SUB_OPERATIONS = 0xA702
    MOVE_DESTINATION_UNKNOWN = 0xA801
    IDENTIFIER_DOES_NOT_MATCH_SOP_CLASS = 0xA900
    UNABLE_TO_PROCESS = 0xC001


class ActionStatus(IntEnum):
    """N-ACTION (PS3.7 Section 10.1.4.1.10)."""

    SUCCESS = 0x0000
    NO_SUCH_SOP_INSTANCE = 0x0112
    INVALID_ARGUMENT_VALUE = 0x0115
    """The Action Information is none, or lacks what it must have."""
    NO_SUCH_SOP_CLASS = 0x0118
    NO_SUCH_ACTION = 0x0123
    RESOURCE_LIMITATION = 0x0213
    """Nothing was kept; ask again."""
