"""What the page needs beside Gradio's own routes: places for files, and reports as pages of their own."""

from __future__ import annotations

import asyncio
import tempfile
from typing import Any, Literal
from urllib.parse import unquote

from fastapi import APIRouter, Request, Response

from imaging import ImageError
from service.asked import Upload, said_name
from service.errors import TooLarge, UnusableImage
from service.page.common import Page
from service.page.reports import Reports
from service.page.uploads import Image, Spooled

REPORT_HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'",
    "x-frame-options": "SAMEORIGIN",
    "cache-control": "no-store",
}
"""A report is one file without scripts, and may stand in the page's own frame."""


def routes(page: Page, reports: Reports) -> APIRouter:
    """The routes; they are no part of the API's description."""
    router = APIRouter(prefix="/page", include_in_schema=False)
    limits = page.service.config.limits
    most = limits.body_mib << 20
    too_large = f"the file is over the limit of {limits.body_mib} MiB (limits.body_mib)"

    @router.post("/images", status_code=201)
    async def add_image(request: Request) -> dict[str, Any]:
        """Takes an image file as the whole body, decodes it, and gives a token for it. Raises Refusal."""
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > most:
                raise TooLarge(too_large)
        image = await asyncio.to_thread(decoded, Upload(_name(request), bytes(body)))
        return {"token": page.images.add(image), **image.shown()}

    @router.post("/files", status_code=201)
    async def add_file(request: Request) -> dict[str, Any]:
        """Takes a file for a batch as the whole body, and gives a token for it. Raises Refusal."""
        file = tempfile.TemporaryFile(dir=page.spool)  # noqa: SIM115 - it is closed where it is let go of
        try:
            nbytes = 0
            async for chunk in request.stream():
                nbytes += len(chunk)
                if nbytes > most:
                    raise TooLarge(too_large)
                await asyncio.to_thread(file.write, chunk)
        except BaseException:
            file.close()
            raise
        spooled = Spooled(_name(request), file, nbytes)
        return {"token": page.spooled.add(spooled), "name": spooled.name, "bytes": nbytes}

    @router.delete("/{kind}/{token}", status_code=204)
    async def drop(kind: Literal["images", "files"], token: str) -> Response:
        """Lets go of a file."""
        (page.images if kind == "images" else page.spooled).drop(token)
        return Response(status_code=204)

    @router.get("/reports/{kind}/{name}")
    async def report(kind: Literal["own", "committed"], name: str) -> Response:
        """A report as a page. Raises NotThere and Unusable."""
        html = await asyncio.to_thread(reports.page, kind, name)
        return Response(html, media_type="text/html", headers=REPORT_HEADERS)

    def decoded(upload: Upload) -> Image:
        try:
            return Image.of(upload, upload.decoded(limits))
        except ImageError as error:
            raise UnusableImage(str(error)) from error

    return router


def _name(request: Request) -> str:
    return said_name(unquote(request.headers.get("x-file-name", "")))
