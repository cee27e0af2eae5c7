"""The bearer tokens of an embedded region, made once; whoever checks one gets only its hash."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from deploy.region.directory import read_json, write_json

OPERATOR = "operator"

_BYTES = 32


@dataclass(frozen=True, slots=True)
class Tokens:
    """Ready-made tokens: of users by name (`radiologist.RXA`), of nodes by trust."""

    users: Mapping[str, str]
    nodes: Mapping[str, str]


def radiologist(trust: str) -> str:
    """Return the name of a trust's ready-made radiologist."""
    return f"radiologist.{trust}"


def hashed(token: str) -> str:
    """Return the SHA-256 of a token in hexadecimal, as configuration files hold it."""
    return sha256(token.encode()).hexdigest()


def kept_tokens(path: Path, trusts: Sequence[str]) -> Tokens:
    """Return the tokens kept in `path`, after making those that are missing."""
    kept = read_json(path)
    users = _completed(kept.get("users"), [OPERATOR, *map(radiologist, trusts)])
    nodes = _completed(kept.get("nodes"), trusts)
    complete = {"users": users, "nodes": nodes}
    if complete != kept:
        write_json(path, complete)
    return Tokens(
        users={name: users[name] for name in [OPERATOR, *map(radiologist, trusts)]},
        nodes={name: nodes[name] for name in trusts},
    )


def _completed(kept: object, names: Sequence[str]) -> dict[str, str]:
    known = {str(k): str(v) for k, v in kept.items()} if isinstance(kept, dict) else {}
    return {name: secrets.token_urlsafe(_BYTES) for name in names} | known
