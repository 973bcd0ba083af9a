"""What the routes share: the service, clients that leave, text that streams."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Coroutine
from contextlib import suppress
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Request
from fastapi.responses import Response, StreamingResponse

from service.asked import Asked
from service.errors import Refusal
from service.problems import documented, of_refusal
from service.service import Service

T = TypeVar("T")
_LEFT = 499
"""The status that the log has for a client that did not wait for its answer."""

REFUSED = documented(400, 401, 403, 408, 413, 422, 429, 503)
"""What may become of a request with a body."""
READ_REFUSED = documented(401, 403, 422, 429)
"""What may become of a request without one."""


def _service(request: Request) -> Service:
    service = request.app.state.service
    assert isinstance(service, Service)  # noqa: S101 - create_app put it there
    return service


ServiceHere = Annotated[Service, Depends(_service)]


def owner(request: Request) -> str:
    """The name of the key that asks; empty where no keys are needed. What it is answered is its own."""
    return request.state.key_name or ""


async def answered(request: Request, service: Service, asked: Asked) -> Response:
    """The record as JSON; or, where the client accepts events, its text as it is written and then the record."""
    if "text/event-stream" in request.headers.get("accept", ""):
        service.desk.check_room(asked.nbytes)  # so that a full desk is a 503 and no stream
        return StreamingResponse(_events(service, asked, owner(request)), media_type="text/event-stream")
    record = await unless_left(request, service.describe(asked, owner(request)))
    return Response(status_code=_LEFT) if record is None else json_text(record)


def json_text(text: str) -> Response:
    """JSON that is text already."""
    return Response(text, media_type="application/json")


async def unless_left(request: Request, work: Coroutine[Any, Any, T]) -> T | None:
    """What `work` gives. Where the client leaves first, it is cancelled, and there is nothing."""
    working = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(_left(request))
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        return working.result() if working.done() else None
    finally:
        for task in (working, leaving):
            task.cancel()
        with suppress(asyncio.CancelledError, Refusal):
            await working


async def _left(request: Request) -> None:
    """Returns when the client has closed the connection. To be awaited once its body is read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _events(service: Service, asked: Asked, owned_by: str) -> AsyncIterator[str]:
    """Server-sent events: `text`, `text`, ..., `record`; or `problem` where it goes wrong."""
    try:
        async for piece in service.stream(asked, owned_by):
            if isinstance(piece, str):
                yield _event("text", {"text": piece})
            else:
                yield _event("record", piece)
    except Refusal as refusal:
        yield _event("problem", of_refusal(refusal))


def _event(name: str, data: dict[str, Any]) -> str:
    return f"event: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n"
