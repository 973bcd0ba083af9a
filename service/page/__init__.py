"""The web page: Gradio in the service's application, at /page. It speaks to the service in this process.

`layout` is the whole, a tab is a file, `html` writes records by the templates, `uploads` holds what people drop.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from starlette.routing import Mount

from service.jobs.types import MOST_FILES
from service.page.common import Page
from service.page.uploads import Uploads
from service.service import Service

PATH = "/page"
_ICON = (
    '<link rel="icon" href="data:image/svg+xml,%3Csvg xmlns=%22http://www.w3.org/2000/svg%22 viewBox=%220 0 16 16%22%3E'
    "%3Ccircle cx=%228%22 cy=%228%22 r=%226.5%22 fill=%22%230b5d55%22/%3E%3Ccircle cx=%228%22 cy=%228%22 r=%222.4%22 "
    'fill=%22%23fff%22/%3E%3C/svg%3E">'
)
_MOST_IMAGES = 10_000
"""That are held for all who look at the page."""
_STATIC = Path(__file__).parent / "static"


def mount_page(app: FastAPI, service: Service) -> None:
    """Puts the page into the application, where it is before everything else that begins with its path."""
    import gradio as gr

    from service.page.layout import blocks, theme
    from service.page.reports import Reports
    from service.page.routes import routes
    from service.page.shield import Shield

    config = service.config
    spool = config.data / "tmp"
    spool.mkdir(parents=True, exist_ok=True)
    most = service.jobs.limits.max_total_mib << 20
    page = Page(service, Uploads(config.desk.waiting_mib << 20, _MOST_IMAGES), Uploads(most, MOST_FILES), spool)
    reports = Reports(config.data / "runs", service.results)
    app.include_router(routes(page, reports))
    script = (_STATIC / "page.js").read_text(encoding="utf-8")

    async def mounted() -> None:
        gr.mount_gradio_app(
            app, blocks(page, reports), PATH, theme=theme(), css_paths=_STATIC / "page.css",
            head=f"{_ICON}<script>{script}</script>",
            footer_links=[], run_history=False, ssr_mode=False, pwa=False, mcp_server=False, enable_monitoring=False,
            show_error=False, max_file_size=1,
        )  # fmt: skip

    asyncio.run(mounted())  # where no loop runs, Gradio makes four and closes none
    mount = next(route for route in app.routes if isinstance(route, Mount) and route.path == PATH)
    gradio: Any = mount.app
    app.state.endings.append(lambda: gradio.stop_event.set())
    mount.app = Shield(gradio)
