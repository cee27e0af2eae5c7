"""Signing in with a token, signing out, and the one stylesheet.

A browser cannot send a bearer header by itself. The form posts the token once; from then on it is
in a cookie that no script can read and no other site can use. ``/sign-in?token=…`` does the same
for a link from a terminal, and leaves the address without the token at once.
"""

from http import HTTPStatus
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response
from starlette.routing import BaseRoute

from archive.dicomweb.access import Access, Rule, route
from archive.errors import PayloadTooLarge
from archive.pages.kit import HERE, Kit

_FORM_LIMIT = 4096
_STYLE_CACHE = "public, max-age=300"


def sign_in_routes(kit: Kit) -> list[BaseRoute]:
    """Return ``/sign-in``, ``/sign-out`` and ``/style.css``."""

    async def form(request: Request) -> Response:
        token = request.query_params.get("token")
        if token is None:
            return kit.page(request, "sign_in.html", {"refused": False})
        return _signed_in(request, kit, token)

    async def posted(request: Request) -> Response:
        return _signed_in(request, kit, await _posted_token(request))

    async def style(_request: Request) -> Response:
        headers = {"Cache-Control": _STYLE_CACHE}
        return FileResponse(HERE / "style.css", media_type="text/css", headers=headers)

    return [
        route("/sign-in", form, rule=Rule.PUBLIC),
        route("/sign-in", posted, rule=Rule.PUBLIC, methods=("POST",)),
        route("/sign-out", _sign_out, rule=Rule.PUBLIC, methods=("POST",)),
        route("/style.css", style, rule=Rule.PUBLIC),
    ]


def _signed_in(request: Request, kit: Kit, token: str) -> Response:
    access: Access = request.app.state.access
    if access.tokens.user(token) is None:
        refused = {"refused": True}
        return kit.page(request, "sign_in.html", refused, status=HTTPStatus.UNAUTHORIZED)
    response = RedirectResponse("/", status_code=HTTPStatus.SEE_OTHER)
    response.set_cookie(
        access.cookie,
        token,
        path="/",
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return response


async def _sign_out(request: Request) -> Response:
    access: Access = request.app.state.access
    response = RedirectResponse("/sign-in", status_code=HTTPStatus.SEE_OTHER)
    response.delete_cookie(access.cookie, path="/", httponly=True, samesite="strict")
    return response


async def _posted_token(request: Request) -> str:
    """Return the form's token.

    Raises:
        PayloadTooLarge: the body is no sign-in form.
    """
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _FORM_LIMIT:
            raise PayloadTooLarge("A sign-in form has a token and nothing else.")
    fields = parse_qs(body.decode("ascii", "replace"))
    return fields.get("token", [""])[0].strip()
