"""C-FIND in Study Root and Patient Root (PS3.4 Section C.4.1)."""

import logging
from io import BytesIO
from typing import TYPE_CHECKING, Any, cast

from pynetdicom.dimse_primitives import C_FIND
from pynetdicom.presentation import PresentationContext

from archive.dimse.commands import comment
from archive.dimse.identifiers import Identifier, answer_of, read_identifier
from archive.dimse.negotiation import PATIENT_ROOT
from archive.dimse.statuses import statuses_of
from archive.errors import ArchiveError
from archive.words.statuses import FindStatus

if TYPE_CHECKING:
    from archive.dimse.acceptor import Acceptor

LOGGER = logging.getLogger(__name__)


def serve_find(association: "Acceptor", request: C_FIND, context: PresentationContext) -> None:
    """Answer one C-FIND: a pending response for each match, then how it ended."""
    finding = _Finding(association, request, context)
    try:
        status, said = finding.run(), ""
    except ArchiveError as error:
        status, said = statuses_of(error).find, error.sentence
    finding.respond(status, said=said)
    LOGGER.info(
        "association=%s service=C-FIND matches=%d status=0x%04X comment=%r",
        association.name,
        finding.matches,
        status,
        comment(said),
    )


class _Finding:
    """One C-FIND under way."""

    def __init__(
        self, association: "Acceptor", request: C_FIND, context: PresentationContext
    ) -> None:
        self._association = association
        self._request = request
        self._context = context
        self._syntax = str(context.transfer_syntax[0])
        self.matches = 0

    def run(self) -> FindStatus:
        """Send the matches; return how it ended: to the last one, or canceled."""
        identifier = self._identifier()
        offer = self._association.offer
        for match in offer.reader().search(
            self._association.asker, identifier.level, identifier.keys
        ):
            if self._association.is_canceled(self._request.MessageID):
                return FindStatus.CANCEL
            if self._association.has_ended():
                break
            answer = answer_of(
                match, identifier, retrieve_ae=offer.ae_title, transfer_syntax=self._syntax
            )
            self.respond(
                FindStatus.PENDING if answer.complete else FindStatus.PENDING_KEYS_UNSUPPORTED,
                identifier=answer.octets,
            )
            self.matches += 1
        return FindStatus.SUCCESS

    def respond(self, status: FindStatus, *, identifier: bytes = b"", said: str = "") -> None:
        """Send one C-FIND response."""
        response = C_FIND()
        response.MessageIDBeingRespondedTo = self._request.MessageID or 0
        response.AffectedSOPClassUID = self._context.abstract_syntax
        response.Status = status
        if said:
            cast("Any", response).ErrorComment = comment(said)
        response.Identifier = BytesIO(identifier) if identifier else None
        self._association.respond(response, self._context)

    def _identifier(self) -> Identifier:
        octets = self._request.Identifier.getvalue() if self._request.Identifier else b""
        return read_identifier(
            octets, self._syntax, patient_root=self._context.abstract_syntax in PATIENT_ROOT
        )
