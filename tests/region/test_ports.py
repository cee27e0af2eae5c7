"""Ports are bound by servers and kept."""

import socket
from pathlib import Path

import pytest

from deploy.region import ports
from deploy.region.errors import PortTaken
from deploy.region.ports import KeptPorts


def test_a_port_is_kept_for_the_next_start_and_zero_before_the_first(tmp_path: Path) -> None:
    path = tmp_path / "ports.json"
    kept = KeptPorts(path)
    assert kept.of("RXA.serve", "http") == 0

    kept.keep("RXA.serve", {"http": 40001})

    assert KeptPorts(path).of("RXA.serve", "http") == 40001


def test_only_a_port_that_is_wanted_and_taken_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ports, "_PATIENCE_SECONDS", 0)
    kept = KeptPorts(tmp_path / "ports.json")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        kept.keep("RXA.serve", {"http": taken.getsockname()[1]})

        kept.refuse_taken(["RXB.serve"])
        with pytest.raises(PortTaken, match=r"RXA\.serve"):
            kept.refuse_taken(["RXA.serve"])

    kept.refuse_taken(["RXA.serve"])
