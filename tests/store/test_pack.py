"""Packs: built, verified, opened by others, and found out when one bit is wrong."""

import gzip
import hashlib
import io
import json
import shutil
import subprocess
import tarfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archive.errors import DigestMismatch, NotFound, PackMalformed
from archive.store.local_blobs import LocalBlobs
from archive.store.manifest import PackKind
from archive.store.pack import Source, build_pack, gzipped, verify_pack
from archive.store.pack_range import read_data_set, read_member, read_metadata
from tests.store.examples import (
    Instance,
    document,
    instance,
    manifest_of,
    metadata_of,
    origin_of,
    pack_of,
)

SERIES = [instance(number) for number in (1, 2, 3, 10)]
REPORTS = [document("2.25.7", b"MSH|^~\\&|RIS\rPID|\r"), document("2.25.5", b"")]

GOLDEN_CONTENT_ID = "2cdc25435a882136eb560779220827d12e0730049ef4cfb9aaa583ef552e15b7"
GOLDEN_ENCODING_ID = "dc2aab80edcce0f9d735e2bc904c6a29f7a641b232bf54686c0faad3f67f22e2"


def test_a_pack_has_the_identities_it_has_always_had(tmp_path: Path) -> None:
    built = build_pack(
        tmp_path / "p",
        manifest=manifest_of(REPORTS, PackKind.DOCUMENTS),
        metadata=b"[]",
        origin=origin_of(2),
        sources=[report.source() for report in REPORTS],
    )
    assert built.content_id.hex() == GOLDEN_CONTENT_ID
    assert built.encoding_id.hex() == GOLDEN_ENCODING_ID
    assert built.length == (tmp_path / "p").stat().st_size


def test_python_builds_the_same_octets(tmp_path: Path) -> None:
    built = pack_of(tmp_path / "p", SERIES)
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, octets in (
            ("manifest.json", manifest_of(SERIES).canonical()),
            ("metadata.json.gz", gzipped(metadata_of(SERIES))),
            ("origin.json", origin_of(4).canonical()),
            *((f"instances/{at + 1:06}.dcm", one.part10) for at, one in enumerate(SERIES)),
            ("layout.json", built.layout.canonical()),
        ):
            facts = tarfile.TarInfo(name)
            facts.size, facts.mode = len(octets), 0o444
            archive.addfile(facts, io.BytesIO(octets))
        end = archive.offset
    assert (tmp_path / "p").read_bytes() == tar.getvalue()[:end] + bytes(1024)


def test_a_built_pack_verifies_as_what_it_was_built_from(tmp_path: Path) -> None:
    built = pack_of(tmp_path / "p", SERIES)
    verified = verify_pack(tmp_path / "p")
    assert verified.manifest == manifest_of(SERIES)
    assert verified.origin == origin_of(len(SERIES))
    assert (verified.content_id, verified.encoding_id, verified.length, verified.layout) == (
        built.content_id,
        built.encoding_id,
        built.length,
        built.layout,
    )
    assert built.encoding_id == hashlib.sha256((tmp_path / "p").read_bytes()).digest()
    assert built.content_id == manifest_of(SERIES).content_id


def test_the_same_parts_give_the_same_octets_in_whatever_order_they_come(tmp_path: Path) -> None:
    pack_of(tmp_path / "a", SERIES)
    build_pack(
        tmp_path / "b",
        manifest=manifest_of(SERIES[::-1]),
        metadata=metadata_of(SERIES),
        origin=origin_of(len(SERIES)),
        sources=[member.source() for member in SERIES[::-1]],
    )
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def names_in(path: Path) -> list[str]:
    with tarfile.open(path) as archive:
        return archive.getnames()


def test_members_lie_in_the_order_of_instance_numbers(tmp_path: Path) -> None:
    odd = [
        instance(1, instance_number="20"),
        instance(2, instance_number="3"),
        instance(3, instance_number=""),
        instance(4, instance_number="-1"),
        instance(5, instance_number="1.5"),
    ]
    pack_of(tmp_path / "p", odd)
    assert names_in(tmp_path / "p") == [
        "manifest.json",
        "metadata.json.gz",
        "origin.json",
        *(f"instances/00000{position}.dcm" for position in (1, 2, 3, 4, 5)),
        "layout.json",
    ]
    with tarfile.open(tmp_path / "p") as archive:
        files = [archive.extractfile(f"instances/00000{at}.dcm") for at in (1, 2, 3, 4, 5)]
        octets = [file.read() for file in files if file]
    assert octets == [odd[at].part10 for at in (3, 1, 0, 2, 4)]


def test_documents_are_a_pack_as_well(tmp_path: Path) -> None:
    pack_of(tmp_path / "p", REPORTS, PackKind.DOCUMENTS)
    verified = verify_pack(tmp_path / "p")
    assert verified.manifest.kind is PackKind.DOCUMENTS
    assert [placement.data_set_offset for placement in verified.layout.placements] == [0, 0]
    assert "documents/000001.hl7" in names_in(tmp_path / "p")


def test_the_command_tar_unpacks_it(tmp_path: Path) -> None:
    tar = shutil.which("tar")
    if tar is None:
        pytest.skip("the command tar is not here")
    pack_of(tmp_path / "p", SERIES)
    done = subprocess.run(
        [tar, "xf", tmp_path / "p"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    assert (tmp_path / "instances" / "000004.dcm").read_bytes() == SERIES[3].part10
    assert gzip.decompress((tmp_path / "metadata.json.gz").read_bytes()) == metadata_of(SERIES)


def test_ten_lines_of_python_give_every_dicom_file_back(tmp_path: Path) -> None:
    """If all this software vanished."""
    pack_of(tmp_path / "p", SERIES)
    with tarfile.open(tmp_path / "p") as archive:
        manifest = json.load(archive.extractfile("manifest.json"))  # type: ignore[arg-type]
        layout = json.load(archive.extractfile("layout.json"))  # type: ignore[arg-type]
    files = {}
    with (tmp_path / "p").open("rb") as file:
        for member, place in zip(manifest["members"], layout["members"], strict=True):
            file.seek(place["offset"])
            octets = file.read(place["length"])
            assert (
                hashlib.sha256(octets[place["data_set_offset"] :]).hexdigest() == member["sha256"]
            )
            files[member["sop_instance_uid"]] = octets
    assert files == {one.member.sop_instance_uid: one.part10 for one in SERIES}


def test_every_part_is_read_by_range_from_a_blob_store(tmp_path: Path) -> None:
    built = pack_of(tmp_path / "p", SERIES)
    blobs = LocalBlobs(tmp_path / "blobs")
    blobs.put("packs/p", tmp_path / "p")
    by_uid = {one.member.sop_instance_uid: one for one in SERIES}
    for member, placement in zip(manifest_of(SERIES).members, built.layout.placements, strict=True):
        one = by_uid[member.sop_instance_uid]
        assert b"".join(read_member(blobs, "packs/p", placement)) == one.part10
        assert b"".join(read_data_set(blobs, "packs/p", placement)) == one.data_set
    assert read_metadata(blobs, "packs/p", built.layout) == metadata_of(SERIES)


def test_a_source_with_other_octets_is_found_before_the_pack_has_its_name(
    tmp_path: Path,
) -> None:
    wrong = replace(SERIES[1], part10=SERIES[1].part10[:-1] + b"\xff")
    with pytest.raises(DigestMismatch):
        pack_of(tmp_path / "p", [SERIES[0], wrong])
    assert list(tmp_path.iterdir()) == []


def sources_but(wrong: Source) -> Sequence[Source]:
    return [*(one.source() for one in SERIES[:3]), wrong]


def test_sources_that_do_not_fit_the_manifest_are_refused(tmp_path: Path) -> None:
    good = SERIES[3].source()
    short = replace(SERIES[3], part10=SERIES[3].part10[:-1]).source()
    for sources in (
        sources_but(SERIES[2].source()),
        sources_but(instance(77).source()),
        sources_but(replace(good, part10_length=good.part10_length + 1)),
        sources_but(replace(good, data_set_offset=0)),
        sources_but(replace(good, open=short.open)),
        sources_but(good)[:3],
    ):
        with pytest.raises(PackMalformed):
            build_pack(
                tmp_path / "p",
                manifest=manifest_of(SERIES),
                metadata=b"[]",
                origin=origin_of(4),
                sources=sources,
            )
    assert list(tmp_path.iterdir()) == []


def test_an_origin_for_another_number_of_members_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PackMalformed):
        build_pack(
            tmp_path / "p",
            manifest=manifest_of(SERIES),
            metadata=b"[]",
            origin=origin_of(3),
            sources=[one.source() for one in SERIES],
        )


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("whole") / "p"
    pack_of(path, [instance(1), instance(2)])
    return path.read_bytes()


@pytest.fixture(scope="module")
def spare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("spare") / "p"


@given(at=st.integers(0), bit=st.integers(0, 7))
@settings(max_examples=400, deadline=None)
def test_one_flipped_bit_anywhere_is_found(whole: bytes, spare: Path, at: int, bit: int) -> None:
    octets = bytearray(whole)
    octets[at % len(octets)] ^= 1 << bit
    spare.write_bytes(octets)
    with pytest.raises((PackMalformed, DigestMismatch)):
        verify_pack(spare)


def test_one_flipped_bit_in_every_part_is_found(whole: bytes, spare: Path) -> None:
    for at in range(0, len(whole), 17):
        octets = bytearray(whole)
        octets[at] ^= 1 << at % 8
        spare.write_bytes(octets)
        with pytest.raises((PackMalformed, DigestMismatch)):
            verify_pack(spare)


@given(length=st.integers(0))
@settings(deadline=None)
def test_a_pack_cut_anywhere_is_found(whole: bytes, spare: Path, length: int) -> None:
    spare.write_bytes(whole[: length % len(whole)])
    with pytest.raises(PackMalformed):
        verify_pack(spare)


def test_a_pack_with_something_behind_it_is_found(whole: bytes, spare: Path) -> None:
    spare.write_bytes(whole + bytes(512))
    with pytest.raises(PackMalformed):
        verify_pack(spare)


def test_a_pack_that_is_not_there_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        verify_pack(tmp_path / "none")


def test_an_instance_in_place_of_another_is_found(tmp_path: Path) -> None:
    one, other = instance(1), replace(instance(1), part10=instance(2).part10)
    pack_of(tmp_path / "p", [one])
    octets = (tmp_path / "p").read_bytes()
    (tmp_path / "p").write_bytes(octets.replace(one.part10, other.part10[: len(one.part10)]))
    with pytest.raises((PackMalformed, DigestMismatch)):
        verify_pack(tmp_path / "p")


@pytest.mark.parametrize("part10", [b"", b"short", bytes(200)])
def test_a_member_that_is_no_part_10_file_is_not_packed(tmp_path: Path, part10: bytes) -> None:
    member = replace(SERIES[0].member, sha256=hashlib.sha256(part10).digest(), size=len(part10))
    with pytest.raises(PackMalformed):
        pack_of(tmp_path / "p", [Instance(member=member, part10=part10, data_set=part10)])


def test_metadata_is_gzip_as_others_read_it() -> None:
    octets = bytes(range(256)) * 5000
    assert gzip.decompress(gzipped(octets)) == octets
    assert gzipped(b"[]").hex() == "1f8b08000000000000ff8b8e050029bb4c0d02000000"
    assert gzip.decompress(gzipped(b"")) == b""


def test_a_pack_with_a_gzip_bomb_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build_pack(
        tmp_path / "p",
        manifest=manifest_of(SERIES[:1]),
        metadata=bytes(2**23),
        origin=origin_of(1),
        sources=[SERIES[0].source()],
    )
    monkeypatch.setattr("archive.store.pack._GZIP_LIMIT", 2**20)
    with pytest.raises(PackMalformed):
        verify_pack(tmp_path / "p")
