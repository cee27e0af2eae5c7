"""What a node's door gets that is wrong: a clear answer, a log line, a row, and nothing lost."""

import re
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from archive.index.members import Holding
from archive.store.blobs import held_name
from archive.words.statuses import StoreStatus
from deploy.demo.modality import WireObject
from tests.faults.objects import called, digest, image, new_uid
from tests.faults.tiers import Node
from tests.peers.corpus import CorpusFile, corpus_files, needs_corpus
from tests.peers.processes import wait_until

SUCCESS = StoreStatus.SUCCESS
INVALID = StoreStatus.INVALID_SOP_INSTANCE


def paths_below(directory: Path) -> set[Path]:
    return {path for path in directory.rglob("*") if path.is_file()}


def paths_outside(node: Node) -> set[Path]:
    """Return the files beside a node's archive: what it makes inside goes on meanwhile."""
    archive = node.archive.directory
    return {path for path in paths_below(node.directory) if archive not in path.parents}


def findings_about(node: Node, one: WireObject) -> set[str]:
    """Return the codes of the rows that an operator sees about an object."""
    subjects = {held_name(bytes.fromhex(digest(one))), f"held/{digest(one)}", one.sop_instance_uid}
    rows = node.archive.rows("data_quality")
    return {str(row["code"]) for row in rows if row["subject"] in subjects}


def store(node: Node, *objects: WireObject) -> list[int | None]:
    """Store through the door, wait until intake has taken all in, and return the answers."""
    outcomes = node.modality().store(objects)
    node.archive.wait_taken_in()
    return [outcome.status for outcome in outcomes]


def assert_held(node: Node, one: WireObject, reason: str) -> None:
    """The object is in ``held`` with its octets, its log line, and a row for a person."""
    assert set(node.archive.held_reasons(one)) == {reason}
    assert not any(h.member.sha256.hex() == digest(one) for h in holdings(node, one))
    assert reason in findings_about(node, one)
    lines = [line for line in node["work"].said().splitlines() if digest(one) in line]
    assert any(f"reason='{reason}'" in line for line in lines), lines


def holdings(node: Node, one: WireObject) -> list[Holding]:
    return node.archive.holdings(one.sop_instance_uid)


# --- files that are broken ------------------------------------------------------------------


@pytest.fixture(scope="module")
def malformed(lone_node: Node) -> list[tuple[CorpusFile, WireObject, int | None]]:
    """Every malformed file of the corpus, as it was sent, with the answer that it got."""
    files = [file for file in corpus_files() if file.malformed]
    objects = [file.on_the_wire().wire_object for file in files]
    answers = store(lone_node, *objects)
    return list(zip(files, objects, answers, strict=True))


@needs_corpus
def test_every_malformed_file_is_answered_and_is_registered_or_held_octet_for_octet(
    lone_node: Node, malformed: list[tuple[CorpusFile, WireObject, int | None]]
) -> None:
    assert len(malformed) >= 39
    for file, one, answer in malformed:
        kept = answer in (SUCCESS, INVALID)
        empty = digest(one) == digest(replace(one, data_set=b""))
        assert kept or (empty and answer == StoreStatus.CANNOT_UNDERSTAND), (file.name, answer)
        registered = lone_node.archive.holds(one)
        held = lone_node.archive.held_reasons(one)
        assert registered != bool(held) or empty, (file.name, registered, held)


@needs_corpus
def test_every_malformed_file_that_is_held_has_its_log_line_and_its_row(
    lone_node: Node, malformed: list[tuple[CorpusFile, WireObject, int | None]]
) -> None:
    counted = 0
    for _, one, _ in malformed:
        for reason in lone_node.archive.held_reasons(one):
            assert_held(lone_node, one, reason)
            counted += 1
    assert counted >= 20


def test_what_is_not_dicom_at_all_is_kept_and_shown(lone_node: Node) -> None:
    letter = b"Dear colleague, this is a letter that went to the wrong port.\r\n" * 40
    jpeg = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + bytes(range(256)) * 30
    sent = [replace(image(), data_set=octets) for octets in (letter, jpeg)]

    assert store(lone_node, *sent) == [SUCCESS, SUCCESS]

    for one in sent:
        assert_held(lone_node, one, "BROKEN_CODING")


def test_a_data_set_cut_in_its_pixels_is_kept_and_shown(lone_node: Node) -> None:
    whole = image()
    with whole.opened() as stream:
        length = len(stream.read())
    cut = whole.truncated(length - 1000)

    assert store(lone_node, cut) == [SUCCESS]

    assert_held(lone_node, cut, "TRUNCATED")


def test_a_store_without_a_data_set_is_told_so_and_leaves_nothing(lone_node: Node) -> None:
    empty = replace(image(), data_set=b"")

    (outcome,) = lone_node.modality().store([empty])

    assert outcome.status == StoreStatus.CANNOT_UNDERSTAND
    assert "No Data Set" in outcome.error_comment


# --- UIDs that are wrong --------------------------------------------------------------------


@pytest.mark.parametrize(
    "uid",
    [
        "../../etc/passwd",
        "/etc/passwd",
        "1.2.826.0.1." + "1" * 53,
        "1.2.3\x00/../../x",
        "'; DROP TABLE study; --",
        "%s%n{0}",
    ],
)
def test_an_impossible_uid_is_answered_0117_and_held_and_names_no_file(
    lone_node: Node, uid: str
) -> None:
    before = paths_outside(lone_node)
    one = called(image(), uid)

    (outcome,) = lone_node.modality().store([one])
    lone_node.archive.wait_taken_in()

    assert outcome.status == INVALID
    assert "Kept" in outcome.error_comment
    assert_held(lone_node, one, "UID_UNLIKE_COMMAND")
    below = paths_below(lone_node.archive.directory)
    assert paths_outside(lone_node) == before
    assert not [path for path in below if "passwd" in path.name or len(path.name) > 100]


def test_a_uid_of_65_characters_in_command_and_data_set_is_held(lone_node: Node) -> None:
    uid = "1.2.826.0.1." + "2" * 53
    assert len(uid) == 65
    with image(sop=new_uid()).opened() as stream:
        octets = stream.read()
    one = called(replace(image(), data_set=with_sop_uid(octets, uid)), uid)

    assert store(lone_node, one) == [INVALID]

    assert_held(lone_node, one, "UID_MALFORMED")


def with_sop_uid(octets: bytes, uid: str) -> bytes:
    """Return Explicit VR Little Endian octets with another (0008,0018), whatever its length."""
    match = re.search(rb"\x08\x00\x18\x00UI(..)", octets, re.DOTALL)
    assert match is not None
    length = int.from_bytes(match[1], "little")
    padded = uid.encode() + b"\0" * (len(uid) % 2)
    head = octets[: match.start(1)] + len(padded).to_bytes(2, "little")
    return head + padded + octets[match.end() + length :]


@pytest.mark.parametrize("which", ["instance", "class"])
def test_a_data_set_whose_uids_differ_from_the_commands_is_held(
    lone_node: Node, which: str
) -> None:
    made = image()
    one = (
        called(made, new_uid())
        if which == "instance"
        else replace(made, sop_class_uid="1.2.840.10008.5.1.4.1.1.2")
    )

    assert store(lone_node, one) == [SUCCESS]

    assert_held(lone_node, one, "UID_UNLIKE_COMMAND")
    assert not holdings(lone_node, made)


# --- one story of every answer that a single trust can get ----------------------------------


def test_the_same_object_again_is_already_held_and_kept_once(lone_node: Node) -> None:
    one = image()
    store(lone_node, one)
    before = lone_node.archive.answers()

    assert store(lone_node, one, one) == [SUCCESS, SUCCESS]

    assert grown(lone_node, before) == {"AlreadyHeld": 2}
    assert lone_node.archive.holds(one)


def test_a_broken_object_again_is_counted_and_held_once(lone_node: Node) -> None:
    one = called(image(), new_uid())
    before = lone_node.archive.answers()

    store(lone_node, one, one)

    assert grown(lone_node, before) == {"Unreadable": 2}
    assert lone_node.archive.held_reasons(one) == ["UID_UNLIKE_COMMAND"]


def test_equal_after_decoding_is_same_content_and_revised_and_conflicting_are_told_apart(
    lone_node: Node,
) -> None:
    pixels = bytes(range(256)) * 32
    of = partial(image, mrn="F1", sop=new_uid(), study=new_uid(), series=new_uid())
    first = of(pixels=pixels)
    padded = replace(
        first, data_set=octets_of(first) + bytes.fromhex("fcfffcff4f42000002000000") + b"\0\0"
    )
    revised = of(pixels=pixels, StudyDescription="Corrected")
    conflicting = of(pixels=pixels[::-1])
    before = lone_node.archive.answers()

    assert store(lone_node, first) == [SUCCESS]
    assert store(lone_node, padded, revised, conflicting) == [SUCCESS] * 3

    assert grown(lone_node, before) == {
        "Registered": 1,
        "SameContent": 1,
        "Revised": 1,
        "Conflicting": 1,
    }
    assert all(map(lone_node.archive.holds, (first, padded, revised, conflicting)))
    assert "CONFLICTING_INSTANCE" in findings_about(lone_node, first)
    sightings = lone_node.archive.rows("sighting", sop_instance_uid=first.sop_instance_uid)
    assert {str(row["answer"]): row["differences"] for row in sightings}["Revised"] == (
        "StudyDescription"
    )
    served = serving(lone_node, first.sop_instance_uid)
    assert served == [digest(first)]


def octets_of(one: WireObject) -> bytes:
    with one.opened() as stream:
        return stream.read()


def grown(node: Node, before: dict[str, int]) -> dict[str, int]:
    """Return by how much each answer's count has grown."""
    now = node.archive.answers()
    return {name: n - before.get(name, 0) for name, n in now.items() if n > before.get(name, 0)}


def serving(node: Node, sop_instance_uid: str) -> list[str]:
    """Return the digests that a door would give for a UID."""
    hidden = {
        row["sha256"]
        for row in node.archive.rows("instance_state", sop_instance_uid=sop_instance_uid)
        if not row["serves"] or row["state"] != "VISIBLE"
    }
    members = [holding.member for holding in node.archive.holdings(sop_instance_uid)]
    return [member.sha256.hex() for member in members if member.sha256 not in hidden]


# --- what the sender sees -------------------------------------------------------------------


def test_every_store_has_one_log_line_with_its_keys(lone_node: Node) -> None:
    one = image()

    store(lone_node, one)

    def lines() -> list[str]:
        said = lone_node["receive"].said().splitlines()
        return [line for line in said if one.sop_instance_uid in line]

    wait_until(lambda: bool(lines()), what="a log line of the store")
    (line,) = lines()
    assert "status=0x0000" in line
    assert "CT1" in line


def test_a_store_broken_off_in_the_middle_leaves_nothing_and_the_next_goes_on(
    lone_node: Node,
) -> None:
    torn, whole = image(side=512), image()
    before = lone_node.archive.answers()

    association = lone_node.modality().open([torn, whole])
    association.begin_store(torn, octets=200_000)
    association.cut()

    assert store(lone_node, whole) == [SUCCESS]
    assert grown(lone_node, before) == {"Registered": 1}
    assert not holdings(lone_node, torn)
