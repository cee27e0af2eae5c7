"""A node's first page."""

from collections.abc import Callable
from pathlib import Path

from starlette.routing import BaseRoute

from archive.clock import Clock
from archive.pages.home import page_routes
from archive.pages.kit import Kit, TierWords
from archive.reader import Reader

CentreHeard = Callable[[], int | None]
"""When the central store last answered, in milliseconds; None: not since this node was made."""


def node_kit(name: str, *, is_test: bool) -> Kit:
    """Return the kit of a node's pages."""
    tier = TierWords(name, kind="Local node", is_test=is_test)
    return Kit(tier, templates=[Path(__file__).parent])


def node_pages(
    kit: Kit,
    *,
    trust: str,
    reader: Callable[[], Reader],
    clock: Clock,
    centre_heard: CentreHeard | None,
) -> list[BaseRoute]:
    """Return the pages of a trust's node; ``centre_heard`` is None for one that has no centre.

    ``trust`` is the ODS code whose users see what was found in its name.
    """

    def more() -> dict[str, object]:
        heard = None if centre_heard is None else centre_heard()
        return {"has_centre": centre_heard is not None, "centre_heard_ms": heard}

    return page_routes(
        kit, template="node.html", reader=reader, clock=clock, more=more, own_trust=trust
    )
