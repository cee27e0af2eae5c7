"""`region up`, `down` and `status`, with a real broker and stand-ins for the tiers' servers."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tomllib
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from deploy.region.directory import read_json
from deploy.region.lock import holder, is_held
from tests.region.stages import MARK, ROOT, becomes_true, holders_of, marked_processes

STAND_IN = str(Path(__file__).with_name("stand_in.py"))


class Region:
    """A region in a directory, asked by the command line in a bare environment."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.mark = uuid.uuid4().hex

    def command(self, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            (sys.executable, STAND_IN, "region", *arguments),
            env={MARK: self.mark, "LC_ALL": "C", "PYTHONPATH": str(ROOT), **env},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def up(self, *more: str, trusts: str = "RXA,RXB", **env: str) -> Any:
        done = self.command(
            "up", "--dir", str(self.root), "--trusts", trusts, "--detach", *more, **env
        )
        assert done.returncode == 0, done.stderr
        return read_json(self.root / "region.json")

    def down(self) -> None:
        done = self.command("down", "--dir", str(self.root))
        assert done.returncode == 0, done.stderr

    def broker(self) -> redis.Redis:
        sockets = str(read_json(self.root / "run")["sockets"])
        return redis.Redis(unix_socket_path=f"{sockets}/valkey.sock", decode_responses=True)

    def processes(self) -> set[int]:
        """Return what runs of it; the broker writes its title over its environment."""
        return {*marked_processes(self.mark), *holders_of(self.root / "children.lock")}


@pytest.fixture
def region(tmp_path: Path) -> Iterator[Region]:
    region = Region(tmp_path / "region")
    yield region
    region.command("down", "--dir", str(region.root))
    for pid in region.processes():
        with contextlib.suppress(ProcessLookupError):  # it was just ending by itself
            os.kill(pid, signal.SIGKILL)


def answers(place: dict[str, Any]) -> bool:
    with socket.create_connection((place["host"], place["port"])):
        return True


def test_detached_it_returns_when_everything_answers_where_region_json_says(
    region: Region,
) -> None:
    published = region.up()

    assert set(published) == {"central", "trusts", "tokens"}
    assert set(published["tokens"]) == {"operator", "radiologist.RXA", "radiologist.RXB"}
    assert published["central"]["dicom"]["ae_title"] == "CENTRE"
    for trust in ("RXA", "RXB"):
        told = published["trusts"][trust]
        assert told["dicom"]["ae_title"] == trust
        assert answers(told["dicom"])
        assert answers(told["mllp"])
        host, _, port = told["http"].removeprefix("http://").partition(":")
        assert answers({"host": host, "port": int(port)})
    assert len(region.processes()) == 1 + 1 + 2 + 2 * 3


def test_what_holds_secrets_is_for_its_owner_alone(region: Region) -> None:
    published = region.up()

    for name in ("region.json", "secrets.json", "config/RXA.toml", "config/central.toml"):
        assert (region.root / name).stat().st_mode & 0o077 == 0
    assert region.root.stat().st_mode & 0o077 == 0
    configured = "".join(path.read_text() for path in (region.root / "config").iterdir())
    assert not [token for token in published["tokens"].values() if token in configured]


def test_starting_again_continues_with_ports_tokens_and_the_brokers_content(
    region: Region,
) -> None:
    before = region.up()
    region.broker().set("kept", "yes")
    region.down()
    assert not (region.root / "region.json").exists()

    after = region.up()

    assert after == before
    assert region.broker().get("kept") == "yes"


def test_down_ends_every_process_and_leaves_no_socket_directory(region: Region) -> None:
    region.up()
    sockets = Path(str(read_json(region.root / "run")["sockets"]))

    region.down()

    assert not region.processes()
    assert not is_held(region.root / "lock")
    assert not sockets.exists()


def test_down_without_a_region_says_so(region: Region) -> None:
    done = region.command("down", "--dir", str(region.root))

    assert done.returncode == 1
    assert "no region is up" in done.stderr


def test_a_region_that_is_up_is_not_started_twice(region: Region) -> None:
    region.up()
    arguments = ("up", "--dir", str(region.root), "--trusts", "RXA")

    for done in (region.command(*arguments), region.command(*arguments, "--detach")):
        assert done.returncode == 1
        assert "up already" in done.stderr
    assert (region.root / "region.json").exists()


def test_nothing_lives_on_when_its_supervisor_is_killed_and_it_can_start_at_once(
    region: Region,
) -> None:
    before = region.up()
    supervisor = holder(region.root / "lock")
    assert supervisor is not None
    first = region.processes()

    os.kill(supervisor.pid, signal.SIGKILL)

    assert region.up() == before
    assert not first & region.processes()


def test_a_directory_of_200_characters_will_do(region: Region) -> None:
    name = "ä b'\"#" * 40
    region.root = region.root / name[: 200 - len(str(region.root)) - 1]
    assert len(str(region.root)) == 200

    region.up()

    assert region.broker().ping()


def test_a_port_that_another_program_took_is_named_with_the_way_out(region: Region) -> None:
    port = region.up()["trusts"]["RXA"]["mllp"]["port"]
    region.down()

    with socket.create_server(("127.0.0.1", port)):
        done = region.command("up", "--dir", str(region.root), "--trusts", "RXA", "--detach")

    assert done.returncode == 1
    assert f"port {port}" in done.stderr
    assert "ports.json" in done.stderr


def test_a_detached_start_that_fails_says_why_and_leaves_nothing(region: Region) -> None:
    done = region.command(
        "up", "--dir", str(region.root), "--trusts", "RXA", "--detach", FAIL_ROLES="work"
    )

    assert done.returncode == 1
    assert "work was told to fail" in done.stderr
    assert not region.processes()
    assert not (region.root / "region.json").exists()


def test_status_shows_every_process(region: Region) -> None:
    region.up(trusts="RXA")

    done = region.command("status", "--dir", str(region.root))

    assert done.returncode == 0
    names = [line.split()[0] for line in done.stdout.splitlines()[2:]]
    assert names == [
        "valkey",
        "central.serve",
        "central.work",
        "RXA.receive",
        "RXA.serve",
        "RXA.work",
    ]


def test_a_fallen_broker_comes_again_with_what_it_had(region: Region) -> None:
    region.up(trusts="RXA")
    region.broker().set("kept", "yes")
    children: Any = read_json(region.root / "status.json")["children"]

    os.kill(children[0]["pid"], signal.SIGKILL)

    def restarted() -> bool:
        told: Any = read_json(region.root / "status.json")["children"]
        return bool(told[0]["restarts"] == 1 and told[0]["state"] == "READY")

    assert becomes_true(restarted)
    assert region.broker().get("kept") == "yes"


@pytest.mark.parametrize("end", ["its input ends", "killed"])
def test_a_tied_region_ends_with_the_program_that_uses_it(region: Region, end: str) -> None:
    with subprocess.Popen(
        (sys.executable, STAND_IN, "tied", str(region.root)),
        env={MARK: region.mark, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as program:
        assert program.stdout is not None
        assert answers(json.loads(program.stdout.readline())["trusts"]["RXA"]["dicom"])
        if end == "killed":
            program.kill()

    assert becomes_true(lambda: not region.processes())


def test_the_options_reach_the_tiers_files(region: Region) -> None:
    region.up(
        *("--peer", "RXB:WS=127.0.0.1:11112", "--ae", "WS=RXB"),
        *("--authority", "RXA=RXAW", "--source", "RXA:RXAWEST_CT=RXAW"),
    )

    central, rxa, rxb = (
        tomllib.loads((region.root / "config" / f"{name}.toml").read_text())
        for name in ("central", "RXA", "RXB")
    )
    assert rxb["peers"] == [{"ae_title": "WS", "host": "127.0.0.1", "port": 11112}]
    assert {"ae_title": "WS", "organisation": "RXB"} in central["callers"]
    assert [one["namespace"] for one in rxa["authorities"]] == ["RXA", "RXAW"]
    assert [one["namespace"] for one in central["organisations"][0]["authorities"]] == [
        "RXA",
        "RXAW",
    ]
    assert {one["kind"] for one in rxa["sources"]} == {"dicom", "hl7"}
    central_http = json.loads((region.root / "region.json").read_text())["central"]["http"]
    assert rxa["centre"]["url"] == central_http
