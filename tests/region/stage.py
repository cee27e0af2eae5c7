"""A supervisor with children from a file, for tests: `stage.py DIR CHILDREN.json`."""

import json
import os
import sys
from pathlib import Path

from archive.errors import ArchiveError
from archive.process import report_ready
from deploy.region.directory import RegionDirectory
from deploy.region.lock import children_lock, supervisor_lock
from deploy.region.ports import KeptPorts
from deploy.region.process import Child, Order
from deploy.region.supervisor import Patience, Supervisor


def main() -> None:
    directory = RegionDirectory(Path(sys.argv[1]))
    directory.make()
    ports = KeptPorts(directory.ports)
    try:
        with (
            supervisor_lock(directory.lock),
            children_lock(directory.children_lock, seconds=10) as lock,
        ):
            Supervisor(
                children=[_child(one, directory, ports) for one in json.loads(sys.argv[2])],
                directory=directory,
                ports=ports,
                children_lock=lock,
                on_ready=report_ready,
                patience=Patience(start=20.0, end=1.0, end_last=1.0, falls_at_start=2),
            ).run()
    except ArchiveError as error:
        sys.exit(str(error))


def _child(told: dict[str, str], directory: RegionDirectory, ports: KeptPorts) -> Child:
    """Make a child of an actor, or on a leash one of a foreign program (`foreign`)."""
    name = told["name"]
    port_file = directory.config / name
    if "foreign" in told:
        return Child(
            name=name,
            argv=tuple(told["foreign"].split()),
            probe=lambda: True,
            order=Order.LAST,
        )
    return Child(
        name=name,
        argv=(sys.executable, str(Path(__file__).with_name("actor.py")), *told["acts"].split()),
        env={"PORT_FILE": str(port_file), "PYTHONPATH": os.environ["PYTHONPATH"]},
        needs=tuple(told.get("needs", "").split()),
        prepare=lambda: _write(port_file, ports.of(name, "http")),
    )


def _write(path: Path, port: int) -> None:
    path.write_text(str(port))


if __name__ == "__main__":
    main()
