"""The central store without HTTP: a node's port straight onto the parts that answer it."""

import threading
import time
from dataclasses import dataclass
from pathlib import Path

from archive.errors import DigestMismatch
from central_store.tiers.calling import CallingNode
from central_store.tiers.receiving import Tiers
from central_store.tiers.uploads import PackName, Upload
from sync.transfer.messages import (
    AnnouncementMessage,
    ArrivalMessage,
    LackingMessage,
    OrdersMessage,
    OutcomeMessage,
    PatientsMessage,
    ReceiptMessage,
    StatesMessage,
)
from sync.transfer.peer import Check, PackReader

_LOOK_EVERY_S = 0.02


@dataclass(frozen=True)
class InProcessCentre:
    """A :class:`sync.transfer.peer.Centre` as one trust's node calls it."""

    tiers: Tiers
    trust: str

    def announce(self, message: AnnouncementMessage) -> LackingMessage:
        return self.tiers.facts.announce(self._node(), message)

    def put_pack(
        self, *, content: str, encoding: str, length: int, read: PackReader
    ) -> ReceiptMessage:
        name = PackName(content, encoding, length)
        offset = self.tiers.uploads.offset(self._node(), name)
        begun = self.tiers.uploads.begin(self._node(), name, offset=offset)
        if isinstance(begun, ReceiptMessage):
            return begun
        return self._receive(name, begun, read)

    def get_pack(
        self, *, content: str, encoding: str, length: int, target: Path, check: Check
    ) -> None:
        pack = self.tiers.downloads.find(self._node(), content=content, encoding=encoding)
        have = target.stat().st_size if target.exists() else 0
        if have < length:
            rest = self.tiers.downloads.read(pack, offset=have, length=pack.length - have)
            with target.open("ab") as file:
                for chunk in rest:
                    file.write(chunk)
                    check()
        if target.stat().st_size != length:
            target.unlink()
            raise DigestMismatch("A pack came with another length than it has.", content=content)

    def tell_states(self, message: StatesMessage) -> None:
        self.tiers.facts.states(self._node(), message)

    def tell_patients(self, message: PatientsMessage) -> None:
        self.tiers.facts.patients(self._node(), message)

    def tell_arrival(self, message: ArrivalMessage) -> None:
        self.tiers.facts.arrival(self._node(), message)

    def orders(self, *, wait_seconds: float) -> OrdersMessage:
        until = time.monotonic() + wait_seconds
        offered = self.tiers.orders.offered(self._node())
        while not offered.orders and time.monotonic() < until:
            threading.Event().wait(_LOOK_EVERY_S)
            offered = self.tiers.orders.offered(self._node())
        return offered

    def acknowledge(self, order_id: int) -> None:
        self.tiers.orders.acknowledge(self._node(), order_id)

    def finish(self, order_id: int, message: OutcomeMessage) -> None:
        self.tiers.orders.finish(self._node(), order_id, message)

    def _receive(self, name: PackName, upload: Upload, read: PackReader) -> ReceiptMessage:
        try:
            for chunk in read(upload.held) if upload.lacking else ():
                upload.write(chunk)
            return self.tiers.uploads.finish(self._node(), name, upload)
        finally:
            upload.close()

    def _node(self) -> CallingNode:
        return self.tiers.roll.call(self.trust, organisation=self.trust)
