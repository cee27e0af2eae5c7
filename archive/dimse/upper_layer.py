"""The upper layer of one association (PS3.8): pynetdicom's state machine, woken by what happens.

pynetdicom looks for something to do every millisecond, in two threads for each association, and
makes objects of every PDU. Here the thread of the upper layer sleeps until the socket or another
thread has something, and while an association is established (Sta6) its P-DATA-TF PDUs are read
by :class:`~archive.dimse.p_data.PDataReader`. Every other event is the state machine's.
"""

import logging
import os
import select
import struct
import threading
import time
from queue import Empty
from typing import TYPE_CHECKING, Any, cast

from pynetdicom.dul import DULServiceProvider
from pynetdicom.fsm import InvalidEventError
from pynetdicom.pdu import A_ABORT_RQ
from pynetdicom.pdu_primitives import A_ABORT, A_P_ABORT
from pynetdicom.timer import Timer

from archive.dimse.association_request import readable
from archive.dimse.p_data import Malformed, PDataReader
from archive.dimse.tcp import TURN_SECONDS
from archive.dimse.wire import ConnectionEnded, Wire

if TYPE_CHECKING:
    from archive.dimse.acceptor import Acceptor

LOGGER = logging.getLogger(__name__)

_IDLE = "Sta1"
_DATA_TRANSFER = "Sta6"
_AWAITING_CLOSE = "Sta13"
"""States of PS3.8 Table 9-1 to 9-5."""
_ARTIM_EXPIRED = "Evt18"
_INVALID_PDU = "Evt19"
_CLOSED = "Evt17"
"""Events of PS3.8 Table 9-10."""

_ASSOCIATE_RQ = 0x01
_PDU_TYPES = range(0x01, 0x08)
"""PS3.8 Section 9.3.1."""
_SHORT_PDU_TYPES = range(0x05, 0x08)
_SHORT_LENGTH = 4
"""A-RELEASE-RQ, A-RELEASE-RP and A-ABORT (PS3.8 Sections 9.3.6 to 9.3.8)."""
_BY_SERVICE_PROVIDER = 0x02
_UNRECOGNIZED_PDU = 0x01
_UNEXPECTED_PDU = 0x02
_INVALID_PDU_PARAMETER_VALUE = 0x06
"""Source and reasons of an A-ABORT (PS3.8 Table 9-26)."""

_LONGEST_PDU = 1024 * 1024
"""Octets of a PDU other than P-DATA-TF; a proposal of 128 contexts has some 20,000."""
_LINGER_SECONDS = 0.25
"""Silence of a peer after an A-ABORT until its connection is closed from here."""
_IDLE_TURN_SECONDS = 0.01


class SteadyTimer(Timer):
    """A timer that a clock set forward or back does not move."""

    def start(self) -> None:
        """Start, or start anew."""
        self._start_time = time.monotonic()
        self._end_time = None

    def stop(self) -> None:
        """Stop."""
        self._end_time = time.monotonic()

    @property
    def remaining(self) -> float:
        """Seconds until it expires; negative afterwards."""
        if self.timeout is None or self._start_time is None:
            return 1.0 if self.timeout is None else self.timeout
        until = time.monotonic() if self._end_time is None else self._end_time
        return self.timeout - (until - self._start_time)


class _Bell:
    """Wakes one thread that waits for a descriptor."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.descriptor = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def ring(self) -> None:
        with self._lock:
            if self.descriptor >= 0:
                os.eventfd_write(self.descriptor, 1)

    def hear(self) -> None:
        try:
            os.eventfd_read(self.descriptor)
        except BlockingIOError:
            return

    def close(self) -> None:
        with self._lock:
            os.close(self.descriptor)
            self.descriptor = -1


class UpperLayer(DULServiceProvider):
    """The upper layer of an acceptor, which ends quietly whatever a peer sends or leaves out."""

    def __init__(self, association: "Acceptor") -> None:
        super().__init__(association)
        self.acceptor = association
        self._idle_timer = SteadyTimer(60)
        self.artim_timer = SteadyTimer(30)
        self._bell = _Bell()
        self._reader: PDataReader | None = None
        self._is_broken = False
        self._reason = _INVALID_PDU_PARAMETER_VALUE

    # --- what other threads call ------------------------------------------------------------

    def send_pdu(self, primitive: Any) -> None:  # noqa: ANN401 - any primitive
        """Queue a primitive, and wake the thread that sends it."""
        super().send_pdu(primitive)
        self._bell.ring()

    def kill_dul(self) -> None:
        """End the thread."""
        super().kill_dul()
        self._bell.ring()

    def idle_timer_expired(self) -> bool:
        """Tell whether the peer has been silent for too long, between messages or inside one."""
        limit = self._idle_timer.timeout
        if limit is None or not self._idle_timer.expired:
            return False
        wire = cast("Wire | None", self.socket)
        return wire is None or wire.silent_seconds > limit

    def receive_pdu(self, wait: bool = False, timeout: float | None = None) -> Any:  # noqa: ANN401, FBT001, FBT002
        """Return the next primitive; None where none came in time or none can come any more."""
        if not wait:
            return super().receive_pdu(wait=False)
        end = time.monotonic() + (threading.TIMEOUT_MAX if timeout is None else timeout)
        closed_before = False
        while time.monotonic() < end:
            primitive: Any = super().receive_pdu(wait=True, timeout=TURN_SECONDS)
            closed = self._is_closed()
            if primitive is not None or (closed and closed_before):
                return primitive
            closed_before = closed
        return None

    def look(self) -> None:
        """Tell a read that waits whether to go on.

        Raises:
            ConnectionEnded: the association is to end, or the peer's time is over.
        """
        if self._kill_thread or self._is_to_abort() or self.artim_timer.expired:
            raise ConnectionEnded("The association is given up.")

    # --- the thread -------------------------------------------------------------------------

    def run_reactor(self) -> None:
        """Run until the connection ends."""
        try:
            self._idle_timer.start()
            self.acceptor._dul_ready.set()  # noqa: SLF001 - pynetdicom's own two threads meet so
            while not self._kill_thread:
                self._step()
        except InvalidEventError as error:  # our own side asks for what the peer has ended
            LOGGER.warning("association=%s ended=%r", self.acceptor.name, str(error))
        except Exception:
            LOGGER.exception("association=%s ended", self.acceptor.name)
        finally:
            self._leave()
            self.acceptor.stir()
            self._bell.close()

    def _step(self) -> None:
        if self.artim_timer.expired:
            self.event_queue.put(_ARTIM_EXPIRED)
        elif self.event_queue.empty() and not self._process_recv_primitive():
            self._await()
        try:
            event = self.event_queue.get(block=False)
        except Empty:
            return
        self.state_machine.do_action(event)
        self.acceptor.stir()

    def _await(self) -> None:
        """Wait for the peer or for another thread, and read what the peer has sent."""
        wire = cast("Wire | None", self.socket)
        if wire is None or wire.socket is None:
            self._wait(None, _IDLE_TURN_SECONDS)
        elif self._is_broken:
            self._close_broken(wire)
        elif wire.waiting or self._wait(wire, self._turn()):
            self._read(wire)
            self._idle_timer.restart()
        elif self.state_machine.current_state == _AWAITING_CLOSE:
            self._close_silent(wire)
        elif self._reader is not None:
            self._reader.rest()

    def _wait(self, wire: Wire | None, seconds: float) -> bool:
        """Wait for octets of the peer, or for the bell; tell whether there are octets."""
        poll = select.poll()
        poll.register(self._bell.descriptor, select.POLLIN)
        if wire is not None and wire.socket is not None:
            poll.register(wire.socket, select.POLLIN)
        ready = {descriptor for descriptor, _ in poll.poll(seconds * 1000)}
        if self._bell.descriptor in ready:
            self._bell.hear()
        return bool(ready - {self._bell.descriptor})

    def _turn(self) -> float:
        if self.state_machine.current_state == _AWAITING_CLOSE:
            return _LINGER_SECONDS
        return min(TURN_SECONDS, max(0.0, self.artim_timer.remaining))

    def _read(self, wire: Wire) -> None:
        if self.state_machine.current_state == _DATA_TRANSFER:
            self._read_established(wire)
        else:
            self._read_other(wire)

    def _read_established(self, wire: Wire) -> None:
        reader = self._reader or self._new_reader(wire)
        self._reason = _INVALID_PDU_PARAMETER_VALUE
        try:
            if not reader.read():
                self._leave()
                self._read_other(wire)
        except ConnectionEnded:
            self._leave()
            self._is_broken = True
            if not self._is_to_abort():
                self.event_queue.put(_CLOSED)
        except Malformed as error:
            LOGGER.warning("association=%s refused=%r", self.acceptor.name, str(error))
            self._leave()
            self._is_broken = True
            self._abort()

    def _new_reader(self, wire: Wire) -> PDataReader:
        self._reader = PDataReader(
            wire,
            self.acceptor,
            maximum_length=cast("int", self.acceptor.acceptor.maximum_length),
        )
        return self._reader

    def _read_other(self, wire: Wire) -> None:
        """Read one PDU that is the state machine's."""
        try:
            kind, length = struct.unpack(">BxI", wire.peek(6))
        except ConnectionEnded:
            self.event_queue.put(_CLOSED)
            return
        if kind not in _PDU_TYPES:
            self._refuse(_UNRECOGNIZED_PDU)
        elif length > _LONGEST_PDU or (kind in _SHORT_PDU_TYPES and length != _SHORT_LENGTH):
            self._refuse(_INVALID_PDU_PARAMETER_VALUE)
        else:
            self._reason = _UNEXPECTED_PDU
            self._read_pdu_data()

    def _refuse(self, reason: int) -> None:
        """Let the state machine hear of an invalid PDU, behind which none can be found."""
        self._reason = reason
        self._is_broken = True
        self.event_queue.put(_INVALID_PDU)

    def _decode_pdu(self, bytestream: bytearray) -> Any:  # noqa: ANN401 - PDU and event
        try:
            if bytestream[0] != _ASSOCIATE_RQ:
                return super()._decode_pdu(bytestream)
            pdu, event = super()._decode_pdu(bytearray(readable(bytes(bytestream))))
            pdu.to_primitive()  # the state machine, which does this next, would not survive it
            return pdu, event
        except Exception:
            self._reason = _INVALID_PDU_PARAMETER_VALUE
            raise

    def _send(self, pdu: Any) -> None:  # noqa: ANN401 - any PDU
        """Send a PDU; an A-ABORT as the service provider with the reason that was found."""
        if isinstance(pdu, A_ABORT_RQ) and pdu.source == _BY_SERVICE_PROVIDER:
            pdu.reason_diagnostic = self._reason or pdu.reason_diagnostic
        super()._send(pdu)

    def _leave(self) -> None:
        """Drop the message under way."""
        if self._reader is not None:
            self._reader.leave()

    def settle(self) -> None:
        """Send what our own side answers until it has answered everything, in this thread.

        So a C-STORE that comes while another request is served is answered after it.

        Raises:
            ConnectionEnded: the association is to end first.
        """
        while self.acceptor.is_serving:
            self.look()
            if self._process_recv_primitive():
                self.state_machine.do_action(self.event_queue.get())
            else:
                self._wait(None, _IDLE_TURN_SECONDS)

    # --- ending -----------------------------------------------------------------------------

    def _abort(self) -> None:
        """Send A-ABORT as the service provider (PS3.8 Table 9-26), and tell our own side."""
        primitive = A_P_ABORT()
        primitive.provider_reason = _INVALID_PDU_PARAMETER_VALUE
        with self.to_provider_queue.mutex:
            self.to_provider_queue.queue.clear()
        self.to_provider_queue.put(primitive)
        self.to_user_queue.put(primitive)

    def _is_to_abort(self) -> bool:
        queued = list(self.to_provider_queue.queue)
        return any(isinstance(one, A_ABORT | A_P_ABORT) for one in queued)

    def _close_silent(self, wire: Wire) -> None:
        """Close after an A-ABORT when the peer does not, and says nothing more."""
        if wire.silent_seconds >= _LINGER_SECONDS:
            wire.discard()
            wire.close()

    def _close_broken(self, wire: Wire) -> None:
        """Close when nobody can tell where the next PDU begins, and all that comes is let go."""
        has_closed = wire.discard()
        if has_closed or self.state_machine.current_state != _AWAITING_CLOSE:
            self.event_queue.put(_CLOSED)
        elif not self._wait(wire, _LINGER_SECONDS):
            wire.close()

    def _is_closed(self) -> bool:
        idle = self.state_machine.current_state == _IDLE and self.event_queue.empty()
        return idle or not self.is_alive()
