"""`imagestore node up`: a node's processes in one tree, with no region around it."""

import signal
import subprocess
import sys
from pathlib import Path

from deploy.demo.modality import Modality
from deploy.region.directory import read_json
from tests.peers.processes import free_port, wait_until

_NODE = """
environment = "test"
directory = "{directory}"
broker = "redis+socket://{directory}/nobody.sock"
[node]
name = "RXA"
organisation = "RXA"
ae_title = "RXA"
[[authorities]]
namespace = "RXA"
[dicom]
port = {port}
any_caller = true
[limits]
disk_floor_bytes = 0
"""


def test_a_node_comes_up_without_broker_or_centre_and_ends_when_told(tmp_path: Path) -> None:
    config = tmp_path / "node.toml"
    port = free_port()
    config.write_text(_NODE.format(directory=tmp_path, port=port))
    command = [sys.executable, "-m", "deploy.command", "node", "up", "--config", str(config)]

    with subprocess.Popen(command) as node:
        try:
            wait_until(lambda: _is_ready(tmp_path), what="the node is up", seconds=60)
            assert Modality("CT1", "127.0.0.1", port, "RXA").echo() == 0
        finally:
            node.send_signal(signal.SIGTERM)
        assert node.wait(20) == 0


def _is_ready(directory: Path) -> bool:
    return read_json(directory / "supervisor" / "status.json").get("ready") is True
