"""The configuration file of each tier, as text, from the options, the tokens and the ports."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from deploy.region.options import CENTRE, RegionOptions
from deploy.region.ports import HOST, KeptPorts
from deploy.region.tokens import OPERATOR, Tokens, hashed, radiologist
from deploy.region.toml import toml_document
from deploy.region.valkey import Valkey

CENTRAL_SERVE = "central.serve"
CENTRAL_WORK = "central.work"

_ENVIRONMENT = "test"
"""999 numbers are allowed, others refused."""

_QUIET_SECONDS = 1.0
"""Modalities of an embedded region are beside it: a series that pauses so long is complete."""

_DISK_FLOOR_BYTES = 256 * 1024**2
"""Several archives share this machine's one disk."""

_RECEIVING_PROCESSES = 1
"""A node's acceptor serves too: a whole region has sixteen processes."""

Table = dict[str, object]


@dataclass(frozen=True, slots=True)
class Configurations:
    """Writes what each tier is to know. A port that was never bound is 0."""

    options: RegionOptions
    tokens: Tokens
    broker: Valkey
    ports: KeptPorts

    def central(self) -> str:
        """Return the centre's file."""
        return toml_document(
            {
                **self._common(self.options.directory / "central", database=0),
                "central": {"name": CENTRE, "ae_title": CENTRE},
                "dicom": self._server(CENTRAL_SERVE, "dicom"),
                "http": self._server(CENTRAL_SERVE, "http"),
                "organisations": [self._organisation(trust) for trust in self.options.trusts],
                "nodes": [self._node_of(trust) for trust in self.options.trusts],
                "callers": self._callers(),
                "peers": self._peers(CENTRE),
                "tokens": [
                    _token(self.tokens, OPERATOR, role="operator", organisation=""),
                    *(self._radiologist(trust) for trust in self.options.trusts),
                ],
            }
        )

    def node(self, trust: str) -> str:
        """Return the file of a trust's node."""
        directory = self.options.directory / "trusts" / trust
        receive = f"{trust}.receive"
        return toml_document(
            {
                **self._common(directory, database=1 + self.options.trusts.index(trust)),
                "node": {"name": trust, "organisation": trust, "ae_title": trust},
                "dicom": {
                    **self._server(receive, "dicom"),
                    "any_caller": True,
                    "processes": _RECEIVING_PROCESSES,
                },
                "mllp": self._server(receive, "mllp"),
                "http": self._server(f"{trust}.serve", "http"),
                "centre": {"url": http_url(self.ports), "token": self.tokens.nodes[trust]},
                "authorities": _authorities(self.options.namespaces(trust)),
                "sources": self._sources(trust),
                "peers": self._peers(trust),
                "tokens": [
                    _token(self.tokens, OPERATOR, role="operator"),
                    _token(self.tokens, radiologist(trust), role="radiologist"),
                ],
            }
        )

    def _common(self, directory: Path, *, database: int) -> Table:
        return {
            "environment": _ENVIRONMENT,
            "directory": str(directory),
            "broker": self.broker.celery_url(database),
            "intake": {"quiet_seconds": _QUIET_SECONDS},
            "limits": {"disk_floor_bytes": _DISK_FLOOR_BYTES},
        }

    def _server(self, process: str, name: str) -> Table:
        return {"host": HOST, "port": self.ports.of(process, name)}

    def _organisation(self, trust: str) -> Table:
        authorities = _authorities(self.options.namespaces(trust))
        return {"ods_code": trust, "name": trust, "authorities": authorities}

    def _node_of(self, trust: str) -> Table:
        token = hashed(self.tokens.nodes[trust])
        return {"name": trust, "organisation": trust, "ae_title": trust, "token_sha256": token}

    def _callers(self) -> Sequence[Table]:
        """Map the named callers, and each node's own AE title, to their trusts."""
        by_title = {trust: trust for trust in self.options.trusts}
        by_title |= {caller.ae_title: caller.trust for caller in self.options.callers}
        return [{"ae_title": title, "organisation": trust} for title, trust in by_title.items()]

    def _peers(self, tier: str) -> Sequence[Table]:
        return [
            {"ae_title": peer.ae_title, "host": peer.host, "port": peer.port}
            for peer in self.options.peers
            if peer.tier == tier
        ]

    def _sources(self, trust: str) -> Sequence[Table]:
        return [
            {"kind": kind, "name": source.name, "authority": source.authority, "site": ""}
            for source in self.options.sources
            if source.trust == trust
            for kind in ("dicom", "hl7")
        ]

    def _radiologist(self, trust: str) -> Table:
        return _token(self.tokens, radiologist(trust), role="radiologist", organisation=trust)


def http_url(ports: KeptPorts, process: str = CENTRAL_SERVE) -> str:
    """Return where a process answers HTTP."""
    return f"http://{HOST}:{ports.of(process, 'http')}"


def region_file(trusts: Sequence[str], *, ports: KeptPorts, tokens: Tokens) -> Table:
    """Return `region.json`: where everything answers, and the users' tokens."""
    return {
        "central": {
            "http": http_url(ports),
            "dicom": {**_place(ports, CENTRAL_SERVE, "dicom"), "ae_title": CENTRE},
        },
        "trusts": {
            trust: {
                "http": http_url(ports, f"{trust}.serve"),
                "dicom": {**_place(ports, f"{trust}.receive", "dicom"), "ae_title": trust},
                "mllp": _place(ports, f"{trust}.receive", "mllp"),
            }
            for trust in trusts
        },
        "tokens": dict(tokens.users),
    }


def _place(ports: KeptPorts, process: str, name: str) -> Table:
    return {"host": HOST, "port": ports.of(process, name)}


def _authorities(namespaces: Sequence[str]) -> Sequence[Table]:
    return [{"namespace": namespace, "kind": "MRN", "oid": ""} for namespace in namespaces]


def _token(tokens: Tokens, name: str, *, role: str, **more: str) -> Table:
    return {"name": name, "role": role, **more, "sha256": hashed(tokens.users[name])}
