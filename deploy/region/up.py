"""A region in this process: everything that is held while it is up, and its supervisor."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from archive.process import report_ready
from deploy.region.directory import RegionDirectory
from deploy.region.lock import children_lock, supervisor_lock
from deploy.region.options import RegionOptions
from deploy.region.plan import Plan, make_plan
from deploy.region.ports import KeptPorts
from deploy.region.sockets import socket_directory
from deploy.region.supervisor import Supervisor

ORPHANS_SECONDS = 8.0
"""How long children may outlive a killed supervisor: 5 s of grace, and some."""


def run_region(options: RegionOptions) -> None:
    """Run a region in this process until it is told to end.

    Raises RegionAlreadyUp, PortTaken, NoBrokerProgram, NoShortDirectory or StartFailed.
    """
    os.umask(0o077)
    directory = RegionDirectory(options.directory)
    directory.make()
    with (
        supervisor_lock(directory.lock),
        children_lock(directory.children_lock, seconds=ORPHANS_SECONDS) as inherited,
        socket_directory(directory.run) as sockets,
        _published_while_up(directory.region),
    ):
        plan = make_plan(options, sockets=sockets, ports=KeptPorts(directory.ports))
        _supervise(plan, inherited=inherited)


def _supervise(plan: Plan, *, inherited: int) -> None:
    children = plan.children()
    ports = plan.configurations.ports
    ports.refuse_taken(child.name for child in children)

    def all_are_ready() -> None:
        plan.publish()
        report_ready()

    Supervisor(
        children=children,
        directory=plan.directory,
        ports=ports,
        children_lock=inherited,
        on_ready=all_are_ready,
    ).run()


@contextmanager
def _published_while_up(path: Path) -> Iterator[None]:
    """Keep `region.json` from speaking for a region that is not up."""
    path.unlink(missing_ok=True)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
