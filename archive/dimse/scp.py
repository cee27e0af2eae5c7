"""The DICOM door: one port and one AE title for every service (PS3.7, PS3.8)."""

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from pynetdicom import AE, _config

from archive.dimse.acceptor import Acceptor, Offer
from archive.dimse.negotiation import SERVED
from archive.dimse.peers import Callers, Destination, Destinations
from archive.dimse.receive import Receiver
from archive.dimse.transport import Listener, ended
from archive.words.uids import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME

if TYPE_CHECKING:
    from archive.reader import Reader

__all__ = ["Callers", "Destination", "Destinations", "Door"]

MAXIMUM_LENGTH = 128 * 1024
"""Octets of a P-DATA-TF PDU that this side takes (PS3.8 Section D.1)."""
MAXIMUM_ASSOCIATIONS = 200
IDLE_SECONDS = 600.0
"""An association on which the peer says nothing for so long is aborted."""
ACSE_SECONDS = 30.0
RESPONSE_SECONDS = 60.0
STOP_SECONDS = 5.0
_POLL_SECONDS = 0.1


class Door:
    """Serves Verification, Storage, and Query/Retrieve in Patient Root and Study Root."""

    def __init__(
        self,
        *,
        ae_title: str,
        host: str,
        port: int,
        receiver: Receiver,
        callers: Callers,
        destinations: Destinations,
        reader: "Callable[[], Reader]",
        note_refused: Callable[[str, str], None] = lambda _ae_title, _address: None,
    ) -> None:
        """Take what to serve with; nothing is opened before :meth:`start`.

        ``reader`` is called at each query and may raise DatabaseUnavailable; ``note_refused`` is
        told the calling AE title and the address of each association that was refused.
        """
        self._address = (host, port)
        self._offer = Offer(ae_title, receiver, callers, destinations, reader, note_refused)
        self._entity = _entity(ae_title)
        self._listener: Listener | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> int:
        """Bind and serve in threads; return the port.

        Raises:
            OSError: the address cannot be bound.
        """
        self._listener = Listener(
            self._entity,
            self._address,
            ae_title=self._offer.ae_title,
            new_association=lambda: Acceptor(self._entity, self._offer),
        )
        self._entity._servers.append(self._listener)  # noqa: SLF001 - its shutdown takes it out
        self._thread = threading.Thread(
            target=self._listener.serve_forever, args=(_POLL_SECONDS,), name="dicom-door"
        )
        self._thread.start()
        return int(self._listener.server_address[1])

    def stop(self) -> None:
        """Take no new association, abort those that are open, wait until they have ended."""
        if self._listener is None or self._thread is None:
            return
        self._listener.shutdown()
        self._thread.join()
        associations = self._listener.active_associations
        for association in associations:
            association.abort()
        ended(associations, STOP_SECONDS)
        self._listener = None


def _entity(ae_title: str) -> AE:
    # pynetdicom's own log lines would tell identifiers of patients.
    _config.LOG_HANDLER_LEVEL = "none"
    _config.LOG_REQUEST_IDENTIFIERS = False
    _config.LOG_RESPONSE_IDENTIFIERS = False
    entity = AE(ae_title=ae_title)
    entity.implementation_class_uid = IMPLEMENTATION_CLASS_UID
    entity.implementation_version_name = IMPLEMENTATION_VERSION_NAME
    entity.maximum_pdu_size = MAXIMUM_LENGTH
    entity.maximum_associations = MAXIMUM_ASSOCIATIONS
    entity.network_timeout = IDLE_SECONDS
    entity.acse_timeout = ACSE_SECONDS
    entity.dimse_timeout = RESPONSE_SECONDS
    for sop_class in sorted(SERVED):
        entity.add_supported_context(sop_class)
    return entity
