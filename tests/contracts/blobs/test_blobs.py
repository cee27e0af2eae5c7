"""What every blob store promises."""

import threading
from pathlib import Path

import pytest

from archive.errors import NotFound
from archive.store.blobs import CHUNK, BlobStore, held_name, pack_name

HOSTILE_NAMES = [
    "",
    ".",
    "..",
    "/etc/passwd",
    "../escape",
    "packs/../../escape",
    "packs//x",
    "packs/",
    "packs/.hidden",
    "a..b",
    "PACKS/x",
    "packs/\0",
    "packs/x\n",
    "packs/é",
    "packs\\x",
    "x" * 201,
]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source"
    path.write_bytes(b"0123456789")
    return path


def octets(blobs: BlobStore, name: str, *, offset: int = 0, length: int | None = None) -> bytes:
    return b"".join(blobs.read(name, offset=offset, length=length))


def test_an_object_comes_back_whole(blobs: BlobStore, source: Path) -> None:
    blobs.put("packs/ab/x.tar", source)
    assert octets(blobs, "packs/ab/x.tar") == b"0123456789"
    assert blobs.size("packs/ab/x.tar") == 10


def test_it_stays_when_its_source_is_removed(blobs: BlobStore, source: Path) -> None:
    blobs.put("x", source)
    source.unlink()
    assert octets(blobs, "x") == b"0123456789"


def test_an_empty_object_is_an_object(blobs: BlobStore, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    blobs.put("empty", tmp_path / "empty")
    assert blobs.size("empty") == 0
    assert octets(blobs, "empty") == b""


@pytest.mark.parametrize(
    ("offset", "length"), [(0, 10), (0, 0), (3, 4), (9, 1), (10, 0), (3, None), (10, None)]
)
def test_a_range_is_given_exactly(
    blobs: BlobStore, source: Path, offset: int, length: int | None
) -> None:
    blobs.put("x", source)
    end = 10 if length is None else offset + length
    assert octets(blobs, "x", offset=offset, length=length) == b"0123456789"[offset:end]


@pytest.mark.parametrize(("offset", "length"), [(0, 11), (11, 0), (11, None), (5, 6), (-1, 2)])
def test_a_range_not_wholly_inside_is_refused_at_the_call(
    blobs: BlobStore, source: Path, offset: int, length: int | None
) -> None:
    blobs.put("x", source)
    with pytest.raises(NotFound):
        blobs.read("x", offset=offset, length=length)


def test_a_large_object_comes_in_chunks_and_ranges_cross_them(
    blobs: BlobStore, tmp_path: Path
) -> None:
    whole = b"".join(at.to_bytes(4, "big") for at in range(3 * CHUNK + 77))
    (tmp_path / "large").write_bytes(whole)
    blobs.put("large", tmp_path / "large")
    chunks = list(blobs.read("large"))
    assert b"".join(chunks) == whole
    assert max(len(chunk) for chunk in chunks) <= CHUNK
    begin, length = 8 * CHUNK - 5, 3 * CHUNK
    assert octets(blobs, "large", offset=begin, length=length) == whole[begin : begin + length]


def test_the_same_name_again_changes_nothing(blobs: BlobStore, source: Path) -> None:
    blobs.put("x", source)
    blobs.put("x", source)
    assert octets(blobs, "x") == b"0123456789"
    assert list(blobs.names("")) == ["x"]


def test_a_damaged_object_of_another_size_is_replaced(
    blobs: BlobStore, source: Path, tmp_path: Path
) -> None:
    (tmp_path / "torn").write_bytes(b"0123")
    blobs.put("x", tmp_path / "torn")
    blobs.put("x", source)
    assert octets(blobs, "x") == b"0123456789"


def test_many_may_put_the_same_object_at_once(blobs: BlobStore, source: Path) -> None:
    failures: list[BaseException] = []

    def put() -> None:
        try:
            blobs.put("packs/x", source)
        except BaseException as failure:  # noqa: BLE001 - handed to the test's own thread
            failures.append(failure)

    threads = [threading.Thread(target=put) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert octets(blobs, "packs/x") == b"0123456789"


def test_what_is_absent_is_not_found(blobs: BlobStore) -> None:
    with pytest.raises(NotFound):
        blobs.size("none/x")
    with pytest.raises(NotFound):
        blobs.read("none/x")


def test_a_deleted_object_is_gone_and_deleting_again_is_no_error(
    blobs: BlobStore, source: Path
) -> None:
    blobs.put("packs/x", source)
    blobs.delete("packs/x")
    blobs.delete("packs/x")
    blobs.delete("never/was")
    with pytest.raises(NotFound):
        blobs.size("packs/x")
    assert list(blobs.names("")) == []


def test_names_are_those_of_the_folder_and_below(blobs: BlobStore, source: Path) -> None:
    for name in ("packs/ab/x.tar", "packs/ab/y.tar", "packs/cd/z.tar", "packs2/x", "held/ab/x"):
        blobs.put(name, source)
    assert sorted(blobs.names("packs")) == ["packs/ab/x.tar", "packs/ab/y.tar", "packs/cd/z.tar"]
    assert sorted(blobs.names("packs/ab")) == ["packs/ab/x.tar", "packs/ab/y.tar"]
    assert list(blobs.names("packs/a")) == []
    assert list(blobs.names("none")) == []
    assert len(list(blobs.names(""))) == 5


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_hostile_names_are_refused(blobs: BlobStore, source: Path, name: str) -> None:
    with pytest.raises(NotFound):
        blobs.put(name, source)
    with pytest.raises(NotFound):
        blobs.size(name)
    with pytest.raises(NotFound):
        blobs.read(name)
    with pytest.raises(NotFound):
        blobs.delete(name)
    if name:
        with pytest.raises(NotFound):
            list(blobs.names(name))


def test_the_names_of_packs_and_held_objects_are_allowed(blobs: BlobStore, source: Path) -> None:
    assert pack_name(bytes(32)) == f"packs/00/{'00' * 32}.tar"
    assert held_name(b"\xab" * 32) == f"held/ab/{'ab' * 32}"
    blobs.put(pack_name(bytes(32)), source)
    blobs.put(held_name(bytes(32)), source)
