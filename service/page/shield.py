"""Only what the page needs of Gradio: its own ways to upload, to serve files and to fetch from elsewhere are shut off.

Gradio's application brings routes that write what is sent to disk under the name it came with, serve files by path,
fetch from other hosts for the page, and record screens. An allow-list stands before it, so that what a newer version
brings is shut off as well.
"""

from __future__ import annotations

import re

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

ALLOWED: dict[str, re.Pattern[str]] = {
    "GET": re.compile(
        r"/?|/config|/theme\.css|/favicon\.ico|/manifest\.json|/(assets|static)/[A-Za-z0-9._/-]+"
        r"|/gradio_api/(info|startup-events|app_id|queue/data|heartbeat/[a-z0-9]+)/?"
    ),
    "POST": re.compile(r"/gradio_api/(queue/join|cancel|reset)/?"),
}
ALLOWED["HEAD"] = ALLOWED["GET"]


class Shield:
    """Passes on to Gradio's application what the page needs, and says 404 to everything else."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or self._passes(scope):
            await self._app(scope, receive, send)
        else:
            await PlainTextResponse("Not found", status_code=404)(scope, receive, send)

    @staticmethod
    def _passes(scope: Scope) -> bool:
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        allowed = ALLOWED.get(scope["method"])
        return bool(allowed and ".." not in path and allowed.fullmatch(path))
