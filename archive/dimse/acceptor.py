"""One association as the acceptor: which service each message gets."""

import logging
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from pynetdicom import AE
from pynetdicom._globals import MODE_ACCEPTOR
from pynetdicom.association import Association
from pynetdicom.dimse_primitives import C_ECHO, C_FIND, C_GET, C_MOVE
from pynetdicom.presentation import PresentationContext

from archive.dimse import negotiation
from archive.dimse.outbox import answer_store
from archive.dimse.peers import Callers, Destinations
from archive.dimse.receive import Inbox, Peer, Receiver, Reception, StoreRequest
from archive.dimse.upper_layer import UpperLayer
from archive.words.identity import Asker

if TYPE_CHECKING:
    from archive.reader import Reader

LOGGER = logging.getLogger(__name__)

SUCCESS = 0x0000
SOP_CLASS_NOT_SUPPORTED = 0x0122
"""PS3.7 Sections C.1.1 and C.5.6."""

_WAITING_PDUS = 256
_PAUSE_SECONDS = 0.001

Response = C_ECHO | C_FIND | C_GET | C_MOVE


@dataclass(frozen=True, slots=True)
class Offer:
    """What a door serves with."""

    ae_title: str
    receiver: Receiver
    callers: Callers
    destinations: Destinations
    reader: "Callable[[], Reader]"
    """Opens what is read at the first query, so that storing works without a database."""
    note_refused: Callable[[str, str], None]
    """Is told the calling AE title and the address of each refused association."""


class Acceptor(Association):
    """An association that somebody else opened."""

    asker: Asker
    """As whom the calling AE asks; set when it was admitted."""

    def __init__(self, entity: AE, offer: Offer) -> None:
        super().__init__(entity, MODE_ACCEPTOR)
        self.name = f"AcceptorThread@{secrets.token_hex(8)}"
        self.offer = offer
        self.calling_ae = ""
        self.acse = negotiation.Negotiator(self)
        self.dimse = Inbox(self)
        self.dul = UpperLayer(self)
        # pynetdicom keeps its time limits in the upper layer that was just replaced.
        self.acse_timeout = entity.acse_timeout
        self.network_timeout = entity.network_timeout
        self._reception: Reception | None = None

    def run_reactor(self) -> None:
        """Serve until the association ends, then hand over what was stored."""
        try:
            super().run_reactor()
        finally:
            if self._reception is not None:
                self._reception.end()

    def admits(self, calling_ae: str) -> bool:
        """Tell whether the calling AE may associate, and note as whom it asks."""
        self.calling_ae = calling_ae
        asker = self.offer.callers.caller(calling_ae)
        address = f"{self.requestor.address}:{self.requestor.port}"
        if asker is None:
            LOGGER.warning(
                "association=%s calling=%r peer=%s refused", self.name, calling_ae, address
            )
            self.offer.note_refused(calling_ae, address)
            return False
        self.asker = asker
        LOGGER.info("association=%s calling=%r peer=%s admitted", self.name, calling_ae, address)
        return True

    def respond(self, response: Response, context: PresentationContext) -> None:
        """Send a response, waiting while the peer is slow to take what is queued."""
        queue = self.dul.to_provider_queue
        while queue.qsize() >= _WAITING_PDUS and not self.has_ended():
            time.sleep(_PAUSE_SECONDS)
        if not self.has_ended():
            self.dimse.send_msg(response, cast("int", context.context_id))

    def has_ended(self) -> bool:
        """Tell whether the peer has gone: nothing that is sent would arrive."""
        return not self.is_established or self.acse.is_aborted() or not self.dul.is_alive()

    def is_canceled(self, message_id: int | None) -> bool:
        """Tell whether a C-CANCEL for this message has come (PS3.7 Section 9.3.2.3)."""
        return message_id in self.dimse.cancel_req

    def _serve_request(self, msg: Any, context_id: int) -> None:  # noqa: ANN401 - any message
        context = self._accepted_cx.get(context_id)
        if context is None or self._sent_release:
            self.abort()
            return
        self.dimse.cancel_req = {}
        self._is_paused = True
        try:
            self._serve(msg, context)
        except Exception:
            LOGGER.exception("association=%s aborted", self.name)
            self.abort()
        finally:
            self._is_paused = False
            # Time spent on an answer is not silence of the peer.
            self.dul._idle_timer.restart()  # noqa: SLF001

    def _serve(self, message: Any, context: PresentationContext) -> None:  # noqa: ANN401
        if isinstance(message, StoreRequest):
            answer = self._receiving().store(message, str(context.transfer_syntax[0]))
            answer_store(self, message, answer)
        elif isinstance(message, C_ECHO):
            self._answer(message, context, SUCCESS)
        elif isinstance(message, C_FIND | C_GET | C_MOVE):
            self._query(message, context)
        elif message.MessageIDBeingRespondedTo is None:
            LOGGER.warning("association=%s aborted unserved=%s", self.name, message.msg_type)
            self.abort()

    def _query(self, message: C_FIND | C_GET | C_MOVE, context: PresentationContext) -> None:
        # Only here is what reads the index needed, and imported.
        from archive.dimse.find import serve_find
        from archive.dimse.retrieve import serve_get, serve_move

        sop_class = str(context.abstract_syntax)
        if isinstance(message, C_FIND) and sop_class in negotiation.FIND:
            serve_find(self, message, context)
        elif isinstance(message, C_GET) and sop_class in negotiation.GET:
            serve_get(self, message, context)
        elif isinstance(message, C_MOVE) and sop_class in negotiation.MOVE:
            serve_move(self, message, context)
        else:
            self._answer(message, context, SOP_CLASS_NOT_SUPPORTED)

    def _answer(self, message: Response, context: PresentationContext, status: int) -> None:
        response = type(message)()
        response.MessageIDBeingRespondedTo = message.MessageID or 0
        response.AffectedSOPClassUID = context.abstract_syntax
        response.Status = status
        self.respond(response, context)

    def _receiving(self) -> Reception:
        if self._reception is None:
            self._reception = self.offer.receiver.reception(
                Peer(
                    association=self.name,
                    calling_ae=self.calling_ae,
                    called_ae=str(cast("Any", self.requestor.primitive).called_ae_title).strip(),
                    address=f"{self.requestor.address}:{self.requestor.port}",
                )
            )
        return self._reception
