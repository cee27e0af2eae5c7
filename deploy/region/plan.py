"""Which processes a region is made of, what each needs first, and the files that they read."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from deploy.region import process
from deploy.region.configuration import CENTRAL_SERVE, CENTRAL_WORK, Configurations, region_file
from deploy.region.directory import RegionDirectory, write_json, write_private
from deploy.region.options import RegionOptions
from deploy.region.ports import KeptPorts
from deploy.region.process import Child
from deploy.region.tokens import kept_tokens
from deploy.region.valkey import NAME as BROKER
from deploy.region.valkey import Valkey, find_program

NODE_ROLES = ("receive", "serve", "work")


@dataclass(frozen=True, slots=True)
class Plan:
    """The children of a region and its published file.

    Every child of a tier reads the tier's one file, which is written anew before each of their
    starts: by then more ports are known.
    """

    directory: RegionDirectory
    configurations: Configurations

    def children(self) -> Sequence[Child]:
        """Return the processes: broker, centre, and three for each trust."""
        centre = [self._central(CENTRAL_SERVE, "serve"), self._central(CENTRAL_WORK, "work")]
        trusts = self.configurations.options.trusts
        nodes = [self._node(trust, role) for trust in trusts for role in NODE_ROLES]
        return [self.configurations.broker.child(), *centre, *nodes]

    def publish(self) -> None:
        """Write `region.json`: all is ready."""
        known = self.configurations
        published = region_file(known.options.trusts, ports=known.ports, tokens=known.tokens)
        write_json(self.directory.region, published)

    def _central(self, name: str, role: str) -> Child:
        file = self.directory.config / "central.toml"
        return Child(
            name=name,
            argv=_command("central", role, file),
            needs=(BROKER,),
            prepare=lambda: write_private(file, self.configurations.central()),
        )

    def _node(self, trust: str, role: str) -> Child:
        file = self.directory.config / f"{trust}.toml"
        return Child(
            name=f"{trust}.{role}",
            argv=_command("node", role, file),
            needs=self._needs_of_node(role),
            prepare=lambda: write_private(file, self.configurations.node(trust)),
        )

    def _needs_of_node(self, role: str) -> tuple[str, ...]:
        """Name what a node waits for: where the centre is must be known, not that it is there."""
        broker = () if role == "receive" else (BROKER,)
        if self.configurations.ports.of(CENTRAL_SERVE, "http"):
            return broker
        return (*broker, CENTRAL_SERVE)


def make_plan(options: RegionOptions, *, sockets: Path, ports: KeptPorts) -> Plan:
    """Make the plan and what it needs on disk: the tiers' directories and the tokens.

    Raises NoBrokerProgram.
    """
    directory = RegionDirectory(options.directory)
    broker = Valkey(
        program=find_program(),
        socket=sockets / "valkey.sock",
        directory=directory.valkey,
        databases=max(16, 1 + len(options.trusts)),
    )
    tokens = kept_tokens(directory.secrets, options.trusts)
    for tier in ("central", *(f"trusts/{trust}" for trust in options.trusts)):
        (options.directory / tier).mkdir(mode=0o700, parents=True, exist_ok=True)
    return Plan(directory, Configurations(options, tokens, broker, ports))


def _command(tier: str, role: str, file: Path) -> tuple[str, ...]:
    return (*process.IMAGESTORE, tier, role, "--config", str(file))
