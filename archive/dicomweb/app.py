"""The app of one tier, put together from its routes."""

import re
from collections.abc import Callable, Iterable, Sequence

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import BaseRoute
from starlette.types import Lifespan

from archive.dicomweb.access import Access, NodeEntry, TokenEntry, Tokens
from archive.dicomweb.edge import Edge
from archive.dicomweb.health import ReadyChecks, health_routes, metrics_route
from archive.dicomweb.problems import ProblemPage, answer_error
from archive.errors import ArchiveError
from archive.index.counts import Counts


def build_app(
    *,
    name: str,
    routes: Sequence[BaseRoute],
    tokens: Iterable[TokenEntry],
    nodes: Iterable[NodeEntry] = (),
    ready_checks: ReadyChecks,
    counts: Callable[[], Counts],
    problem_page: ProblemPage | None = None,
    lifespan: Lifespan[Starlette] | None = None,
) -> Starlette:
    """Return the app of the tier ``name``: its routes, health and metrics, behind their rules.

    Every route comes from :func:`archive.dicomweb.access.route`. ``problem_page`` shows problems
    to browsers; without one everybody gets JSON.
    """
    app = Starlette(
        routes=[*routes, *health_routes(ready_checks), metrics_route(counts)],
        middleware=[Middleware(Edge)],
        lifespan=lifespan,
        exception_handlers={ArchiveError: answer_error, HTTPException: answer_error},
    )
    app.state.access = Access(Tokens(tokens, nodes), cookie=session_cookie(name))
    app.state.problem_page = problem_page
    return app


def session_cookie(tier: str) -> str:
    """Return the name of a tier's session cookie; a browser shares cookies between ports."""
    return "imagestore-" + re.sub(r"[^a-z0-9]", "-", tier.lower())
