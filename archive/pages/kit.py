"""What every page of a tier is made with: its templates, its frame, and how it shows problems."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from archive.dicomweb.access import User
from archive.dicomweb.problems import Problem
from archive.pages import wording

HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class TierWords:
    """What a tier is called on its pages."""

    name: str
    kind: str
    """``Local node`` or ``Central store``."""
    is_test: bool
    """Every person in it is made up, and every page says so."""


class Kit:
    """Renders the pages of one tier."""

    def __init__(self, tier: TierWords, *, templates: Sequence[Path] = ()) -> None:
        """Read templates of the kit, and those in the tier's own directories."""
        self.tier = tier
        self._environment = Environment(
            loader=FileSystemLoader([HERE, *templates]),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        for word in (
            wording.counted,
            wording.age,
            wording.moment,
            wording.size,
            wording.day,
            wording.person,
        ):
            self._environment.filters[word.__name__] = word

    def page(
        self,
        request: Request,
        template: str,
        values: Mapping[str, object],
        *,
        status: int = HTTPStatus.OK,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """Return a page in the tier's frame, for whoever is signed in."""
        caller = getattr(request.state, "caller", None)
        frame = {"tier": self.tier, "user": caller if isinstance(caller, User) else None}
        text = self._environment.get_template(template).render(**frame, **values)
        return HTMLResponse(text, status_code=status, headers=headers)

    def problem_page(self, request: Request, problem: Problem) -> Response:
        """Show a problem; to somebody who is not signed in, the sign-in form."""
        template = "problem.html"
        if problem.status == HTTPStatus.UNAUTHORIZED:
            template = "sign_in.html"
        return self.page(
            request,
            template,
            {"problem": problem, "refused": False},
            status=problem.status,
            headers=problem.headers,
        )
