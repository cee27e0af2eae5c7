"""What dciodvfy finds clean before is clean after, and its octets are the same, on every way out.

In by C-STORE; out by C-MOVE, C-GET and WADO-RS, and out of the sealed pack as it lies.
"""

import hashlib
import secrets
import warnings
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pydicom
import pytest

from archive.store.part10 import data_set_offset, file_meta
from deploy.demo.modality import WireObject
from deploy.demo.web import Web
from deploy.demo.wire_object import NotSendable
from deploy.demo.workstation import Workstation
from tests.faults.objects import digest
from tests.faults.regions import assert_all_success
from tests.faults.tiers import Node
from tests.peers.corpus import MANIFEST, corpus_files
from tests.peers.processes import LOOPBACK, needs_programs, run, wait_until
from tests.peers.scp import RecordingScp
from tests.peers.valkey import ValkeyPeer

pytestmark = needs_programs("dciodvfy")

BUNDLED = Path(pydicom.__file__).parent / "data" / "test_files"
FEWEST = 10
"""So many files that pydicom brings along are clean at least."""


@dataclass(frozen=True)
class Clean:
    """An object that dciodvfy finds clean."""

    wire_object: WireObject
    study: str

    @property
    def sop_instance_uid(self) -> str:
        return self.wire_object.sop_instance_uid


@dataclass(frozen=True)
class Held:
    """A node that has taken and sealed what is clean."""

    node: Node
    objects: list[Clean]
    reader: RecordingScp
    token: str

    @property
    def workstation(self) -> Workstation:
        return Workstation("CT1", LOOPBACK, self.node.port("dicom"), "RXA")

    @property
    def web(self) -> Web:
        return Web(f"http://{LOOPBACK}:{self.node.port('http')}", self.token)

    @property
    def studies(self) -> list[str]:
        return sorted({one.study for one in self.objects})


# --- what is clean --------------------------------------------------------------------------


def errors(path: Path) -> list[str]:
    """Return what dciodvfy calls an error; it looks at the IOD that the class names."""
    lines = run(["dciodvfy", path]).output.splitlines()
    return [line for line in lines if line.startswith("Error")]


def all_errors(paths: Iterable[Path]) -> list[list[str]]:
    with ThreadPoolExecutor(2) as several:
        return list(several.map(errors, paths))


def candidates() -> Iterator[Path]:
    """Yield pydicom's files, and the shared ones where they are, that say which study is theirs."""
    shared = [one.path for one in corpus_files()] if MANIFEST.is_file() else []
    for path in (*sorted(BUNDLED.glob("*.dcm")), *shared):
        if study_of(path):
            yield path


def study_of(path: Path) -> str:
    with warnings.catch_warnings(action="ignore"):
        try:
            header = pydicom.dcmread(path, specific_tags=["StudyInstanceUID"])
            return str(header.get("StudyInstanceUID", ""))
        except Exception:  # noqa: BLE001 - pydicom raises whatever a broken file makes it
            return ""


def clean_objects() -> list[Clean]:
    """Return what is clean, the first file of each SOP Instance UID."""
    paths = list(candidates())
    found: dict[str, Clean] = {}
    for path, wrong in zip(paths, all_errors(paths), strict=True):
        try:
            one = WireObject.from_file(path)
        except NotSendable:
            continue
        if not wrong:
            found.setdefault(one.sop_instance_uid, Clean(one, study_of(path)))
    return list(found.values())


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory, broker: ValkeyPeer) -> Iterator[Held]:
    """Store what is clean by C-STORE, and wait until it is sealed.

    What is cut off is kept for a person; dciodvfy does not call that an error.
    """
    clean, token = clean_objects(), secrets.token_hex(16)
    with RecordingScp("READER") as reader:
        directory = tmp_path_factory.mktemp("round_trip")
        node = Node(directory, "RXA", broker=broker.url(7), peers=[reader.endpoint])
        sha256 = hashlib.sha256(token.encode()).hexdigest()
        node.settings["tokens"] = [{"name": "operator", "role": "operator", "sha256": sha256}]
        node.start("receive", "work", "serve")
        try:
            assert_all_success(node.modality().store([one.wire_object for one in clean]))
            node.archive.wait_taken_in()
            wait_until(lambda: not node.archive.rows("instance"), what="all is sealed", seconds=40)
            kept = [one for one in clean if not node.archive.held_reasons(one.wire_object)]
            yield Held(node, kept, reader, token)
        finally:
            node.stop()


# --- and comes out so -----------------------------------------------------------------------


def assert_clean(held: Held, directory: Path, came: Iterable[bytes]) -> None:
    """These Part 10 octets are those of the objects, each once, and clean."""
    paths, digests = [], []
    for number, part10 in enumerate(came):
        path = directory / f"{number}.dcm"
        path.write_bytes(part10)
        paths.append(path)
        digests.append(hashlib.sha256(part10[data_set_offset(part10) :]).hexdigest())
    assert sorted(digests) == sorted(digest(one.wire_object) for one in held.objects)
    assert [wrong for wrong in all_errors(paths) if wrong] == []


def with_meta(sop_class_uid: str, sop_instance_uid: str, syntax: str, data_set: bytes) -> bytes:
    meta = file_meta(
        sop_class_uid=sop_class_uid,
        sop_instance_uid=sop_instance_uid,
        transfer_syntax=syntax,
        calling_ae="RXA",
        called_ae="READER",
    )
    return meta + data_set


def test_so_much_is_clean_that_something_is_proven(held: Held) -> None:
    assert len(held.objects) >= FEWEST
    assert len({one.wire_object.sop_class_uid for one in held.objects}) >= 4
    assert len({one.wire_object.transfer_syntax for one in held.objects}) >= 3


def test_what_was_clean_is_clean_in_its_pack(held: Held, tmp_path: Path) -> None:
    archive = held.node.archive
    holdings = [archive.holdings(one.sop_instance_uid) for one in held.objects]
    came = (b"".join(archive.octets.whole(holding.location)) for [holding] in holdings)

    assert_clean(held, tmp_path, came)


def test_what_was_clean_is_clean_after_a_move(held: Held, tmp_path: Path) -> None:
    for study in held.studies:
        keys = {"StudyInstanceUID": study}
        assert held.workstation.move("STUDY", keys, destination="READER").failed == 0

    came = (
        with_meta(one.sop_class_uid, one.sop_instance_uid, one.transfer_syntax, one.data_set)
        for one in held.reader.received
    )
    assert_clean(held, tmp_path, came)


def test_what_was_clean_is_clean_after_a_get(held: Held, tmp_path: Path) -> None:
    kinds = [one.wire_object.context for one in held.objects]
    came = []
    for study in held.studies:
        directory = tmp_path / f"get-{study}"
        keys = {"StudyInstanceUID": study}
        got = held.workstation.get("STUDY", keys, kinds=kinds, directory=directory)
        assert got.failed == 0
        came += [
            with_meta(
                one.sop_class_uid,
                one.sop_instance_uid,
                one.transfer_syntax,
                one.path.read_bytes(),
            )
            for one in got.received
        ]

    assert_clean(held, tmp_path, came)


def test_what_was_clean_is_clean_by_wado_rs(held: Held, tmp_path: Path) -> None:
    came = (part10 for study in held.studies for part10 in held.web.instances(f"/studies/{study}"))

    assert_clean(held, tmp_path, came)
