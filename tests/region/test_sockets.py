"""Unix sockets need short paths, in a place of their owner alone."""

import json
import os
import tempfile
from pathlib import Path

import pytest

from deploy.region import sockets
from deploy.region.errors import NoShortDirectory
from deploy.region.sockets import socket_directory


def test_the_directory_is_private_short_noted_and_removed_in_the_end(tmp_path: Path) -> None:
    record = tmp_path / "run"

    with socket_directory(record) as directory:
        assert directory.stat().st_mode & 0o777 == 0o700
        assert len(os.fsencode(directory / "a-name-of-a.sock")) <= 107
        assert json.loads(record.read_text()) == {"sockets": str(directory)}
        (directory / "left.sock").touch()

    assert not directory.exists()
    assert not record.exists()


def test_what_a_killed_run_left_is_removed_by_the_next(tmp_path: Path) -> None:
    record = tmp_path / "run"
    left = Path(tempfile.mkdtemp(prefix="imagestore-", dir="/tmp"))
    (left / "valkey.sock").touch()
    record.write_text(json.dumps({"sockets": str(left)}))

    with socket_directory(record):
        assert not left.exists()


def test_a_directory_that_a_record_only_claims_is_never_touched(tmp_path: Path) -> None:
    """A link, another's directory or one that is open to others is not one of ours."""
    record = tmp_path / "run"
    victim = tmp_path / "victim"
    victim.mkdir(mode=0o700)
    (victim / "kept").touch()
    link = tmp_path / "imagestore-link"
    link.symlink_to(victim)
    (opened := tmp_path / "imagestore-open").mkdir(mode=0o755)
    (opened / "kept").touch()

    for claimed in (victim, link, opened):
        record.write_text(json.dumps({"sockets": str(claimed)}))
        with socket_directory(record):
            pass

    assert (victim / "kept").exists()
    assert (opened / "kept").exists()


def test_where_no_short_place_can_be_written_the_error_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = tmp_path / ("d" * 100)
    long.mkdir()
    monkeypatch.setattr(sockets, "_bases", lambda: iter((str(long), "/nonexistent")))

    with pytest.raises(NoShortDirectory), socket_directory(tmp_path / "run"):
        pass
    assert list(long.iterdir()) == []
