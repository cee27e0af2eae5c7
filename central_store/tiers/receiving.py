"""What the central store is to nodes, without HTTP: each part receives what it needs."""

from pathlib import Path

from archive.clock import Clock
from archive.index.engine import Index
from archive.store.blobs import BlobStore
from central_store.config import CentralSettings
from central_store.tiers.calling import Roll
from central_store.tiers.downloads import Downloads
from central_store.tiers.facts import Facts
from central_store.tiers.orders import Orders
from central_store.tiers.uploads import Uploads
from central_store.tiers.watch import OrderWatch
from sync.jobs.ledger import Ledger
from sync.jobs.nudger import Nudger


class Tiers:
    """The parts that answer nodes. Nothing is opened here; any thread may call any part."""

    def __init__(
        self,
        *,
        index: Index,
        blobs: BlobStore,
        staging: Path,
        ledger: Ledger,
        clock: Clock,
        settings: CentralSettings,
        nudger: Nudger,
    ) -> None:
        place = settings.central.name
        self.roll = Roll(index, clock)
        self.facts = Facts(index, ledger, clock, settings.prefetch, nudger, place)
        self.uploads = Uploads(
            index=index,
            blobs=blobs,
            staging=staging,
            ledger=ledger,
            clock=clock,
            nudger=nudger,
            floor_bytes=settings.limits.disk_floor_bytes,
            place=place,
        )
        self.downloads = Downloads(index, blobs)
        self.orders = Orders(index, ledger, clock, nudger)
        self.watch = OrderWatch(self.orders.nodes_with_offers)
