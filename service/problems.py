"""Errors as RFC 9457 problems: `application/problem+json`, of whichever status, wherever they were raised."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from service.errors import Refusal
from service.logs import request_id

MEDIA_TYPE = "application/problem+json"
_TYPE = "urn:lumenscribe:problem:"


class WrongField(BaseModel):
    """A part of a request that is not as it must be."""

    field: str
    message: str


class Problem(BaseModel):
    """What went wrong with a request (RFC 9457)."""

    model_config = ConfigDict(extra="forbid")

    type: str = Field(examples=[f"{_TYPE}busy"])
    title: str = Field(examples=["The service is busy"])
    status: int = Field(examples=[503])
    detail: str = Field(examples=["64 requests are waiting already (desk.max_waiting)"])
    instance: str = Field(description="The request's id, as in the header X-Request-ID and in the logs.")
    errors: list[WrongField] = Field(default=[], description="Of a request that is not as it must be: where.")


def of_refusal(refusal: Refusal) -> dict[str, Any]:
    """A refusal as plain JSON values."""
    return _problem(f"{_TYPE}{refusal.kind}", refusal.title, refusal.status, str(refusal))


def answer(problem: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Response:
    """A problem as a response."""
    return Response(json.dumps(problem, ensure_ascii=False), int(problem["status"]), headers, MEDIA_TYPE)


def answer_refusal(refusal: Refusal) -> Response:
    """A refusal as a response."""
    headers = {} if refusal.retry_after_s is None else {"Retry-After": str(refusal.retry_after_s)}
    if refusal.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    return answer(of_refusal(refusal), headers)


def unforeseen() -> Response:
    """What is answered where this program has a fault; the log says more."""
    return answer(_problem("about:blank", "Internal error", 500, "a fault of this program; its log says more"))


def handle_problems(app: FastAPI) -> None:
    """Makes the app's own errors problems, too: unknown paths and methods, bodies that are not as they must be."""

    async def refused(_: Request, error: Exception) -> Response:
        assert isinstance(error, Refusal)  # noqa: S101 - it is registered for these
        return answer_refusal(error)

    async def of_http(_: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101
        if isinstance(error.__cause__, Refusal):  # FastAPI's word for whatever was raised while it read the body
            return answer_refusal(error.__cause__)
        title = HTTPStatus(error.status_code).phrase
        return answer(_problem("about:blank", title, error.status_code, str(error.detail)), error.headers)

    async def invalid(_: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)  # noqa: S101
        wrong = [_wrong(found) for found in error.errors()]
        detail = "; ".join(f"{one['field']}: {one['message']}" for one in wrong[:3])
        return answer(_problem(f"{_TYPE}unusable", "The request cannot be carried out", 422, detail, wrong))

    app.add_exception_handler(Refusal, refused)
    app.add_exception_handler(HTTPException, of_http)
    app.add_exception_handler(RequestValidationError, invalid)


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Problems of these statuses, as OpenAPI describes them."""
    return {
        status: {
            "description": HTTPStatus(status).phrase,
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
            **({"headers": _RETRY} if status in (429, 503) else {}),
        }
        for status in statuses
    }


_RETRY = {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer", "minimum": 1}}}


def _wrong(found: Mapping[str, Any]) -> dict[str, str]:
    """Where and what, without what was sent: that may be a secret, or long."""
    place: Sequence[Any] = found["loc"][1:] or found["loc"]
    return {"field": ".".join(map(str, place)), "message": str(found["msg"]).removeprefix("Value error, ")}


def _problem(kind: str, title: str, status: int, detail: str, errors: Sequence[Any] = ()) -> dict[str, Any]:
    problem: dict[str, Any] = {
        "type": kind, "title": title, "status": status, "detail": detail, "instance": request_id.get(),
    }  # fmt: skip
    return problem | ({"errors": list(errors)} if errors else {})
