"""A node that stands alone, and a small region, shared by the tests of this directory.

Every test has UIDs and patients of its own, and leaves what it broke mended.
"""

from collections.abc import Iterator

import pytest

from tests.faults.regions import Region, running_region
from tests.faults.tiers import Node
from tests.peers.scp import RecordingScp
from tests.peers.valkey import ValkeyPeer, valkey


@pytest.fixture(scope="session")
def broker() -> Iterator[ValkeyPeer]:
    with valkey() as running:
        yield running


@pytest.fixture(scope="session")
def lone_node(tmp_path_factory: pytest.TempPathFactory, broker: ValkeyPeer) -> Iterator[Node]:
    """A node without a centre; tests use UIDs and patients of their own."""
    node = Node(tmp_path_factory.mktemp("lone"), "RXA", broker=broker.url(1))
    node.start("receive", "work")
    yield node
    node.stop()


@pytest.fixture(scope="session")
def region(tmp_path_factory: pytest.TempPathFactory, broker: ValkeyPeer) -> Iterator[Region]:
    """RXA, RXB and a centre; RXB's PACS records what C-MOVE brings."""
    directory = tmp_path_factory.mktemp("region")
    with RecordingScp("PACS_B") as pacs, running_region(directory, broker, pacs) as running:
        yield running
