"""The results that are committed with the program."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Path
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict

from service.problems import documented
from service.routes.common import READ_REFUSED, ServiceHere, json_text

router = APIRouter(prefix="/benchmark", tags=["benchmark"])
ResultName = Annotated[str, Path(max_length=200, description="A result that `GET /benchmark` names.")]
_PAGE_HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'; "
    "base-uri 'none'; form-action 'none'; sandbox",
    "x-frame-options": "SAMEORIGIN",
}
"""Of the page of a result: it is ours, has no scripts, and may be shown inside ours."""
_EXAMPLE = {
    "note": "",
    "results": [{"name": "experiments.pocket_prompts", "about": None, "nbytes": 106317, "page": True}],
}


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ResultOut(_Shape):
    """A result: what was measured, bytes of its JSON, whether it has a page."""

    name: str
    about: str | None
    nbytes: int
    page: bool


class ResultsOut(_Shape):
    """The results there are; `note` says why there are none."""

    note: str
    results: list[ResultOut]


@router.get("", responses={200: {"content": {"application/json": {"example": _EXAMPLE}}}, **READ_REFUSED})
def results(service: ServiceHere) -> ResultsOut:
    """The results that are committed with the program."""
    found = service.results
    return ResultsOut(note=found.note, results=[ResultOut(**asdict(result)) for result in found.all()])


@router.get(
    "/{name}",
    response_class=Response,
    responses={
        200: {"description": "As it is committed.", "content": {"application/json": {"schema": {"type": "object"}}}},
        **READ_REFUSED,
        **documented(404),
    },
)
def result(service: ServiceHere, name: ResultName) -> Response:
    """A result, as it is committed."""
    return json_text(service.results.json(name))


@router.get(
    "/{name}/page",
    response_class=Response,
    responses={
        200: {"description": "HTML.", "content": {"text/html": {"schema": {"type": "string"}}}},
        **READ_REFUSED,
        **documented(404),
    },
)
def page(service: ServiceHere, name: ResultName) -> Response:
    """The page of an experiment. It refers to nothing outside it."""
    return Response(service.results.page(name), media_type="text/html", headers=_PAGE_HEADERS)
