"""What a person asks of a region: its trusts, and who speaks to it and for whom."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from archive.errors import ConfigurationInvalid

CENTRE = "CENTRE"
"""The centre's AE title, and its name where an option may name a tier."""

_TRUST = re.compile(r"[A-Z0-9]{2,12}")
_AE_TITLE = re.compile(r"[\x20-\x5b\x5d-\x7e]{1,16}")
_NAMESPACE = re.compile(r"[A-Za-z0-9._-]{1,64}")


@dataclass(frozen=True, slots=True)
class Peer:
    """A peer that one tier calls: a C-MOVE destination, and where commitment results go."""

    tier: str
    ae_title: str
    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> "Peer":
        """Read `RXB:AET=HOST:PORT`; raises ConfigurationInvalid."""
        match = re.fullmatch(r"([^:=]+):([^=]+)=(.+):([0-9]{1,5})", text)
        if match is None or not _AE_TITLE.fullmatch(match[2]) or not 0 < int(match[4]) < 2**16:
            raise ConfigurationInvalid(f"--peer {text!r} is not TRUST:AET=HOST:PORT")
        return cls(tier=match[1], ae_title=match[2], host=match[3], port=int(match[4]))

    def __str__(self) -> str:
        return f"{self.tier}:{self.ae_title}={self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Caller:
    """A calling AE title of the centre and the trust that it asks for."""

    ae_title: str
    trust: str

    @classmethod
    def parse(cls, text: str) -> "Caller":
        """Read `CALLING=RXA`; raises ConfigurationInvalid."""
        ae_title, _, trust = text.rpartition("=")
        if not _AE_TITLE.fullmatch(ae_title):
            raise ConfigurationInvalid(f"--ae {text!r} is not CALLING=TRUST")
        return cls(ae_title=ae_title, trust=trust)

    def __str__(self) -> str:
        return f"{self.ae_title}={self.trust}"


@dataclass(frozen=True, slots=True)
class Authority:
    """A further assigning authority of a trust."""

    trust: str
    namespace: str

    @classmethod
    def parse(cls, text: str) -> "Authority":
        """Read `RXA=RXAW`; raises ConfigurationInvalid."""
        trust, _, namespace = text.partition("=")
        if not _NAMESPACE.fullmatch(namespace):
            raise ConfigurationInvalid(f"--authority {text!r} is not TRUST=NAMESPACE")
        return cls(trust=trust, namespace=namespace)

    def __str__(self) -> str:
        return f"{self.trust}={self.namespace}"


@dataclass(frozen=True, slots=True)
class Source:
    """A calling AE or an HL7 feed of a trust that speaks for one of its authorities."""

    trust: str
    name: str
    authority: str

    @classmethod
    def parse(cls, text: str) -> "Source":
        """Read `RXA:CALLING=RXAW`; raises ConfigurationInvalid."""
        match = re.fullmatch(r"([^:=]+):(.{1,64})=([^=]+)", text)
        if match is None or not _NAMESPACE.fullmatch(match[3]):
            raise ConfigurationInvalid(f"--source {text!r} is not TRUST:CALLING=NAMESPACE")
        return cls(trust=match[1], name=match[2], authority=match[3])

    def __str__(self) -> str:
        return f"{self.trust}:{self.name}={self.authority}"


@dataclass(frozen=True, slots=True)
class RegionOptions:
    """All of it; `directory` is absolute. Raises ConfigurationInvalid where it contradicts itself.

    A trust has its own code as its first assigning authority.
    """

    directory: Path
    trusts: tuple[str, ...]
    peers: tuple[Peer, ...] = ()
    callers: tuple[Caller, ...] = ()
    authorities: tuple[Authority, ...] = ()
    sources: tuple[Source, ...] = ()

    def __post_init__(self) -> None:
        _check_trusts(self.trusts)
        for tier in (*(c.trust for c in self.callers), *(a.trust for a in self.authorities)):
            self._check_trust(tier)
        for peer in self.peers:
            if peer.tier != CENTRE:
                self._check_trust(peer.tier)
        for source in self.sources:
            self._check_source(source)

    def namespaces(self, trust: str) -> tuple[str, ...]:
        """Return a trust's assigning authorities, its default first."""
        return (trust, *(one.namespace for one in self.authorities if one.trust == trust))

    def arguments(self) -> Sequence[str]:
        """Return the options as they are written after `region up`."""
        return ("--dir", str(self.directory), "--trusts", ",".join(self.trusts), *self._repeated())

    def _repeated(self) -> Iterator[str]:
        for option, values in (
            ("--peer", self.peers),
            ("--ae", self.callers),
            ("--authority", self.authorities),
            ("--source", self.sources),
        ):
            for value in values:
                yield from (option, str(value))

    def _check_trust(self, trust: str) -> None:
        if trust not in self.trusts:
            raise ConfigurationInvalid(f"{trust!r} is none of the trusts {', '.join(self.trusts)}")

    def _check_source(self, source: Source) -> None:
        self._check_trust(source.trust)
        if source.authority not in self.namespaces(source.trust):
            raise ConfigurationInvalid(
                f"{source.authority!r} is no assigning authority of {source.trust}; "
                f"add --authority {source.trust}={source.authority}"
            )


def _check_trusts(trusts: Sequence[str]) -> None:
    if not trusts or len(set(trusts)) != len(trusts):
        raise ConfigurationInvalid("--trusts needs at least one trust, and each only once")
    for trust in trusts:
        if not _TRUST.fullmatch(trust) or trust == CENTRE:
            raise ConfigurationInvalid(
                f"{trust!r} cannot name a trust: 2 to 12 capital letters and digits can"
            )
