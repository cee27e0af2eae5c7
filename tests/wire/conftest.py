"""One door for the tests of a module, and a peer on it that is served the whole time."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from archive.clock import SystemClock
from archive.index import engine
from tests.associations.door import opened
from tests.wire.scripted import Peer
from tests.wire.spooled import BYSTANDERS, Bystander, Index, Spooled


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("migrated") / "index.sqlite"
    index = engine.Index(f"sqlite:///{path}", clock=SystemClock())
    index.migrate()
    index.close()
    return path


@pytest.fixture(scope="module")
def spooled(tmp_path_factory: pytest.TempPathFactory, migrated: Path) -> Iterator[Spooled]:
    index = Index()
    with opened(tmp_path_factory.mktemp("door"), migrated, reader=index.reader) as archive:
        index.of = archive
        running = Spooled(archive, index)
        yield running
        assert running.changed_later() == []


@pytest.fixture(scope="module")
def bystander(spooled: Spooled) -> Iterator[Bystander]:
    """Be served during each test of the module; whatever it was promised is there at its end."""
    standing = Bystander(spooled)
    yield standing
    assert standing.leave()
    kept = spooled.kept(BYSTANDERS, len(spooled.acknowledged))
    assert sorted(one.sop_instance_uid for one in kept) == sorted(spooled.acknowledged)


@pytest.fixture
def peer(spooled: Spooled) -> Iterator[Peer]:
    """A connection on which nothing has been said."""
    with Peer(spooled.archive.endpoint) as connected:
        yield connected


@pytest.fixture
def served(bystander: Bystander) -> Iterator[None]:
    """Whatever one peer does, another is served."""
    yield
    assert bystander.is_served()
