"""Who may ask: under our own name, with a key where keys are needed, not too often, not too much at once."""

from __future__ import annotations

from collections import Counter
from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import Headers
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from service.bodies import Bounded, Bounds, bounds_of, has_body
from service.errors import Busy, NoKey, Refusal
from service.headers import LOOPBACK, check_origin, is_page
from service.keys import Key
from service.problems import answer_refusal
from service.service import Service

COOKIE = "lumenscribe_session"
OPEN = frozenset({"/", "/health", "/ready", "/login", "/openapi.json"})
"""Paths that need no key."""
DESCRIBED = frozenset({"/caption", "/ask", "/analyze", "/extract"})
"""Paths of requests that go to the desk."""


class Gate:
    """Lets in who may ask: under our own name, with a key where keys are needed, not too often, not too much."""

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self._app = app
        self._service = service
        self._bodies: Counter[Bounds] = Counter()
        config = service.config
        names = {name.lower() for name in config.hosts}
        # This machine's own names always: a health check asks under them, whatever name others know it by.
        closed = names or (config.host in LOOPBACK and not service.keys)
        self._hosts = names | LOOPBACK if closed else set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        bounds = bounds_of(scope, headers, self._service.config)
        try:
            check_origin(headers.get("host", ""), headers.get("origin"), self._hosts)
            self._let_in(scope, headers)
            sends = has_body(headers, bounds)
            if sends:
                self._check_room(scope["path"], bounds)
        except NoKey as refusal:
            response = RedirectResponse("/login", 303) if _is_shown(scope, headers) else answer_refusal(refusal)
            await response(scope, receive, send)
        except Refusal as refusal:
            await answer_refusal(refusal)(scope, receive, send)
        else:
            self._bodies[bounds] += sends
            try:
                await self._app(scope, Bounded(receive, bounds) if sends else receive, send)
            finally:
                self._bodies[bounds] -= sends

    def _check_room(self, path: str, bounds: Bounds) -> None:
        """Raises Busy before a body is received that would find no place."""
        if self._bodies[bounds] >= bounds.at_once:
            raise Busy(f"{bounds.at_once} bodies are received or wait already ({bounds.section}.uploads_at_once)", 2)
        if path in DESCRIBED:
            self._service.desk.check_room()

    def _let_in(self, scope: Scope, headers: Headers) -> None:
        """Raises NoKey and TooMany. Who it is stands in the scope's state."""
        service, path = self._service, scope["path"]
        key = self._key(scope, headers) if service.keys else None
        if service.keys and key is None and path not in OPEN:
            raise NoKey("send a key: Authorization: Bearer KEY, or X-API-Key: KEY")
        scope.setdefault("state", {})["key_name"] = None if key is None else key.name
        if path in ("/health", "/ready") or (is_page(path) and scope.get("method") == "GET"):
            return  # of a page each file is a request
        most = service.config.limits.requests_a_minute
        if key is not None:
            service.rates.take(f"key {key.name}", key.requests_a_minute or most)
        else:
            service.rates.take(f"address {address_of(scope)}", most)

    def _key(self, scope: Scope, headers: Headers) -> Key | None:
        """The key of a request, None where it has none. Raises NoKey for a wrong one, TooMany after many of them."""
        scheme, _, bearer = headers.get("authorization", "").partition(" ")
        given = headers.get("x-api-key") or (bearer.strip() if scheme.lower() == "bearer" else "")
        if given:
            return self._service.key(given, address_of(scope))
        token = session_token(headers)
        return self._service.keys.of_session(token) if token else None


def _is_shown(scope: Scope, headers: Headers) -> bool:
    """Whether a person is looking, who can be led to the form that asks for a key."""
    asks = scope["type"] == "http" and scope["method"] == "GET" and "text/html" in headers.get("accept", "")
    return asks and is_page(scope["path"])


def session_token(headers: Headers) -> str:
    """The session of whoever is logged in to the page; empty where nobody is."""
    try:
        cookie = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return ""
    return "" if cookie is None else cookie.value


def address_of(scope: Scope) -> str:
    """Where a request comes from."""
    return str((scope.get("client") or ("unknown",))[0])
