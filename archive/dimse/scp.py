"""The DICOM door: one port and one AE title for every service (PS3.7, PS3.8)."""

import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from pynetdicom import AE, _config
from pynetdicom.transport import AddressInformation

from archive.dimse.acceptor import Acceptor, Offer
from archive.dimse.gate import Gate
from archive.dimse.letterbox import Letterbox
from archive.dimse.limits import DoorLimits
from archive.dimse.negotiation import SERVED
from archive.dimse.peers import Callers, Destination, Destinations
from archive.dimse.receive import Receiver
from archive.dimse.tcp import Address
from archive.dimse.watch import Watch
from archive.words.uids import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME

if TYPE_CHECKING:
    from archive.reader import Reader

__all__ = ["Callers", "Destination", "Destinations", "Door", "DoorLimits"]

RESPONSE_SECONDS = 60.0
STOP_SECONDS = 3.0
_DEFAULTS = DoorLimits()


class Door:
    """Serves Verification, Storage, and Query/Retrieve in Patient Root and Study Root."""

    def __init__(  # noqa: PLR0913 - all by name
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
        letterbox: Letterbox | None = None,
        limits: DoorLimits = _DEFAULTS,
    ) -> None:
        """Take what to serve with; nothing is opened before :meth:`start`.

        ``reader`` is called at each query and may raise DatabaseUnavailable; ``note_refused`` is
        told the calling AE title and the address of each association that was refused. With a
        ``letterbox`` Storage Commitment is served, too.
        """
        self._address = (host, port)
        self._limits = limits
        self._offer = Offer(
            ae_title, receiver, callers, destinations, reader, note_refused, letterbox
        )
        self._entity = _entity(ae_title, limits)
        self._watch = Watch(limits)
        self._gate: Gate | None = None

    def start(self) -> int:
        """Bind and serve in threads; return the port.

        Raises:
            ConfigurationInvalid: the address cannot be bound.
        """
        gate = Gate(self._address, limits=self._limits, taker=self)
        port = gate.start()
        self._gate = gate
        return port

    def take(
        self, connection: socket.socket, address: Address, *, on_end: Callable[[], None]
    ) -> None:
        """Serve a connection that was accepted elsewhere; nothing has been read from it.

        Works without :meth:`start`. ``on_end`` is called once, in the association's own thread,
        when it has ended and what it stored has been handed over.
        """
        association = _Served(self._entity, self._offer, connection, self._watch, on_end)
        acceptor = association.acceptor
        acceptor.maximum_length = self._entity.maximum_pdu_size
        acceptor.ae_title = self._offer.ae_title
        acceptor.address_info = AddressInformation.from_tuple(connection.getsockname())
        acceptor.implementation_class_uid = self._entity.implementation_class_uid
        acceptor.implementation_version_name = self._entity.implementation_version_name
        association.requestor.address_info = AddressInformation.from_tuple(address)
        association.start()

    def stop(self) -> None:
        """Take no new association, abort those that are open, wait until they have ended."""
        if self._gate is not None:
            self._gate.stop()
            self._gate = None
        self._watch.end_all(STOP_SECONDS)


class _Served(Acceptor):
    """An association on a connection that is closed with it."""

    def __init__(
        self,
        entity: AE,
        offer: Offer,
        connection: socket.socket,
        watch: Watch,
        on_end: Callable[[], None],
    ) -> None:
        super().__init__(entity, offer)
        self._connection = connection
        self._watch = watch
        self._on_end = on_end
        self.connect(connection)

    def start(self) -> None:
        """Serve in a thread."""
        self._watch.add(self, self._connection)
        try:
            super().start()
        except RuntimeError:  # there are too many threads
            self._watch.remove(self)
            raise

    def run_reactor(self) -> None:
        """Serve until the association ends, then close its connection."""
        try:
            super().run_reactor()
        finally:
            with suppress(OSError):
                self._connection.shutdown(socket.SHUT_WR)
            self._connection.close()
            self._watch.remove(self)
            self._on_end()


def _entity(ae_title: str, limits: DoorLimits) -> AE:
    # pynetdicom's own log lines would tell identifiers of patients.
    _config.LOG_HANDLER_LEVEL = "none"
    _config.LOG_REQUEST_IDENTIFIERS = False
    _config.LOG_RESPONSE_IDENTIFIERS = False
    entity = AE(ae_title=ae_title)
    entity.implementation_class_uid = IMPLEMENTATION_CLASS_UID
    entity.implementation_version_name = IMPLEMENTATION_VERSION_NAME
    entity.maximum_pdu_size = limits.pdu_bytes
    entity.maximum_associations = sys.maxsize  # the gate has counted them
    entity.network_timeout = limits.idle_seconds
    entity.acse_timeout = limits.artim_seconds
    entity.dimse_timeout = RESPONSE_SECONDS
    for sop_class in sorted(SERVED):
        entity.add_supported_context(sop_class)
    return entity
