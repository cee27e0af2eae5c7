"""A child of a region for tests: what it does besides being there is named by its arguments."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from archive.process import report_ready, watch_parent


def main() -> None:
    watch_parent(grace_seconds=0.5)
    if "grandchild" in sys.argv:
        subprocess.Popen([sys.executable, __file__, "stubborn", "silent"])
    if "polite" in sys.argv:
        signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit())
    if "stubborn" in sys.argv:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if "fall" in sys.argv or Path(f"{os.environ['PORT_FILE']}.fall").exists():
        sys.exit("I fall at once")
    if "orphan" in sys.argv:
        _leave_an_orphan()
    _serve()
    while True:
        time.sleep(60)


def _serve() -> None:
    if "silent" in sys.argv:
        return
    listener = socket.create_server(("127.0.0.1", _wanted_port()))
    report_ready(http=listener.getsockname()[1])
    _LISTENERS.append(listener)


def _wanted_port() -> int:
    return int(Path(os.environ["PORT_FILE"]).read_text())


def _leave_an_orphan() -> None:
    """Start a process whose parent ends at once, and which ends itself soon after."""
    script = "import os, time\nif os.fork() == 0:\n    time.sleep(0.2)\n"
    subprocess.run([sys.executable, "-c", script], check=True)


_LISTENERS: list[socket.socket] = []

if __name__ == "__main__":
    main()
