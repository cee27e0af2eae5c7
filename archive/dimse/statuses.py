"""Which DIMSE status an error becomes: one table for all doors."""

from collections.abc import Mapping
from dataclasses import dataclass

from archive import errors
from archive.words.statuses import FindStatus, RetrieveStatus, StoreStatus


@dataclass(frozen=True, slots=True)
class Statuses:
    """One error as each service tells it."""

    find: FindStatus
    retrieve: RetrieveStatus
    """For a whole C-MOVE or C-GET; a single sub-operation that fails is listed by name."""
    store: StoreStatus


_NOT_PERFORMED = Statuses(
    FindStatus.UNABLE_TO_PROCESS,
    RetrieveStatus.UNABLE_TO_PERFORM_SUB_OPERATIONS,
    StoreStatus.CANNOT_UNDERSTAND,
)
_BAD_IDENTIFIER = Statuses(
    FindStatus.IDENTIFIER_DOES_NOT_MATCH_SOP_CLASS,
    RetrieveStatus.IDENTIFIER_DOES_NOT_MATCH_SOP_CLASS,
    StoreStatus.CANNOT_UNDERSTAND,
)
_NOT_ALLOWED = Statuses(
    FindStatus.UNABLE_TO_PROCESS, RetrieveStatus.UNABLE_TO_PROCESS, StoreStatus.NOT_AUTHORIZED
)
_DEFECT = Statuses(
    FindStatus.UNABLE_TO_PROCESS, RetrieveStatus.UNABLE_TO_PROCESS, StoreStatus.CANNOT_UNDERSTAND
)
_LATER = Statuses(
    FindStatus.OUT_OF_RESOURCES,
    RetrieveStatus.UNABLE_TO_PERFORM_SUB_OPERATIONS,
    StoreStatus.OUT_OF_RESOURCES,
)

STATUSES: Mapping[type[errors.ArchiveError], Statuses] = {
    errors.InvalidUid: Statuses(
        FindStatus.IDENTIFIER_DOES_NOT_MATCH_SOP_CLASS,
        RetrieveStatus.IDENTIFIER_DOES_NOT_MATCH_SOP_CLASS,
        StoreStatus.INVALID_SOP_INSTANCE,
    ),
    errors.InvalidQuery: _BAD_IDENTIFIER,
    errors.MalformedMessage: _BAD_IDENTIFIER,
    errors.NotAuthenticated: _NOT_ALLOWED,
    errors.NotPermitted: _NOT_ALLOWED,
    errors.UnknownCallingAE: _NOT_ALLOWED,
    errors.UnknownDestination: Statuses(
        FindStatus.UNABLE_TO_PROCESS,
        RetrieveStatus.MOVE_DESTINATION_UNKNOWN,
        StoreStatus.CANNOT_UNDERSTAND,
    ),
    errors.NoAuthority: _BAD_IDENTIFIER,
    errors.NoLocalNumber: _NOT_PERFORMED,
    errors.UnknownIssuer: _BAD_IDENTIFIER,
    errors.NotFound: _NOT_PERFORMED,
    errors.Gone: _NOT_PERFORMED,
    errors.NotAcceptable: _NOT_PERFORMED,
    errors.PayloadTooLarge: _LATER,
    errors.EncodingChanged: _DEFECT,
    errors.StateMoved: _DEFECT,
    errors.ConfigurationInvalid: _DEFECT,
    errors.DiskFloorReached: _LATER,
    errors.SegmentClosed: _LATER,
    errors.StorageFailed: _LATER,
    errors.DatabaseUnavailable: Statuses(
        FindStatus.OUT_OF_RESOURCES,
        RetrieveStatus.UNABLE_TO_CALCULATE_MATCHES,
        StoreStatus.OUT_OF_RESOURCES,
    ),
    errors.BrokerUnavailable: _LATER,
    errors.PeerUnreachable: _LATER,
    errors.PeerDeclined: _LATER,
    errors.NotYetHeld: _LATER,
    errors.DigestMismatch: _NOT_PERFORMED,
    errors.TornRecord: _NOT_PERFORMED,
    errors.PackMalformed: _NOT_PERFORMED,
    errors.DataSetUnreadable: _NOT_PERFORMED,
    errors.PixelsDiffer: _NOT_PERFORMED,
}


def statuses_of(error: errors.ArchiveError) -> Statuses:
    """Return what each service answers when ``error`` ends its request."""
    return STATUSES[type(error)]
