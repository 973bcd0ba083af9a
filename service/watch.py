"""Around every request: its id, who asks, how often and how much; what is logged and counted of it.

Plain ASGI, so that bodies and streams pass as they are.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections import Counter
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import Any
from uuid import uuid4

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.config import Limits, ServiceConfig
from service.errors import Busy, NoKey, Refusal, TooLarge, TooSlow
from service.headers import LOOPBACK, check_origin, headers_for, is_page
from service.keys import Key
from service.limits import Rates
from service.logs import LOGGER, request_id
from service.problems import answer_refusal, unforeseen
from service.service import Service

COOKIE = "lumenscribe_session"
OPEN = frozenset({"/", "/health", "/ready", "/login", "/openapi.json"})
"""Paths that need no key."""
_GIVEN_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
log = logging.getLogger(LOGGER)


class Watch:
    """Outermost: gives each request an id, logs and counts it, and turns what nobody caught into a problem."""

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self._app = app
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        id_ = given if _GIVEN_ID.fullmatch(given) else uuid4().hex
        token, began, status = request_id.set(id_), time.perf_counter(), 0
        scope.setdefault("state", {})
        path: str = scope["path"]

        async def told(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["x-request-id"] = id_
                for name, value in headers_for(path).items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            await self._app(scope, receive, told)
        except Exception:
            log.error("fault", exc_info=True)
            if not status:
                await unforeseen()(scope, receive, told)
        finally:
            self._tell(scope, status, time.perf_counter() - began)
            request_id.reset(token)

    def _tell(self, scope: Scope, status: int, seconds: float) -> None:
        route = _route(scope)
        self._service.metrics.answered(scope["method"], route, status, seconds)
        said: dict[str, Any] = {"method": scope["method"], "route": route, "status": status, "ms": round(seconds * 1e3)}
        said["key"] = scope["state"].get("key_name")
        said["address"] = _address(scope)
        if route not in ("/health", "/ready", "/metrics") or status >= 400:
            log.info("request", extra={"said": said})


class Gate:
    """Lets in who may ask: under our own name, with a key where keys are needed, not too often, not too much."""

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self._app = app
        self._service = service
        self._rates = Rates()
        self._bodies: Counter[_Bounds] = Counter()
        config = service.config
        names = {name.lower() for name in config.hosts}
        self._hosts = names or (LOOPBACK if config.host in LOOPBACK and not service.keys else set())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        bounds = _bounds(scope, self._service.config)
        try:
            check_origin(headers.get("host", ""), headers.get("origin"), self._hosts)
            self._let_in(scope, headers)
            length = _length(headers, bounds)
        except Refusal as refusal:
            await answer_refusal(refusal)(scope, receive, send)
            return
        if scope["type"] == "websocket" or not (length or "transfer-encoding" in headers):
            await self._app(scope, receive, send)
        elif self._bodies[bounds] >= bounds.at_once:
            busy = Busy(f"{bounds.at_once} bodies are being received already ({bounds.section}.uploads_at_once)", 2)
            await answer_refusal(busy)(scope, receive, send)
        else:
            self._bodies[bounds] += 1
            try:
                await self._app(scope, _Bounded(receive, bounds), send)
            finally:
                self._bodies[bounds] -= 1

    def _let_in(self, scope: Scope, headers: Headers) -> None:
        """Raises NoKey and TooMany. Who it is stands in the scope's state."""
        service, address = self._service, _address(scope)
        limits = service.config.limits
        key = None
        if service.keys:
            key = self._key(headers, address, limits)
            if key is None and scope["path"] not in OPEN:
                raise NoKey("send a key: Authorization: Bearer KEY, or X-API-Key: KEY")
        scope.setdefault("state", {})["key_name"] = None if key is None else key.name
        if scope["path"] in ("/health", "/ready"):
            return
        if key is not None:
            self._rates.take(f"key {key.name}", key.requests_a_minute or limits.requests_a_minute)
        else:
            self._rates.take(f"address {address}", limits.requests_a_minute)

    def _key(self, headers: Headers, address: str, limits: Limits) -> Key | None:
        """The key of a request, None where it has none. Raises NoKey for a wrong one, TooMany after many of them."""
        keys = self._service.keys
        scheme, _, bearer = headers.get("authorization", "").partition(" ")
        given = headers.get("x-api-key") or (bearer.strip() if scheme.lower() == "bearer" else "")
        if given:
            self._rates.check(f"wrong {address}", limits.wrong_keys_a_minute)
            found = keys.find(given)
            if found is None:
                self._rates.take(f"wrong {address}", limits.wrong_keys_a_minute)
                raise NoKey("the key is not one of this service")
            return found
        token = session_token(headers)
        return keys.of_session(token) if token else None


@dataclass(frozen=True)
class _Bounds:
    """How large a body may be, how long it may take and how many may be under way, by a section of the configuration,
    of which `key` says the size."""

    mib: int
    seconds: float
    at_once: int
    section: str
    key: str

    def exceeded(self) -> TooLarge:
        return TooLarge(f"the body is over the limit of {self.mib} MiB ({self.section}.{self.key})")


class _Bounded:
    """A body as it is received. Raises TooLarge and TooSlow while it is."""

    def __init__(self, receive: Receive, bounds: _Bounds) -> None:
        self._receive = receive
        self._bounds = bounds
        self._left = bounds.mib << 20
        self._ends = time.monotonic() + bounds.seconds
        self._whole = False

    async def __call__(self) -> Message:
        if self._whole:
            return await self._receive()  # waits for the client to leave
        try:
            message = await asyncio.wait_for(self._receive(), max(0.0, self._ends - time.monotonic()))
        except TimeoutError:
            raise TooSlow(f"the body did not arrive within {self._bounds.seconds:g} s") from None
        self._left -= len(message.get("body", b""))
        self._whole = not message.get("more_body", False)
        if self._left < 0:
            raise self._bounds.exceeded()
        return message


def session_token(headers: Headers) -> str:
    """The session of whoever is logged in to the page; empty where nobody is."""
    try:
        cookie = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return ""
    return "" if cookie is None else cookie.value


def _bounds(scope: Scope, config: ServiceConfig) -> _Bounds:
    """Of the body of a request: a job's may be larger than others."""
    if scope["type"] == "http" and scope["method"] == "POST" and scope["path"] == "/batches":
        jobs = config.jobs
        return _Bounds(jobs.max_total_mib, jobs.upload_s, jobs.uploads_at_once, "jobs", "max_total_mib")
    limits = config.limits
    return _Bounds(limits.body_mib, limits.body_s, limits.uploads_at_once, "limits", "body_mib")


def _length(headers: Headers, bounds: _Bounds) -> int:
    """The bytes that a body is said to have. Raises TooLarge."""
    said = headers.get("content-length", "0")
    length = int(said) if said.isascii() and said.isdigit() and len(said) < 20 else 0
    if length > bounds.mib << 20:
        raise bounds.exceeded()
    return length


def _address(scope: Scope) -> str:
    return str((scope.get("client") or ("unknown",))[0])


def _route(scope: Scope) -> str:
    """The pattern of the path, so that nothing a client wrote is in logs and metrics."""
    route = scope.get("route")
    pattern = getattr(route, "path", None)
    if pattern is not None:
        return str(pattern)
    return "/page" if is_page(scope["path"]) else "unknown"
