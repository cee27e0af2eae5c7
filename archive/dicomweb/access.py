"""Who may call which route. A route is made by :func:`route` with its rule, or not at all.

A bearer token says who calls. A browser keeps it in a session cookie, which counts for reading
alone: whatever changes something needs the header, so that no other site can make a browser do it.
"""

import hashlib
import hmac
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from starlette.applications import Starlette
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route, request_response
from starlette.types import Receive, Scope, Send

from archive.errors import NotAuthenticated, NotPermitted
from archive.words.identity import Asker, Issuer, Purpose

Endpoint = Callable[[Request], Response | Awaitable[Response]]
"""A plain function runs in the thread pool, a coroutine function in the event loop."""

READING = frozenset({"GET", "HEAD"})
"""Methods that change nothing (RFC 9110 Section 9.2.1)."""


class Rule(StrEnum):
    """Who may call a route."""

    PUBLIC = "public"
    """Anybody: health, the sign-in form, the stylesheet. Shows nothing of what is held."""
    TRUST_USER = "trust user"
    """A user who asks as a trust; an operator too."""
    OPERATOR = "operator"
    """An operator of this tier."""
    NODE = "node"
    """A trust's node, by its own token; never a user, never a cookie."""


class Role(StrEnum):
    """What a user is."""

    RADIOLOGIST = "radiologist"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class TokenEntry:
    """A user's token as this tier knows it."""

    name: str
    role: Role
    organisation: str
    """ODS code of the trust that the user asks as; empty for the region's own operator."""
    authority: Issuer | None
    """Whose patient numbers the user speaks."""
    sha256: str
    """SHA-256 of the token, 64 lower-case hexadecimal digits."""


@dataclass(frozen=True, slots=True)
class NodeEntry:
    """A node that may call this tier."""

    name: str
    organisation: str
    """ODS code of its trust."""
    sha256: str
    """SHA-256 of the node's token, 64 lower-case hexadecimal digits."""


@dataclass(frozen=True, slots=True)
class User:
    """A person who has shown a token."""

    name: str
    role: Role
    organisation: str
    authority: Issuer | None

    @property
    def is_operator(self) -> bool:
        """Tell whether this is an operator."""
        return self.role is Role.OPERATOR

    @property
    def asker(self) -> Asker:
        """Return as whom the user reads."""
        purpose = Purpose.OPERATIONS if self.is_operator else Purpose.TREATMENT
        return Asker(self.organisation or None, self.authority, self.name, purpose)


Caller = User | NodeEntry
Entry = TypeVar("Entry", TokenEntry, NodeEntry)


class Tokens:
    """Every token that this tier takes, by its hash."""

    def __init__(self, users: Iterable[TokenEntry], nodes: Iterable[NodeEntry] = ()) -> None:
        self._users = tuple(users)
        self._nodes = tuple(nodes)

    def user(self, token: str) -> User | None:
        """Return whose token this is; None when it is no user's."""
        entry = _of_token(self._users, token)
        if entry is None:
            return None
        return User(entry.name, Role(entry.role), entry.organisation, entry.authority)

    def node(self, token: str) -> NodeEntry | None:
        """Return the node whose token this is; None when it is no node's."""
        return _of_token(self._nodes, token)

    def authenticate(self, header: str) -> User:
        """Return the user of an Authorization header (RFC 6750 Section 2.1).

        Raises:
            NotAuthenticated: the header is absent or not a Bearer header, or its token is unknown.
        """
        user = self.user(bearer_token(header) or "")
        if user is None:
            raise NotAuthenticated("The request carries no token of this tier.")
        return user


def _of_token(entries: Sequence[Entry], token: str) -> Entry | None:
    """Compare with every entry in constant time, so that time tells nothing of a hash."""
    presented = hashlib.sha256(token.encode()).hexdigest()
    same = [entry for entry in entries if hmac.compare_digest(entry.sha256, presented)]
    return same[0] if same and token else None


def bearer_token(header: str) -> str | None:
    """Return the token of an Authorization header; None when it is none of that kind."""
    scheme, _, token = header.strip().partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


@dataclass(frozen=True, slots=True)
class Access:
    """Decides, for one tier, whether a request may go on."""

    tokens: Tokens
    cookie: str
    """Name of the session cookie. Cookies know no ports, so each tier has a name of its own."""

    def admit(self, connection: HTTPConnection, rule: Rule, *, reading: bool) -> Caller | None:
        """Return who calls, None on a public route.

        Raises:
            NotAuthenticated: no token that this tier knows came with the request.
            NotPermitted: the token is known, but the rule is for others.
        """
        if rule is Rule.PUBLIC:
            return None
        caller = self._caller(connection, reading=reading and rule is not Rule.NODE)
        if caller is None:
            raise NotAuthenticated("The request carries no token of this tier.")
        if not _fits(caller, rule):
            raise NotPermitted(f"This is for another role: {rule}.", role=rule.value)
        return caller

    def _caller(self, connection: HTTPConnection, *, reading: bool) -> Caller | None:
        header = connection.headers.get("Authorization")
        if header is not None:
            token = bearer_token(header) or ""
            return self.tokens.user(token) or self.tokens.node(token)
        return self.tokens.user(connection.cookies.get(self.cookie, "")) if reading else None


def _fits(caller: Caller, rule: Rule) -> bool:
    if isinstance(caller, NodeEntry):
        return rule is Rule.NODE
    return rule is Rule.TRUST_USER or (rule is Rule.OPERATOR and caller.is_operator)


class RuledRoute(Route):
    """A route whose rule is asked before its endpoint runs."""

    def __init__(
        self, path: str, endpoint: Endpoint, *, rule: Rule, methods: Sequence[str]
    ) -> None:
        super().__init__(path, _Guard(endpoint, rule, path), methods=methods)
        self.rule = rule


def route(
    path: str, endpoint: Endpoint, *, rule: Rule, methods: Sequence[str] = ("GET",)
) -> RuledRoute:
    """Return a route under a rule; the only way in which routes are made."""
    return RuledRoute(path, endpoint, rule=rule, methods=methods)


class _Guard:
    """An endpoint behind its rule."""

    def __init__(self, endpoint: Endpoint, rule: Rule, path: str) -> None:
        self._app = request_response(endpoint)
        self._rule = rule
        self._path = path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        connection = HTTPConnection(scope)
        connection.state.route = scope.get("root_path", "") + self._path
        access: Access = connection.app.state.access
        connection.state.caller = access.admit(
            connection, self._rule, reading=scope["method"] in READING
        )
        await self._app(scope, receive, send)


def user_of(connection: HTTPConnection) -> User:
    """Return the user who calls a route under TRUST_USER or OPERATOR.

    Raises:
        NotAuthenticated: the route has another rule.
    """
    caller = getattr(connection.state, "caller", None)
    if not isinstance(caller, User):
        raise NotAuthenticated("The route is not one of users.")
    return caller


def asker_of(connection: HTTPConnection) -> Asker:
    """Return as whom the calling user reads; errors as :func:`user_of`."""
    return user_of(connection).asker


def node_of(connection: HTTPConnection) -> NodeEntry:
    """Return the node that calls a route under NODE.

    Raises:
        NotAuthenticated: the route has another rule.
    """
    caller = getattr(connection.state, "caller", None)
    if not isinstance(caller, NodeEntry):
        raise NotAuthenticated("The route is not one of nodes.")
    return caller


def unruled(app: Starlette) -> list[str]:
    """Return the path of everything an app answers without a rule; a house test wants none."""
    return _unruled(app.routes, "")


def _unruled(routes: Sequence[BaseRoute], prefix: str) -> list[str]:
    found: list[str] = []
    for each in routes:
        path = prefix + str(getattr(each, "path", each))
        if isinstance(each, Mount) and each.routes:
            found += _unruled(each.routes, path)
        elif not isinstance(each, RuledRoute):
            found.append(path)
    return found
