"""An address that is taken is told to whoever started the node, in one sentence."""

import os
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.peers.processes import LOOPBACK
from tests.receiving.nodes import configured

RECEIVE = (sys.executable, "-m", "deploy.command", "node", "receive", "--config")


@pytest.mark.parametrize("processes", [1, 2])
def test_a_dicom_address_that_is_taken_is_said_and_nothing_stays_behind(
    tmp_path: Path, processes: int
) -> None:
    with socket.create_server((LOOPBACK, 0)) as taken:
        port = taken.getsockname()[1]
        file = configured(tmp_path, processes=processes, port=port)
        started = subprocess.Popen(
            (*RECEIVE, str(file)), stderr=subprocess.PIPE, text=True, start_new_session=True
        )
        _, said = started.communicate(timeout=60)

    assert started.returncode == 69
    assert f"imagestore: The DICOM address cannot be bound. host={LOOPBACK} port={port}" in said
    assert "Address already in use" in said
    assert "Traceback" not in said
    assert not [pid for pid in psutil.pids() if session_of(pid) == started.pid]


def session_of(pid: int) -> int | None:
    with suppress(ProcessLookupError):
        return os.getsid(pid)
    return None
