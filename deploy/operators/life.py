"""The life of a study over all tiers, as lines in order."""

from collections.abc import Iterator, Sequence

from archive.clock import from_milliseconds
from archive.errors import NotFound
from archive.index.trace import LifeEvent, life_of
from deploy.operators.tiers import Tier


def life_lines(tiers: Sequence[Tier], uid: str) -> Iterator[str]:
    """Yield one line for each thing that happened, with time, tier and evidence.

    Raises:
        InvalidUid: not a UID.
        NotFound: no tier has ever heard of it.
    """
    told = [(event, tier.name) for tier in tiers for event in _events(tier, uid)]
    if not told:
        raise NotFound("No tier has ever heard of it.", uid=uid)
    for event, name in sorted(told, key=lambda each: each[0].at_ms):
        at = from_milliseconds(event.at_ms).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
        yield f"{at}Z  {name:<8} {event.what:<24} {event.evidence}"


def _events(tier: Tier, uid: str) -> list[LifeEvent]:
    with tier.index.reading() as conn:
        try:
            return life_of(conn, uid)
        except NotFound:
            return []
