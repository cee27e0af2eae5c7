"""``manifest.json`` and its two forms: the identity of what a pack holds."""

import json
import random
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from archive.errors import PackMalformed
from archive.store.canonical import encode
from archive.store.manifest import Manifest, Member, PackKind
from tests.store.examples import CT, EXPLICIT, HL7, SERIES, STUDY

FIRST = Member(CT, "1.2.3", EXPLICIT, "10", bytes(range(32)), 1000)
SECOND = Member(CT, "1.2.30", EXPLICIT, "", bytes(32), 0)

GOLDEN = (
    b'{"kind":"series","members":['
    b'{"instance_number":"10",'
    b'"sha256":"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",'
    b'"size":1000,"sop_class_uid":"1.2.840.10008.5.1.4.1.1.2","sop_instance_uid":"1.2.3",'
    b'"transfer_syntax":"1.2.840.10008.1.2.1"},'
    b'{"instance_number":"",'
    b'"sha256":"0000000000000000000000000000000000000000000000000000000000000000",'
    b'"size":0,"sop_class_uid":"1.2.840.10008.5.1.4.1.1.2","sop_instance_uid":"1.2.30",'
    b'"transfer_syntax":"1.2.840.10008.1.2.1"}],'
    b'"series_instance_uid":"1.2.826.0.1.3680043.8.498.2",'
    b'"study_instance_uid":"1.2.826.0.1.3680043.8.498.1","version":1}'
)
GOLDEN_ID = "81f18330ac1fb5e19ac958aa34087150bb9be6473c12e84ee4fb4b43c9e65d11"

Change = Callable[[dict[str, object]], object]


def manifest(*members: Member, kind: PackKind = PackKind.SERIES) -> Manifest:
    return Manifest.of(
        study_instance_uid=STUDY, series_instance_uid=SERIES, kind=kind, members=members
    )


def test_a_manifest_has_the_octets_and_identity_it_has_always_had() -> None:
    assert manifest(SECOND, FIRST).canonical() == GOLDEN
    assert manifest(SECOND, FIRST).content_id.hex() == GOLDEN_ID


def test_the_identity_does_not_depend_on_the_order_in_which_members_come() -> None:
    assert manifest(FIRST, SECOND).content_id == manifest(SECOND, FIRST).content_id


def test_a_manifest_is_read_as_it_was_written() -> None:
    assert Manifest.parse(GOLDEN) == manifest(FIRST, SECOND)


texts = st.text(st.characters(max_codepoint=127), max_size=64)
uids = st.from_regex(r"[0-9]{1,10}(\.[0-9]{1,10}){1,4}", fullmatch=True)
members = st.builds(
    Member,
    sop_class_uid=uids,
    sop_instance_uid=uids,
    transfer_syntax=uids,
    instance_number=texts,
    sha256=st.binary(min_size=32, max_size=32),
    size=st.integers(0, 2**53 - 1),
)


@given(st.lists(members, min_size=1, max_size=20, unique_by=lambda member: member.order))
def test_any_manifest_comes_back_from_both_forms(listed: list[Member]) -> None:
    whole = manifest(*listed)
    assert Manifest.parse(whole.canonical()) == whole
    assert Manifest.unpacked(whole.packed()) == whole


def test_documents_are_named_by_their_media_type() -> None:
    report = Member("", "2.25.1", HL7, "", bytes(32), 5)
    whole = manifest(report, kind=PackKind.DOCUMENTS)
    assert Manifest.parse(whole.canonical()) == whole
    assert Manifest.unpacked(whole.packed()) == whole


@pytest.mark.parametrize(
    "wrong",
    [
        {"sop_instance_uid": "../../etc/passwd"},
        {"sop_instance_uid": "1" * 65},
        {"sop_class_uid": ""},
        {"transfer_syntax": HL7},
        {"sha256": bytes(31)},
        {"size": -1},
        {"size": 2**53},
        {"instance_number": "1" * 65},
        {"instance_number": "é"},
    ],
)
def test_no_manifest_with_a_wrong_member_can_be_made(wrong: dict[str, object]) -> None:
    with pytest.raises(PackMalformed):
        manifest(replace(FIRST, **wrong))  # type: ignore[arg-type]


def test_no_manifest_is_empty_or_lists_a_member_twice() -> None:
    with pytest.raises(PackMalformed):
        manifest()
    with pytest.raises(PackMalformed):
        manifest(FIRST, FIRST)


def test_the_same_uid_in_two_syntaxes_are_two_members() -> None:
    other = replace(FIRST, transfer_syntax="1.2.840.10008.1.2")
    assert len(manifest(FIRST, other).members) == 2


def changed(change: Change) -> bytes:
    value = json.loads(GOLDEN)
    change(value)
    return encode(value)


HOSTILE_CHANGES: dict[str, Change] = {
    "another version": lambda m: m.update(version=2),
    "a version as text": lambda m: m.update(version="1"),
    "a version as truth": lambda m: m.update(version=True),
    "no version": lambda m: m.pop("version"),
    "an unknown key": lambda m: m.update(extra=1),
    "another kind": lambda m: m.update(kind="study"),
    "a kind that is no text": lambda m: m.update(kind=1),
    "members unsorted": lambda m: m["members"].reverse(),  # type: ignore[attr-defined]
    "a member twice": lambda m: m.update(members=m["members"] * 2),  # type: ignore[operator]
    "members no array": lambda m: m.update(members={}),
    "a member no object": lambda m: m.update(members=[1]),
    "no members": lambda m: m.update(members=[]),
    "a path for a UID": lambda m: m.update(study_instance_uid="../../etc/passwd"),
    "a size as truth": lambda m: m["members"][0].update(size=True),  # type: ignore[index]
    "a negative size": lambda m: m["members"][0].update(size=-1),  # type: ignore[index]
    "a digest in capitals": lambda m: m["members"][0].update(sha256="A" * 64),  # type: ignore[index]
    "a short digest": lambda m: m["members"][0].update(sha256="00"),  # type: ignore[index]
}


@pytest.mark.parametrize("change", HOSTILE_CHANGES.values(), ids=HOSTILE_CHANGES.keys())
def test_a_manifest_that_means_something_else_is_refused(change: Change) -> None:
    with pytest.raises(PackMalformed):
        Manifest.parse(changed(change))


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"[" * 100_000,
        b'{"a":' * 50_000,
        b"1" * 10_000,
        b"NaN",
        b"\xff\xfe{\0}\0",
        GOLDEN + b"\n",
        b" " + GOLDEN,
        GOLDEN.replace(b'"size":0', b'"size":0.0'),
        GOLDEN.replace(b'"size":0', b'"size":-0'),
        GOLDEN.replace(b'"size":0', b'"size":1e3'),
        GOLDEN.replace(b'"version":1', b'"version":1,"version":1'),
        GOLDEN.replace(b"series", b"s\\u0065ries"),
        GOLDEN.replace(b'""', b'"\\ud800"'),
    ],
    ids=range(17),
)
def test_octets_that_are_not_canonical_are_refused(octets: bytes) -> None:
    with pytest.raises(PackMalformed):
        Manifest.parse(octets)


@given(st.binary(max_size=200))
def test_no_octets_make_parsing_or_unpacking_fail_otherwise(octets: bytes) -> None:
    for read in (Manifest.parse, Manifest.unpacked):
        with pytest.raises(PackMalformed):
            read(octets)


@given(at=st.integers(), bit=st.integers(0, 7))
@example(at=-1, bit=7)
def test_a_flipped_bit_gives_no_other_manifest_under_the_same_content_id(at: int, bit: int) -> None:
    """Some bits of a compressed stream only fill its last octet; turning them changes nothing."""
    whole = manifest(FIRST, SECOND)
    octets = bytearray(whole.packed())
    octets[at % len(octets)] ^= 1 << bit
    try:
        read = Manifest.unpacked(bytes(octets))
    except PackMalformed:
        return
    assert (read == whole) == (read.content_id == whole.content_id)


def uids_of_ge(number: int, chance: random.Random) -> str:
    return f"1.2.840.113619.2.176.3596.3364818.7819.1259708454.{100 + number}"


def uids_of_siemens(number: int, chance: random.Random) -> str:
    moment = 20240229103000000 + number * 1371 + chance.randrange(900)
    return f"1.3.12.2.1107.5.2.32.35162.{moment}{chance.randrange(10**12):012}"


def uids_of_a_deidentifier(number: int, chance: random.Random) -> str:
    return f"1.3.6.1.4.1.14519.5.2.1.7009.2403.{chance.randrange(10**29, 10**30)}"


def uids_of_a_uuid(number: int, chance: random.Random) -> str:
    return f"2.25.{chance.randrange(2**127, 2**128)}"


@pytest.mark.parametrize(
    "uid_of", [uids_of_ge, uids_of_siemens, uids_of_a_deidentifier, uids_of_a_uuid]
)
def test_a_row_of_100_instances_takes_at_most_75_octets_each(
    uid_of: Callable[[int, random.Random], str],
) -> None:
    chance = random.Random(1)
    listed = [
        Member(
            sop_class_uid=CT,
            sop_instance_uid=uid_of(number, chance),
            transfer_syntax="1.2.840.10008.1.2.4.70",
            instance_number=str(number),
            sha256=chance.randbytes(32),
            size=chance.randrange(180_000, 290_000),
        )
        for number in range(1, 101)
    ]
    whole = manifest(*listed)
    assert Manifest.unpacked(whole.packed()) == whole
    assert len(whole.packed()) / 100 <= 75
