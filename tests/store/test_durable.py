"""Files written durably: what the machine is asked, in which order, before the call returns."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from archive.errors import StorageFailed
from archive.store.durable import ensure_directory, write_durably
from archive.store.local_blobs import LocalBlobs


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Log every fsync, rename and link with the name it concerns."""
    log: list[tuple[str, str]] = []
    fsync = os.fsync

    def synced(descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        log.append(("sync directory" if path.is_dir() else "sync", path.name.partition(".")[0]))
        fsync(descriptor)

    def logged(operation: str, act: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: Path) -> object:
            log.append((operation, Path(arguments[0]).name.partition(".")[0]))
            return act(*arguments)

        return call

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "rename", logged("rename", Path.rename))
    monkeypatch.setattr(Path, "hardlink_to", logged("link", Path.hardlink_to))
    return log


def test_octets_are_synced_before_the_name_and_the_name_before_the_return(
    tmp_path: Path, asked: list[tuple[str, str]]
) -> None:
    write_durably(tmp_path / "name", [b"a", b"b"])
    assert asked == [("sync", "name"), ("rename", "name"), ("sync directory", tmp_path.name)]
    assert (tmp_path / "name").read_bytes() == b"ab"


def test_every_new_directory_is_synced_into_the_one_above_it(
    tmp_path: Path, asked: list[tuple[str, str]]
) -> None:
    ensure_directory(tmp_path / "a" / "b")
    assert asked == [("sync directory", tmp_path.name), ("sync directory", "a")]
    ensure_directory(tmp_path / "a" / "b")
    assert len(asked) == 2


def test_a_blob_and_all_directories_to_it_are_synced_before_put_returns(
    tmp_path: Path, asked: list[tuple[str, str]]
) -> None:
    (tmp_path / "source").write_bytes(b"abc")
    LocalBlobs(tmp_path).put("packs/ab/name", tmp_path / "source")
    assert asked == [
        ("sync directory", tmp_path.name),
        ("sync directory", "packs"),
        ("sync", "source"),
        ("link", "name"),
        ("rename", "name"),
        ("sync directory", "ab"),
    ]


def test_a_blob_put_again_is_on_the_disk_all_the_same(
    tmp_path: Path, asked: list[tuple[str, str]]
) -> None:
    (tmp_path / "source").write_bytes(b"abc")
    LocalBlobs(tmp_path).put("packs/name", tmp_path / "source")
    asked.clear()
    LocalBlobs(tmp_path).put("packs/name", tmp_path / "source")
    assert asked == [("sync directory", "packs")]


def test_where_no_link_can_be_made_a_blob_is_copied_durably(
    tmp_path: Path, asked: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: Path) -> None:
        raise OSError(18, "another file system")

    monkeypatch.setattr(Path, "hardlink_to", refused)
    (tmp_path / "source").write_bytes(b"abc" * 10**6)
    LocalBlobs(tmp_path / "blobs").put("name", tmp_path / "source")
    assert asked[-4:-1] == [("sync", "name"), ("rename", "name"), ("sync directory", "blobs")]
    assert (tmp_path / "blobs" / "name").read_bytes() == b"abc" * 10**6


def test_when_the_chunks_fail_the_name_is_as_it_was(tmp_path: Path) -> None:
    def failing() -> Iterator[bytes]:
        yield b"new"
        raise KeyError

    (tmp_path / "name").write_bytes(b"old")
    with pytest.raises(KeyError):
        write_durably(tmp_path / "name", failing())
    assert [path.name for path in tmp_path.iterdir()] == ["name"]
    assert (tmp_path / "name").read_bytes() == b"old"


def test_a_sync_that_fails_is_said_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(_: int) -> None:
        raise OSError(5, "no")

    monkeypatch.setattr(os, "fsync", refused)
    with pytest.raises(StorageFailed):
        write_durably(tmp_path / "name", [b"a"])
    assert list(tmp_path.iterdir()) == []
