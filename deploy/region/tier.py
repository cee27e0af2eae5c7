"""One tier's processes in one tree: `imagestore node up`, `imagestore central up`."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from archive.config import ArchiveSettings, load
from archive.logs import log_to_stderr
from archive.process import report_ready
from central_store.config import CentralSettings
from deploy.region import process
from deploy.region.directory import RegionDirectory
from deploy.region.lock import children_lock, supervisor_lock
from deploy.region.ports import KeptPorts
from deploy.region.process import Child
from deploy.region.supervisor import Supervisor
from deploy.region.up import ORPHANS_SECONDS
from local_node.config import NodeSettings

ROLES: Mapping[str, Sequence[str]] = {
    "node": ("receive", "serve", "work"),
    "central": ("serve", "work"),
}
_SETTINGS: Mapping[str, type[ArchiveSettings]] = {"node": NodeSettings, "central": CentralSettings}


def run_tier(tier: str, config: Path) -> None:
    """Run a tier's processes in this process's tree until it is told to end.

    Their logs and locks lie in ``supervisor/`` of the tier's directory.

    Raises:
        ConfigurationInvalid: the file will not do.
        RegionAlreadyUp, StartFailed: as of a region.
    """
    log_to_stderr()
    os.umask(0o077)
    settings = load(_SETTINGS[tier], config)
    directory = RegionDirectory(settings.directory / "supervisor")
    directory.make()
    with (
        supervisor_lock(directory.lock),
        children_lock(directory.children_lock, seconds=ORPHANS_SECONDS) as inherited,
    ):
        Supervisor(
            children=[_child(tier, role, config) for role in ROLES[tier]],
            directory=directory,
            ports=KeptPorts(directory.ports),
            children_lock=inherited,
            on_ready=report_ready,
        ).run()


def _child(tier: str, role: str, config: Path) -> Child:
    argv = (*process.IMAGESTORE, tier, role, "--config", str(config))
    return Child(name=f"{tier}.{role}", argv=argv)
