"""Records that were answered, by their ids."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Path
from fastapi.responses import Response

from service.errors import NotThere
from service.problems import documented
from service.routes.common import READ_REFUSED, ServiceHere, json_text
from service.shapes import RecordOut

router = APIRouter(tags=["records"])


@router.get(
    "/records/{id}", response_class=Response, responses={200: {"model": RecordOut}} | READ_REFUSED | documented(404)
)
async def record(service: ServiceHere, id: Annotated[str, Path(pattern=r"^[0-9a-f]{32}$")]) -> Response:  # noqa: A002
    """A record that was answered, exactly as it was; the oldest are not kept for ever."""
    text = await asyncio.to_thread(service.records.text, id)
    if text is None:
        raise NotThere(f"there is no record {id}, or not any more (records: how many are kept)")
    return json_text(text)
