"""A tier's first page: what it holds, what waits, what a person must look at."""

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from archive.clock import Clock, milliseconds
from archive.dicomweb.access import Rule, User, route, user_of
from archive.index.findings import Waiting
from archive.pages.kit import Kit
from archive.pages.sign_in import sign_in_routes
from archive.pages.status import answer_rows, concerns, job_rows, order_rows
from archive.pages.studies import newest_studies
from archive.reader import Reader

_NEWEST = 20
"""So many findings, and so many held objects, are shown."""

MoreValues = Callable[[], dict[str, object]]
"""What a tier's own template shows beside what both show."""


def page_routes(
    kit: Kit,
    *,
    template: str,
    reader: Callable[[], Reader],
    clock: Clock,
    more: MoreValues,
    own_trust: str = "",
) -> list[BaseRoute]:
    """Return ``/`` from a tier's template, and signing in and out.

    Users of ``own_trust`` are shown what was found in their trust's name; other users no finding.
    """

    def home(request: Request) -> Response:
        counts = reader().counts()
        values: dict[str, object] = {
            "counts": counts,
            "jobs": job_rows(counts),
            "orders": order_rows(counts),
            "answers": answer_rows(counts),
            "concerns": concerns(counts),
            "waiting": _waiting(reader(), user_of(request), own_trust),
            "studies": newest_studies(reader(), user_of(request)),
            "now_ms": milliseconds(clock.now()),
            "renews": "still" not in request.query_params,
        }
        return kit.page(request, template, values | more())

    return [route("/", home, rule=Rule.TRUST_USER), *sign_in_routes(kit)]


def _waiting(reader: Reader, user: User, own_trust: str) -> Waiting:
    if user.is_operator:
        return reader.waiting(limit=_NEWEST)
    if own_trust and user.organisation == own_trust:
        return reader.waiting(limit=_NEWEST, organisation=own_trust)
    return Waiting()
