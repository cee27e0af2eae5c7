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

import re
from dataclasses import dataclass, field

from archive.errors import PackMalformed
from archive.store.canonical import Fields, decode, encode
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

    def __post_init__(self) -> None:
        if not _DAY.fullmatch(self.registered_day):
            raise PackMalformed("The day of registration is not a day.")

    def canonical(self) -> bytes:
        """Return ``origin.json``."""
        texts: dict[str, object] = {name: getattr(self, name) for name in _TEXTS}
        return encode(
            {
                **texts,
                "version": VERSION,
                "authority": _issuer_fields(self.authority),
                "arrivals": [_arrival_fields(arrival) for arrival in self.arrivals],
            }
        )

    @classmethod
    def parse(cls, octets: bytes) -> "Origin":
        """Return the origin in ``origin.json``.

        Raises:
            PackMalformed: anything that :meth:`canonical` would not have written.
        """
        fields = Fields(decode(octets), *_TEXTS, "version", "authority", "arrivals")
        fields.version(VERSION)
        return cls(
            **{name: fields.text(name) for name in _TEXTS},
            authority=_issuer(fields["authority"]),
            arrivals=tuple(_arrival(value) for value in fields.array("arrivals")),
        )


_TEXTS = ("custodian", "site", "node", "mrn", "registered_day")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def _issuer_fields(issuer: Issuer | None) -> dict[str, str] | None:
    if issuer is None:
        return None
    return {"namespace": issuer.namespace, "organisation": issuer.organisation}


def _issuer(value: object) -> Issuer | None:
    if value is None:
        return None
    fields = Fields(value, "namespace", "organisation")
    return Issuer(organisation=fields.text("organisation"), namespace=fields.text("namespace"))


def _arrival_fields(arrival: Arrival) -> dict[str, str | int]:
    return {
        "arrived_ms": arrival.arrived_ms,
        "called_ae": arrival.called_ae,
        "calling_ae": arrival.calling_ae,
    }


def _arrival(value: object) -> Arrival:
    fields = Fields(value, "arrived_ms", "called_ae", "calling_ae")
    return Arrival(
        calling_ae=fields.text("calling_ae"),
        called_ae=fields.text("called_ae"),
        arrived_ms=fields.number("arrived_ms"),
    )
