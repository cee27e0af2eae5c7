"""Results of storage commitment on associations of our own (PS3.4 Annex J)."""

from typing import cast

from pynetdicom import AE, build_role
from pynetdicom.association import Association
from pynetdicom.presentation import build_context

from archive.dimse.commitment import is_acknowledged
from archive.dimse.peers import Destination
from archive.dimse.scu import application_entity
from archive.errors import PeerDeclined, PeerUnreachable
from archive.view.commitment import event_information
from archive.words.commitment import PUSH_MODEL, PUSH_MODEL_INSTANCE, CommitmentResult
from archive.words.syntaxes import EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN

_SYNTAXES = (EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN)


class Reporter:
    """Tells results to peers."""

    def __init__(self, own_ae: str) -> None:
        self._own_ae = own_ae

    def report(self, destination: Destination, result: CommitmentResult) -> None:
        """Tell a result; on return the peer has acknowledged it.

        Raises:
            PeerUnreachable: no association can be had, or it broke.
            PeerDeclined: the peer answered, and did not take it.
        """
        association = _opened(application_entity(self._own_ae), destination)
        try:
            _check_role(association, destination)
            _check_status(_send(association, result, self._own_ae), destination)
        except PeerUnreachable:
            association.abort()
            raise
        finally:
            if association.is_established:
                association.release()


def _opened(entity: AE, destination: Destination) -> Association:
    """Open an association that proposes us as SCP (PS3.7 Section D.3.3.4)."""
    association = entity.associate(
        destination.host,
        destination.port,
        contexts=[build_context(PUSH_MODEL, list(_SYNTAXES))],
        ae_title=destination.ae_title,
        ext_neg=[build_role(PUSH_MODEL, scp_role=True)],
    )
    if association.is_rejected:
        raise PeerDeclined("The peer rejected the association.", ae_title=destination.ae_title)
    if not association.is_established and association.rejected_contexts:
        raise PeerDeclined("The peer does not take the class.", ae_title=destination.ae_title)
    if not association.is_established:
        raise PeerUnreachable("The peer did not answer.", ae_title=destination.ae_title)
    return association


def _check_role(association: Association, destination: Destination) -> None:
    if not any(context.as_scp for context in association.accepted_contexts):
        raise PeerDeclined(
            "The peer does not grant the SCP role of Storage Commitment.",
            ae_title=destination.ae_title,
        )


def _send(association: Association, result: CommitmentResult, own_ae: str) -> int | None:
    """Return the status that the peer answers; None where none came."""
    try:
        status, _ = association.send_n_event_report(
            event_information(result, retrieve_ae=own_ae),
            result.event,
            PUSH_MODEL,
            PUSH_MODEL_INSTANCE,
        )
    except RuntimeError:  # the association has ended
        return None
    answered = status.get("Status")
    return None if answered is None else cast("int", answered)


def _check_status(status: int | None, destination: Destination) -> None:
    if status is None:
        raise PeerUnreachable("The peer did not respond.", ae_title=destination.ae_title)
    if not is_acknowledged(status):
        raise PeerDeclined(
            f"The peer answered {status:04X}H to the result.", ae_title=destination.ae_title
        )
