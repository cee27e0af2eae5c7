"""Both tiers' pages on a real archive, and a browser's way of asking for them."""

from collections.abc import Callable

from starlette.applications import Starlette

from central_store.pages.home import central_kit, central_pages
from local_node.pages.home import node_kit, node_pages
from tests.dicomweb.tier import Tier

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


def node_app(tier: Tier, *, centre_heard: Callable[[], int | None] | None = None) -> Starlette:
    kit = node_kit("RXA", is_test=True)
    pages = node_pages(
        kit,
        trust="RXA",
        reader=lambda: tier.rows.reader,
        clock=tier.rows.clock,
        centre_heard=centre_heard,
    )
    return tier.app(pages, problem_page=kit.problem_page)


def central_app(tier: Tier) -> Starlette:
    kit = central_kit("CENTRE", is_test=True)
    pages = central_pages(kit, reader=lambda: tier.rows.reader, clock=tier.rows.clock)
    return tier.app(pages, problem_page=kit.problem_page)
