"""Records that were answered, by their ids."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Path, Request
from fastapi.responses import Response

from service.errors import NotThere
from service.problems import documented
from service.routes.common import READ_REFUSED, ServiceHere, json_text, owner
from service.shapes import RecordOut

router = APIRouter(tags=["records"])
RecordId = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$", description="The record's `id`.")]


@router.get(
    "/records/{id}", response_class=Response, responses={200: {"model": RecordOut}} | READ_REFUSED | documented(404)
)
async def record(request: Request, service: ServiceHere, id: RecordId) -> Response:  # noqa: A002 - the path's name
    """A record that was answered to the same key, exactly as it was; the oldest are not kept for ever."""
    text = await asyncio.to_thread(service.records.text, id, owner(request))
    if text is None:
        raise NotThere(f"there is no record {id}, or not any more (records: how many are kept)")
    return json_text(text)
