"""The upper layer of one association (PS3.8)."""

import logging
import threading
import time
from typing import Any

from pynetdicom.dul import DULServiceProvider

LOGGER = logging.getLogger(__name__)

_LOOK_SECONDS = 0.25
_IDLE = "Sta1"
"""PS3.8 Table 9-1: no association; before the first event of a connection and after its last."""


class UpperLayer(DULServiceProvider):
    """The upper layer of one association, which ends quietly whatever a peer sends or leaves out.

    pynetdicom's would die of an event that its state has no row for, with a traceback of its
    thread, and would have the association wait its full time for a peer that has gone again.
    """

    def run_reactor(self) -> None:
        """Run until the connection ends."""
        try:
            super().run_reactor()
        except Exception as error:  # noqa: BLE001 - the thread ends here, and the association sees it
            LOGGER.warning("association=%s ended=%r", self.assoc.name, str(error))

    def receive_pdu(self, wait: bool = False, timeout: float | None = None) -> Any:  # noqa: ANN401, FBT001, FBT002
        """Return the next primitive; None where none came in time or none can come any more."""
        if not wait:
            return super().receive_pdu(wait=False)
        end = time.monotonic() + (threading.TIMEOUT_MAX if timeout is None else timeout)
        closed_before = False
        while time.monotonic() < end:
            primitive: Any = super().receive_pdu(wait=True, timeout=_LOOK_SECONDS)
            closed = self._is_closed()
            if primitive is not None or (closed and closed_before):
                return primitive
            closed_before = closed
        return None

    def _is_closed(self) -> bool:
        idle = self.state_machine.current_state == _IDLE and self.event_queue.empty()
        return idle or not self.is_alive()
