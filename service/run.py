"""Starts the web server and ends it in good order."""

from __future__ import annotations

import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager

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
    service = open_service(config, tell)
    with _listening(config) as sockets, service.running():
        # uvicorn ends in good order first, and then hands the signal on.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        app = create_app(service)
        port = sockets[0].getsockname()[1]
        tell(f"Lumenscribe: http://{config.host}:{port}/ for people, /openapi.json says what programs can ask")
        settings = uvicorn.Config(
            app,
            log_config=log_config(config.log),
            access_log=False,
            server_header=False,
            date_header=True,
            proxy_headers=False,
            timeout_graceful_shutdown=round(config.desk.time_limit_s),
        )
        Server(settings, app.state.endings).run(sockets=sockets)


@contextmanager
def _listening(config: ServiceConfig) -> Iterator[list[socket.socket]]:
    """The address, taken before anything is loaded. Raises CannotServe where it cannot be had."""
    try:
        family = socket.getaddrinfo(config.host, config.port, type=socket.SOCK_STREAM)[0][0]
        taken = socket.create_server((config.host, config.port), family=family)
    except OSError as error:
        why = error.strerror or error
        raise CannotServe(f"{config.host}:{config.port} cannot be listened at: {why}. Say another --port") from error
    with taken:
        yield [taken]
