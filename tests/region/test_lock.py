"""Liveness is a lock; a number only says whom to signal, and never a stranger."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from deploy.region.errors import RegionAlreadyUp
from deploy.region.lock import Holder, holder, is_held, send_signal, supervisor_lock


def test_a_lock_is_held_while_its_holder_lives_and_names_him(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    assert not is_held(lock)

    with supervisor_lock(lock):
        found = holder(lock)
        assert found is not None
        assert found.pid == os.getpid()

    assert not is_held(lock)
    assert holder(lock) is None


def test_a_second_holder_is_refused(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with supervisor_lock(lock), pytest.raises(RegionAlreadyUp), supervisor_lock(lock):
        pass


def test_a_number_that_was_given_to_another_process_is_not_signalled() -> None:
    with subprocess.Popen(["/bin/sleep", "60"]) as stranger:
        assert not send_signal(Holder(pid=stranger.pid, began=1), signal.SIGKILL)
        assert stranger.poll() is None
        stranger.kill()


def test_a_number_that_nobody_has_is_not_signalled() -> None:
    with subprocess.Popen(["/bin/true"]) as process:
        process.wait()
    assert not send_signal(Holder(pid=process.pid, began=1), signal.SIGKILL)
