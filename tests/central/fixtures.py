"""Fixtures of the rooms that need a central store."""

from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from archive.clock import SystemClock
from archive.index.engine import Index
from sync.transfer.peer import Centre, HttpCentre
from tests.central.nodes import NodeStand, stand_up_node
from tests.central.stands import TOKEN, CentreStand, stand_up_centre
from tests.jobs.clocks import MovedClock

MakeNode = Callable[..., NodeStand]


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("migrated") / "index.sqlite"
    index = Index(f"sqlite:///{path}", clock=SystemClock())
    index.migrate()
    index.close()
    return path


@pytest.fixture
def clock() -> MovedClock:
    return MovedClock()


@pytest.fixture
def centre(tmp_path: Path, migrated: Path, clock: MovedClock) -> Iterator[CentreStand]:
    stand = stand_up_centre(tmp_path / "centre", migrated, clock)
    yield stand
    stand.archive.index.close()


@pytest.fixture
def url(centre: CentreStand) -> Iterator[str]:
    with centre.serving() as base:
        yield base


@pytest.fixture
def calls(url: str) -> Iterator[Callable[[str], HttpCentre]]:
    """Make the centre as a trust's node calls it over HTTP."""
    made: list[HttpCentre] = []

    def call(trust: str) -> HttpCentre:
        made.append(HttpCentre(url, token=TOKEN[trust]))
        return made[-1]

    yield call
    for each in made:
        each.close()


@pytest.fixture
def web(url: str) -> Iterator[httpx.Client]:
    """Bare HTTP with the token of RXA's node."""
    headers = {"Authorization": f"Bearer {TOKEN['RXA']}"}
    with httpx.Client(base_url=url, headers=headers, timeout=30) as client:
        yield client


@pytest.fixture
def make_node(
    tmp_path: Path, migrated: Path, clock: MovedClock, request: pytest.FixtureRequest
) -> Iterator[MakeNode]:
    """Make a trust's node; without a centre of its own it calls the one that is served."""
    made: list[NodeStand] = []

    def make(name: str, centre: Centre | None = None) -> NodeStand:
        peer = centre or request.getfixturevalue("calls")(name)
        made.append(stand_up_node(name, tmp_path / name, migrated, clock, peer))
        return made[-1]

    yield make
    for each in made:
        each.archive.index.close()


@pytest.fixture
def rxa(make_node: MakeNode) -> NodeStand:
    return make_node("RXA")


@pytest.fixture
def rxb(make_node: MakeNode) -> NodeStand:
    return make_node("RXB")
