"""What dciodvfy finds clean before is clean after: out of a pack, and by C-MOVE."""

import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pydicom

from archive.store.part10 import file_meta
from deploy.demo.modality import WireObject
from deploy.demo.wire_object import NotSendable
from deploy.demo.workstation import Workstation
from tests.faults.regions import assert_all_success
from tests.faults.tiers import Node
from tests.peers.corpus import MANIFEST, corpus_files
from tests.peers.processes import LOOPBACK, needs_programs, run, wait_until
from tests.peers.scp import RecordingScp
from tests.peers.valkey import ValkeyPeer

BUNDLED = Path(pydicom.__file__).parent / "data" / "test_files"


def errors(path: Path) -> list[str]:
    """Return what dciodvfy calls an error; it looks at the IOD that the class names."""
    lines = run(["dciodvfy", path]).output.splitlines()
    return [line for line in lines if line.startswith("Error")]


def candidates() -> Iterator[Path]:
    """Yield one file of each class and syntax: pydicom's, and the shared ones where they are."""
    seen = set()
    shared = [one.path for one in corpus_files()] if MANIFEST.is_file() else []
    for path in (*sorted(BUNDLED.glob("*.dcm")), *shared):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                header = pydicom.dcmread(path, specific_tags=["StudyInstanceUID"])
                kind = (
                    header.file_meta.MediaStorageSOPClassUID,
                    header.file_meta.TransferSyntaxUID,
                )
            except Exception:  # noqa: BLE001 - pydicom raises whatever a broken file makes it
                continue
        if "StudyInstanceUID" in header and kind not in seen:
            seen.add(kind)
            yield path


def clean_objects() -> dict[str, tuple[WireObject, str]]:
    """Return, by SOP Instance UID, what is clean, each with its study."""
    paths = list(candidates())
    with ThreadPoolExecutor(2) as several:
        is_clean = several.map(lambda path: not errors(path), paths)
    found = {}
    for path in (path for path, clean in zip(paths, is_clean, strict=True) if clean):
        try:
            one = WireObject.from_file(path)
        except NotSendable:
            continue
        study = pydicom.dcmread(path, specific_tags=["StudyInstanceUID"]).StudyInstanceUID
        found[one.sop_instance_uid] = (one, str(study))
    return found


@needs_programs("dciodvfy")
def test_what_was_clean_is_clean_in_a_pack_and_after_a_move(
    tmp_path: Path, broker: ValkeyPeer
) -> None:
    clean = clean_objects()
    with RecordingScp("READER") as reader:
        node = Node(tmp_path / "node", "RXA", broker=broker.url(7), peers=[reader.endpoint])
        node.start("receive", "work")
        try:
            assert_all_success(node.modality().store([one for one, _ in clean.values()]))
            node.archive.wait_taken_in()
            for uid, (one, _) in list(clean.items()):
                if node.archive.held_reasons(one):  # cut off, which dciodvfy does not call an error
                    del clean[uid]
            assert len(clean) >= 10
            wait_until(lambda: not node.archive.rows("instance"), what="all is sealed", seconds=40)
            packed = [from_pack(node, uid, tmp_path) for uid in clean]
            workstation = Workstation("CT1", LOOPBACK, node.port("dicom"), "RXA")
            for study in sorted({study for _, study in clean.values()}):
                keys = {"StudyInstanceUID": study}
                assert workstation.move("STUDY", keys, destination="READER").failed == 0
        finally:
            node.stop()
        moved = [
            written(
                tmp_path, one.sop_class_uid, one.sop_instance_uid, one.transfer_syntax, one.data_set
            )
            for one in reader.received
        ]
    assert {path.name for path in moved} == {f"moved-{uid}.dcm" for uid in clean}
    for path in (*packed, *moved):
        assert errors(path) == [], path.name


def from_pack(node: Node, sop_instance_uid: str, directory: Path) -> Path:
    [holding] = node.archive.holdings(sop_instance_uid)
    path = directory / f"packed-{sop_instance_uid}.dcm"
    path.write_bytes(b"".join(node.archive.octets.whole(holding.location)))
    return path


def written(
    directory: Path, sop_class_uid: str, sop_instance_uid: str, syntax: str, data_set: bytes
) -> Path:
    meta = file_meta(
        sop_class_uid=sop_class_uid,
        sop_instance_uid=sop_instance_uid,
        transfer_syntax=syntax,
        calling_ae="RXA",
        called_ae="READER",
    )
    path = directory / f"moved-{sop_instance_uid}.dcm"
    path.write_bytes(meta + data_set)
    return path
