"""An `imagestore` for tests of the region: its own `region`, and servers that only bind and report.

It reads the tiers' files as the real ones do, so that what the plan writes is put to use.
"""

import json
import os
import socket
import sys
import tomllib
from pathlib import Path

from archive.process import report_ready, watch_parent
from deploy.region import process
from deploy.region.cli import app
from deploy.region.launch import tied_region
from deploy.region.options import RegionOptions

SERVERS = {
    ("node", "receive"): ("dicom", "mllp"),
    ("node", "serve"): ("http",),
    ("central", "serve"): ("dicom", "http"),
}


def main() -> None:
    process.IMAGESTORE = (sys.executable, __file__)
    if sys.argv[1] == "region":
        app(args=sys.argv[2:])
    elif sys.argv[1] == "tied":
        _tie(Path(sys.argv[2]))
    else:
        _stand_in(sys.argv[1], sys.argv[2], Path(sys.argv[4]))


def _tie(root: Path) -> None:
    with tied_region(RegionOptions(root, ("RXA",))) as published:
        sys.stdout.write(json.dumps(published) + "\n")
        sys.stdout.flush()
        sys.stdin.read()


def _stand_in(tier: str, role: str, file: Path) -> None:
    watch_parent()
    settings = tomllib.loads(file.read_text(encoding="utf-8"))
    assert role not in os.environ.get("FAIL_ROLES", ""), f"{role} was told to fail"
    listeners = {
        name: socket.create_server((settings[name]["host"], settings[name]["port"]))
        for name in SERVERS.get((tier, role), ())
    }
    report_ready(**{name: one.getsockname()[1] for name, one in listeners.items()})
    while True:
        next(iter(listeners.values()), socket.create_server(("127.0.0.1", 0))).accept()


if __name__ == "__main__":
    main()
