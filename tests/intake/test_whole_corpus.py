"""Every shared DICOM file, in and sealed: each accounted for, each digest as it came."""

import hashlib
from collections import Counter

import pytest

from archive.store.blobs import held_name
from deploy.demo.wire_object import WireObject
from tests.intake.house import Cold, in_parts, octets_of
from tests.intake.outcome import check_octets, sealed
from tests.peers.corpus import CorpusFile, corpus_files, needs_corpus

IN_A_SEGMENT = 200
FILES = 945

ANSWERS = {
    "Registered": 835,
    "AlreadyHeld": 1,
    "SameContent": 27,
    "Revised": 5,
    "Conflicting": 37,
    "Unreadable": 40,
}
"""What the shared files are to one archive, in the order of their manifest: one CT in fifteen
syntaxes, 30 UIDs in 102 files, 41 malformed ones, media directories and fragments of headers."""


def on_the_wire(files: list[CorpusFile]) -> list[WireObject]:
    return [one.on_the_wire().wire_object for one in files]


def store(cold: Cold, objects: list[WireObject]) -> None:
    for part in in_parts(objects, IN_A_SEGMENT):
        cold.store(*part)
        cold.clock.advance(0.01)


@needs_corpus
@pytest.mark.timeout(240)
def test_every_file_is_accounted_for_sealed_and_known_when_it_comes_again(cold: Cold) -> None:
    objects = on_the_wire(corpus_files())
    assert len(objects) == FILES
    store(cold, objects)
    cold.take_in()
    cold.seal()
    tell(cold)
    assert cold.answers() == ANSWERS
    assert sum(cold.answers().values()) == FILES
    check_digests(cold, objects)
    check_octets(cold)
    assert (cold.number("instance"), cold.reader.ready()) == (0, [])

    store(cold, objects)
    cold.take_in()
    again = {name: count - ANSWERS[name] for name, count in cold.answers().items()}
    assert again == dict.fromkeys(ANSWERS, 0) | {
        "AlreadyHeld": FILES - ANSWERS["Unreadable"],
        "Unreadable": ANSWERS["Unreadable"],
    }
    assert cold.reader.ready() == []


def check_digests(cold: Cold, objects: list[WireObject]) -> None:
    """Every Data Set that was on the wire lies in a pack or in held under its digest, no other."""
    came = {hashlib.sha256(octets_of(one)).digest() for one in objects}
    kept = {sha256 for _, _, sha256, _ in sealed(cold)}
    held = {row["sha256"] for row in cold.rows("held")}
    assert came == kept | held
    assert not kept & held
    for row in cold.rows("held"):
        octets = b"".join(cold.blobs.read(held_name(row["sha256"])))  # type: ignore[arg-type]
        assert hashlib.sha256(octets).digest() == row["sha256"]


def tell(cold: Cold) -> None:
    for name, count in sorted(cold.answers().items()):
        print(f"{name:20} {count:5}")
    for reason, count in sorted(Counter(str(row["reason"]) for row in cold.rows("held")).items()):
        print(f"  held {reason:20} {count:5}")
    counts = cold.counts()
    print(f"{counts.instances} instances in {counts.packs} packs, {counts.octets} octets")
