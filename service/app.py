"""The service as a web application: routes, what stands around them, and its OpenAPI."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from importlib import metadata
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.responses import RedirectResponse

from service.gate import Gate
from service.problems import Problem, handle_problems
from service.routes import batches, describe, health, login, ratings, records, results, search
from service.service import Service
from service.watch import Watch

_FIELD_BYTES = 1 << 17
"""Of a field that is no file: a JSON Schema is the longest."""
_ABOUT = """Descriptions of biomedical images, each with its evidence. **For research only; not for diagnosis.**

Images are sent as files in forms; no path and no address is taken. Every error is a problem (RFC 9457).
"""


def create_app(service: Service) -> FastAPI:
    """The application. Where the service does not run already, its lifespan opens the desk and, at the end, finishes
    what was taken."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        with nullcontext() if service.runs else service.running():
            yield

    app = FastAPI(
        title="Lumenscribe",
        description=_ABOUT,
        version=metadata.version("lumenscribe"),
        lifespan=lifespan,
        docs_url=None,  # these pages would load their scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
        form_limits={"max_files": service.config.limits.images + 1, "max_fields": 100, "max_part_size": _FIELD_BYTES},
    )
    app.state.service = service
    app.state.endings = []  # what ends that only waits, see service/server.py
    for part in (health, describe, search, records, batches, ratings, results, login):
        app.include_router(part.router)
    if service.config.page:
        from service.page import mount_page  # Gradio, which takes seconds to import

        app.add_api_route("/", _to_page, include_in_schema=False)
        mount_page(app, service)
    handle_problems(app)
    app.add_middleware(Gate, service=service)
    app.openapi = lambda: _openapi(app, service)  # type: ignore[method-assign]
    app.add_middleware(Watch, service=service, paths=list(app.openapi()["paths"]))
    return app


async def _to_page() -> RedirectResponse:
    return RedirectResponse("/page/", 303)


def _openapi(app: FastAPI, service: Service) -> dict[str, Any]:
    """The description of the API, with the problems' shape; with keys where they are needed."""
    if app.openapi_schema is None:
        made = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        components = made.setdefault("components", {})
        problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
        components.setdefault("schemas", {}).update(problem.pop("$defs", {}) | {"Problem": problem})
        if service.keys:
            components["securitySchemes"] = {
                "bearer": {"type": "http", "scheme": "bearer"},
                "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            }
            made["security"] = [{"bearer": []}, {"header": []}]
        app.openapi_schema = made
    return app.openapi_schema
