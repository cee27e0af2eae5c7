"""A real process that writes a spool is killed; what it was told is durable comes back."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from archive.store.spool import SpoolReader
from tests.store.examples import body_of

SCRIPT = Path(__file__).with_name("writing_process.py")
ROOT = Path(__file__).parents[2]


def started(directory: Path, *arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, str(SCRIPT), str(directory), *arguments],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def recovered(directory: Path) -> list[bytes]:
    reader = SpoolReader(directory)
    reader.recover()
    return list(_bodies(reader))


def _bodies(reader: SpoolReader) -> Iterator[bytes]:
    for name in reader.ready():
        for record in reader.records(name):
            yield b"".join(reader.read(name, offset=record.offset, length=record.length))


@pytest.mark.parametrize("kill_after", [1, 40])
def test_killed_at_any_moment_every_acknowledged_record_comes_back(
    tmp_path: Path, kill_after: int
) -> None:
    process = started(tmp_path)
    assert process.stdout
    for _ in range(kill_after):
        process.stdout.readline()
    assert SpoolReader(tmp_path).recover() == [], "its writer lives"
    process.kill()
    acknowledged = kill_after + len(process.stdout.readlines())
    process.wait()
    found = recovered(tmp_path)
    assert found == [body_of(number) for number in range(1, len(found) + 1)]
    assert len(found) in {acknowledged, acknowledged + 1}


@pytest.mark.parametrize("tear_at", [1, 2, 7])
def test_killed_inside_a_record_only_that_record_is_cut(tmp_path: Path, tear_at: int) -> None:
    process = started(tmp_path, str(tear_at))
    assert process.stdout
    assert len(process.stdout.readlines()) == tear_at - 1
    process.wait()
    assert recovered(tmp_path) == [body_of(number) for number in range(1, tear_at)]
