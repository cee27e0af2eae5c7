"""The central store's first page."""

from collections.abc import Callable
from pathlib import Path

from starlette.routing import BaseRoute

from archive.clock import Clock
from archive.pages.home import page_routes
from archive.pages.kit import Kit, TierWords
from archive.reader import Reader

SILENT_AFTER_MS = 120_000
"""A node asks for orders all the time; one not heard for so long is called silent."""


def central_kit(name: str, *, is_test: bool) -> Kit:
    """Return the kit of the central store's pages."""
    tier = TierWords(name, kind="Central store of the region", is_test=is_test)
    return Kit(tier, templates=[Path(__file__).parent])


def central_pages(kit: Kit, *, reader: Callable[[], Reader], clock: Clock) -> list[BaseRoute]:
    """Return the pages of the central store."""

    def more() -> dict[str, object]:
        return {"silent_after_ms": SILENT_AFTER_MS}

    return page_routes(kit, template="centre.html", reader=reader, clock=clock, more=more)
