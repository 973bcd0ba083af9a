"""Whether the service lives, whether it can describe, how it fares, and what it offers."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response

from service.errors import Busy
from service.metrics import CONTENT_TYPE
from service.problems import documented
from service.routes.common import READ_REFUSED, ServiceHere
from service.shapes import Alive, Choices, ReadyOut

router = APIRouter(tags=["service"])


@router.get("/health", responses=documented(403))
async def health() -> Alive:
    """That the program runs and answers."""
    return Alive(status="alive")


@router.get("/ready", responses=documented(403, 503))
def ready(service: ServiceHere) -> ReadyOut:
    """That models are loaded and requests can be described; and the memory."""
    found, desk = service.ready(), service.desk.state
    if not found.ready:
        raise Busy(found.why, retry_after_s=5)
    return ReadyOut(
        status="ready",
        rss_mib=found.rss_mib,
        available_mib=found.available_mib,
        waiting=desk.waiting,
        under_way=desk.under_way,
    )


@router.get(
    "/metrics",
    response_class=Response,
    responses={
        200: {"description": "Metrics.", "content": {CONTENT_TYPE: {"schema": {"type": "string"}}}},
        **READ_REFUSED,
    },
)
def metrics(service: ServiceHere) -> Response:
    """What Prometheus reads."""
    return Response(service.metrics.text(), media_type=CONTENT_TYPE)


@router.get("/choices", responses=READ_REFUSED)
async def choices(service: ServiceHere) -> Choices:
    """The models, prompts and indexes that a request may name."""
    offer = service.offer
    return Choices(models=list(offer.models), prompts=list(offer.prompts), indexes=list(offer.indexes))
