"""A node of its own, with the modalities that ask it among its peers."""

from collections.abc import Iterator

import pytest

from tests.commitment.modality import CommitmentScu
from tests.faults.tiers import Node
from tests.intake.conftest import cold, migrated
from tests.peers.processes import LOOPBACK, Endpoint, free_port
from tests.peers.valkey import ValkeyPeer, valkey

__all__ = ["cold", "migrated"]

CT_PORT, ORTHANC_PORT = free_port(), free_port()


@pytest.fixture(scope="package")
def broker() -> Iterator[ValkeyPeer]:
    with valkey() as running:
        yield running


@pytest.fixture(scope="package")
def node(tmp_path_factory: pytest.TempPathFactory, broker: ValkeyPeer) -> Iterator[Node]:
    """A node without a centre that knows where CT1 and ORTHANC take results."""
    peers = [Endpoint(LOOPBACK, CT_PORT, "CT1"), Endpoint(LOOPBACK, ORTHANC_PORT, "ORTHANC")]
    running = Node(tmp_path_factory.mktemp("committing"), "RXA", broker=broker.url(2), peers=peers)
    running.settings["commitment"] = {"wait_seconds": 20.0}
    running.start("receive", "work")
    yield running
    running.stop()


@pytest.fixture
def ct1(node: Node) -> CommitmentScu:
    return CommitmentScu("CT1", Endpoint(LOOPBACK, node.port("dicom"), "RXA"))


@pytest.fixture
def ct_port() -> int:
    return CT_PORT


@pytest.fixture
def orthanc_port() -> int:
    return ORTHANC_PORT
