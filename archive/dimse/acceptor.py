"""One association as the acceptor: which service each message gets."""

import logging
import secrets
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from pynetdicom import AE
from pynetdicom._globals import MODE_ACCEPTOR
from pynetdicom.association import Association
from pynetdicom.dimse_primitives import C_ECHO, C_FIND, C_GET, C_MOVE, N_ACTION
from pynetdicom.pdu_primitives import P_DATA
from pynetdicom.presentation import PresentationContext

from archive.dimse import negotiation
from archive.dimse.outbox import store_response
from archive.dimse.p_data import p_data
from archive.dimse.peers import Callers, Destinations
from archive.dimse.receive import Incoming, Peer, Receiver, Reception, StoreAnswer, StoreRequest
from archive.dimse.tcp import TURN_SECONDS
from archive.dimse.upper_layer import UpperLayer
from archive.dimse.wire import Wire
from archive.errors import MalformedMessage
from archive.words.identity import Asker

if TYPE_CHECKING:
    from archive.dimse.commitment import OpenRequests
    from archive.dimse.letterbox import Letterbox
    from archive.reader import Reader

LOGGER = logging.getLogger(__name__)

SUCCESS = 0x0000
SOP_CLASS_NOT_SUPPORTED = 0x0122
"""PS3.7 Sections C.1.1 and C.5.6."""

_WAITING_PDUS = 256
_PAUSE_SECONDS = 0.001
_ERRAND_SECONDS = 0.1

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
    letterbox: "Letterbox | None" = None
    """Where results of storage commitment come from; without it that is not served."""


class Acceptor(Association):
    """An association that somebody else opened.

    Two threads, as pynetdicom has it: the upper layer's reads and answers C-STORE requests by
    itself; this one serves all else, so that a C-CANCEL is heard while a query is answered.
    """

    asker: Asker
    """As whom the calling AE asks; set when it was admitted."""

    def __init__(self, entity: AE, offer: Offer) -> None:
        super().__init__(entity, MODE_ACCEPTOR)
        self.name = f"AcceptorThread@{secrets.token_hex(8)}"
        self.offer = offer
        self.calling_ae = ""
        self.errand: Callable[[], None] | None = None
        """Called in this thread about every 0.1 s while nothing is being served."""
        self._stirred = threading.Event()
        self.acse = negotiation.Negotiator(self)
        self.dul = UpperLayer(self)
        # pynetdicom keeps its time limits in the upper layer that was just replaced.
        self.acse_timeout = entity.acse_timeout
        self.network_timeout = entity.network_timeout
        self._is_busy = False
        self._reception: Reception | None = None
        self.open_requests: OpenRequests | None = None
        self._receiving_lock = threading.Lock()

    def connect(self, connection: socket.socket) -> None:
        """Take the connection that the association is to live on."""
        self.set_socket(Wire(self, connection, look=self._upper_layer.look))

    def stir(self) -> None:
        """Wake this thread: there may be something to serve."""
        self._stirred.set()

    @property
    def _upper_layer(self) -> UpperLayer:
        return cast("UpperLayer", self.dul)

    def run_reactor(self) -> None:
        """Serve until the association ends, then hand over what was stored."""
        try:
            super().run_reactor()
        finally:
            if self.open_requests is not None:
                self.open_requests.end()
            if self._reception is not None:
                self._reception.end()

    def _run_reactor(self) -> None:
        """Serve what comes, in the order of pynetdicom's own loop, asleep while nothing does."""
        while not self._kill:
            self._stirred.wait(_ERRAND_SECONDS if self.errand else TURN_SECONDS)
            self._stirred.clear()
            self._is_paused = True
            self._reactor_checkpoint.wait()
            self._is_paused = False
            self._serve_waiting()
            if self._has_to_end():
                self.kill()

    def _serve_waiting(self) -> None:
        self._is_busy = True
        while not self.dimse.msg_queue.empty() and not self.has_ended():
            context_id, message = self.dimse.get_msg(block=False)
            if message is not None:
                self._serve_request(message, cast("int", context_id))
        self._is_busy = False
        if self.errand is not None and not self.has_ended():
            self.errand()

    def _has_to_end(self) -> bool:
        """Tell whether the association is over, having answered a release or an abort."""
        if self.is_established and self.acse.is_release_requested():
            self.acse.send_release(is_response=True)
            self.is_released, self.is_established = True, False
        elif self.acse.is_aborted():
            self.dul.receive_pdu(wait=False)
            self.is_aborted, self.is_established = True, False
        elif self.dul.is_alive() and self.dul.idle_timer_expired():
            LOGGER.warning("association=%s aborted limit=idle_seconds", self.name)
            self.abort()
        return self.is_released or self.is_aborted or not self.dul.is_alive() or self._sent_abort

    # --- messages, in the upper layer's thread ----------------------------------------------

    def accepts(self, context_id: int) -> bool:
        """Tell whether a presentation context was accepted."""
        return context_id in self._accepted_cx

    @property
    def is_serving(self) -> bool:
        """Whether a request waits for its answer, or an answer for being sent."""
        queues = (self.dimse.msg_queue, self.dul.to_provider_queue)
        return self._is_busy or not all(queue.empty() for queue in queues)

    def incoming(self, request: StoreRequest) -> Incoming:
        """Return where the Data Set of a C-STORE goes, when what came before it is answered.

        Raises:
            ConnectionEnded: the association is to end first.
        """
        if self.is_serving:
            self._upper_layer.settle()
        syntax = self._accepted_cx[request.context_id].transfer_syntax[0]
        return self.reception().incoming(request, str(syntax))

    def answer(self, request: StoreRequest, answer: StoreAnswer) -> None:
        """Send the response to a C-STORE.

        Raises:
            ConnectionEnded: the peer does not take it.
        """
        response = p_data(
            request.context_id,
            store_response(request, answer),
            maximum_length=self.dimse.maximum_pdu_size or 0,
        )
        cast("Wire", self.dul.socket).send_all(response)

    def fragment(self, context_id: int, value: bytes) -> bool:
        """Take a fragment of a message that is pynetdicom's; tell whether the message goes on.

        Raises:
            MalformedMessage: it cannot be read.
        """
        primitive = P_DATA()
        primitive.presentation_data_value_list.append((context_id, value))
        try:
            self.dimse.receive_primitive(primitive)
        except Exception as error:
            raise MalformedMessage(
                "A message cannot be read.", error=type(error).__name__
            ) from error
        self.stir()
        return self.dimse.message is not None

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
        if isinstance(message, C_ECHO):
            self._answer(message, context, SUCCESS)
        elif isinstance(message, C_FIND | C_GET | C_MOVE):
            self._query(message, context)
        elif isinstance(message, N_ACTION):
            from archive.dimse.commitment import serve_action

            serve_action(self, message, context)
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

    def reception(self) -> Reception:
        """Return what this association stores through."""
        with self._receiving_lock:
            if self._reception is None:
                self._reception = self.offer.receiver.reception(self._peer())
            return self._reception

    def _peer(self) -> Peer:
        return Peer(
            association=self.name,
            calling_ae=self.calling_ae,
            called_ae=str(cast("Any", self.requestor.primitive).called_ae_title).strip(),
            address=f"{self.requestor.address}:{self.requestor.port}",
        )
