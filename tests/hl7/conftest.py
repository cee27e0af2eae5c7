"""A node's index for each test, copied from one that is made once."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from archive.clock import SystemClock
from archive.index.directory import ensure_authority, ensure_node, save_source
from archive.index.engine import Index
from archive.words.identity import NHS, AuthorityKind, Issuer
from archive.words.nhs import Environment
from local_node.hl7.apply import Hl7Intake
from tests.hl7.node import RXA, RXAW, RXB, Node, Told


@pytest.fixture(scope="session")
def made_index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("made") / "index.sqlite"
    index = Index(f"sqlite:///{path}", clock=SystemClock())
    index.migrate()
    with index.writing() as conn:
        for issuer in (RXA, RXAW, RXB, Issuer("RXB", "SHARED"), Issuer("RXC", "SHARED")):
            ensure_authority(conn, issuer, oid=f"1.2.{len(issuer.namespace)}")
        ensure_authority(conn, NHS, kind=AuthorityKind.NHS)
        ensure_node(conn, "RXA", organisation="RXA", ae_title="RXA")
        for name, issuer in (("*", RXA), ("WESTPAS|RXAW", RXAW)):
            save_source(
                conn, node="RXA", kind="hl7", name=name, organisation="RXA", authority=issuer
            )
    index.close()
    return path


@pytest.fixture
def index(tmp_path: Path, made_index: Path) -> Iterator[Index]:
    shutil.copy(made_index, tmp_path / "index.sqlite")
    index = Index(f"sqlite:///{tmp_path}/index.sqlite", clock=SystemClock())
    yield index
    index.close()


@pytest.fixture
def node(index: Index) -> Node:
    told = Told()
    return Node(index, told, Hl7Intake(Environment.TEST, told))
