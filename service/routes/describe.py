"""Images in, records out: describe, answer, do as told, copy out fields."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from service.asked import said_before
from service.routes.common import REFUSED, ServiceHere, answered
from service.routes.examples import ANSWER, DESCRIPTION, EVENTS, FIELDS
from service.routes.forms import MULTIPART, AnalyzeForm, AskForm, CaptionForm, ExtractForm
from service.shapes import RecordOut

router = APIRouter(tags=["describe"])


def _answers(example: dict[str, Any]) -> dict[int | str, dict[str, Any]]:
    """A record as JSON, or as events where the client accepts these."""
    content = {
        "application/json": {"example": example},
        "text/event-stream": {"schema": {"type": "string"}, "example": EVENTS},
    }
    return {200: {"model": RecordOut, "description": "The record.", "content": content}, **REFUSED}


@router.post("/caption", response_class=Response, responses=_answers(DESCRIPTION))
async def caption(request: Request, service: ServiceHere, form: Annotated[CaptionForm, MULTIPART]) -> Response:
    """Describe an image, with the evidence behind the description."""
    asked = service.offer.caption(await form.upload(), form, form.article)
    return await answered(request, service, asked)


@router.post("/ask", response_class=Response, responses=_answers(ANSWER))
async def ask(request: Request, service: ServiceHere, form: Annotated[AskForm, MULTIPART]) -> Response:
    """Answer a question about one or more images together, going on from what was said of them before; with labels, the
    likeliest of them."""
    uploads, history = await form.uploads(), said_before(form.history)
    asked = service.offer.ask(uploads, form.question, form, form.labels, form.article, history)
    return await answered(request, service, asked)


@router.post("/analyze", response_class=Response, responses=_answers(ANSWER))
async def analyze(request: Request, service: ServiceHere, form: Annotated[AnalyzeForm, MULTIPART]) -> Response:
    """Do with one or more images what an instruction in any words says."""
    return await answered(request, service, service.offer.ask(await form.uploads(), form.instruction, form))


@router.post("/extract", response_class=Response, responses=_answers(FIELDS))
async def extract(request: Request, service: ServiceHere, form: Annotated[ExtractForm, MULTIPART]) -> Response:
    """Copy the fields of a document image into JSON that satisfies a JSON Schema."""
    upload = await form.upload()
    asked = await asyncio.to_thread(service.offer.extract, upload, form.json_schema, form)
    return await answered(request, service, asked)
