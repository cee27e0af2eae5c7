"""``origin.json``: whose objects these are, and how they came; from it an index is rebuilt.

Canonical JSON (RFC 8785):

| key              | value                                                                      |
| ---------------- | -------------------------------------------------------------------------- |
| ``arrivals``     | array in the manifest's order: ``arrived_ms`` (milliseconds since 1970,    |
|                  | UTC), ``called_ae``, ``calling_ae``                                        |
| ``authority``    | ``namespace`` and ``organisation`` of the assigning authority that was     |
|                  | applied, or null                                                           |
| ``custodian``    | ODS code                                                                   |
| ``mrn``          | patient number under that authority; empty when the objects have none      |
| ``node``         |                                                                            |
| ``registered_day`` | UTC day of the first registration at the custodian, ``YYYY-MM-DD``       |
| ``site``         | code of the site; empty when the organisation is not divided               |
| ``version``      | 1                                                                          |
"""

from dataclasses import dataclass, field

from archive.words.identity import Issuer

VERSION = 1


@dataclass(frozen=True, slots=True)
class Arrival:
    """How one member came."""

    calling_ae: str
    called_ae: str
    arrived_ms: int


@dataclass(frozen=True, slots=True)
class Origin:
    """Whose objects a pack holds, and how they came."""

    custodian: str
    site: str
    node: str
    authority: Issuer | None
    mrn: str = field(repr=False)
    registered_day: str
    arrivals: tuple[Arrival, ...]
    """In the order of the manifest's members."""

    def canonical(self) -> bytes:
        """Return ``origin.json``."""
        raise NotImplementedError

    @classmethod
    def parse(cls, octets: bytes) -> "Origin":
        """Return the origin in ``origin.json``; PackMalformed for anything else."""
        raise NotImplementedError
