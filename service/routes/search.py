"""Search of an index by image or words, and the pictures of its examples."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response

from rag.types import evidence_json
from service.problems import documented
from service.routes.common import READ_REFUSED, REFUSED, ServiceHere, unless_left
from service.routes.examples import EVIDENCE
from service.routes.forms import MULTIPART, SearchForm, read
from service.shapes import EvidenceOut

router = APIRouter(tags=["search"])
_PICTURE: dict[int | str, dict[str, Any]] = {
    200: {"description": "JPEG.", "content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}}}
}


@router.post(
    "/search",
    responses={200: {"content": {"application/json": {"example": EVIDENCE}}}, **REFUSED},
)
async def search(request: Request, service: ServiceHere, form: Annotated[SearchForm, MULTIPART]) -> list[EvidenceOut]:
    """The nearest examples to an image; or, for a text, the best passages and the best examples."""
    image = None if form.image is None else await read(form.image, form.frame)
    found = await unless_left(request, service.search(form.k, form.index, image, form.text))
    return [EvidenceOut(**evidence_json(one)) for one in found or ()]


@router.get("/examples/{id}/picture", response_class=Response, responses=_PICTURE | READ_REFUSED | documented(404, 503))
async def picture(
    service: ServiceHere,
    id: Annotated[str, Path(max_length=300)],  # noqa: A002 - it is the path's name for it
    index: Annotated[str | None, Query(max_length=64)] = None,
) -> Response:
    """A small JPEG of an example that evidence names by its id."""
    jpeg = await asyncio.to_thread(service.thumbnail, id, index)
    return Response(jpeg, media_type="image/jpeg")
