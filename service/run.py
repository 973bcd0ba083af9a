"""Starts the web server and ends it in good order."""

from __future__ import annotations

import signal
import sys

from rag.starter import Tell
from service.config import ServiceConfig
from service.errors import CannotServe
from service.logs import log_config


def run_service(config: ServiceConfig, tell: Tell) -> None:
    """Serves until SIGTERM or Ctrl-C, then finishes what runs. Raises CannotServe, and what `open_service` does."""
    try:
        import python_multipart  # noqa: F401 - forms need it
        import uvicorn

        from service.app import create_app
        from service.server import Server
        from service.service import open_service
    except ImportError as error:
        raise CannotServe("the service needs: pip install 'lumenscribe[serve]'") from error
    # uvicorn ends in good order first, and then hands the signal on.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    app = create_app(open_service(config, tell))
    tell(f"Lumenscribe: http://{config.host}:{config.port}/ for people, /openapi.json says what programs can ask")
    server = Server(
        uvicorn.Config(
            app,
            host=config.host,
            port=config.port,
            log_config=log_config(config.log),
            access_log=False,
            server_header=False,
            date_header=True,
            proxy_headers=False,
            timeout_graceful_shutdown=round(config.desk.time_limit_s),
        ),
        app.state.endings,
    )
    server.run()
    if not server.started:
        sys.exit(1)
