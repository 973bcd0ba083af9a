"""Around every request: its id, its headers, what is logged and counted of it, and what nobody foresaw.

Plain ASGI, so that bodies and streams pass as they are.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Iterable
from typing import Any
from uuid import uuid4

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.errors import Refusal
from service.gate import address_of
from service.headers import headers_for, is_page
from service.logs import LOGGER, request_id
from service.problems import answer_refusal, unforeseen
from service.service import Service

_PART = re.compile(r"\{\w+\}")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_GIVEN_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
log = logging.getLogger(LOGGER)


class Watch:
    """Outermost: gives each request an id, logs and counts it, and turns what nobody caught into a problem.

    `paths` are the patterns that the API has, `/records/{id}`.
    """

    def __init__(self, app: ASGIApp, service: Service, paths: Iterable[str]) -> None:
        self._app = app
        self._service = service
        self._patterns = [(path, re.compile(_PART.sub("[^/]+", path))) for path in paths]

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
        except Refusal as refusal:  # of a body that some other application received
            if not status:
                await answer_refusal(refusal)(scope, receive, told)
        except Exception:
            log.error("fault", exc_info=True)
            if not status:
                await unforeseen()(scope, receive, told)
        finally:
            self._tell(scope, status, time.perf_counter() - began)
            request_id.reset(token)

    def _tell(self, scope: Scope, status: int, seconds: float) -> None:
        route = self._route(scope["path"])
        method = scope["method"] if scope["method"] in _METHODS else "other"
        self._service.metrics.answered(method, route, status, seconds)
        said: dict[str, Any] = {"method": method, "route": route, "status": status, "ms": round(seconds * 1e3)}
        said["key"] = scope["state"].get("key_name")
        said["address"] = address_of(scope)
        if route not in ("/health", "/ready", "/metrics"):  # which machines ask every few seconds
            log.info("request", extra={"said": said})

    def _route(self, path: str) -> str:
        """The pattern of a path, so that nothing a client wrote is in logs and metrics."""
        known = next((pattern for pattern, regex in self._patterns if regex.fullmatch(path)), None)
        return known or ("/page" if is_page(path) else "unknown")
