"""A real HTTP server on this machine that answers as a test tells it to, and remembers what it was asked."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True)
class Asked:
    """A request as it arrived: its path, its query and form fields together, its headers (lower-case), its body."""

    method: str
    path: str
    fields: dict[str, str]
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Answer:
    """What goes back. `cut` sends only that many bytes of the body, then breaks the connection."""

    body: bytes = b""
    status: int = 200
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None


@dataclass
class WebServer:
    """`asked` holds every request in order; `answer` decides each answer and may be replaced."""

    answer: Callable[[Asked], Answer]
    url: str = ""
    asked: list[Asked] = field(default_factory=list)


ENDS_WITHIN_S = 0.02
"""So often the server looks whether it is to end; half a second, its own default, is half of many a test."""


@contextmanager
def web_server(answer: Callable[[Asked], Answer]) -> Iterator[WebServer]:
    """Serves on a free port of 127.0.0.1 while the context lasts."""
    served = WebServer(answer)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.0"

        def do_GET(self) -> None:
            self._respond()

        def do_POST(self) -> None:
            self._respond()

        def do_PUT(self) -> None:
            self._respond()

        def do_HEAD(self) -> None:
            self._respond()

        def log_message(self, *_: object) -> None:
            """Tests read `asked` instead."""

        def _respond(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            parts = urlsplit(self.path)
            form = body.decode("utf-8", "replace") if "form" in (self.headers.get("content-type") or "") else ""
            fields = {name: values[-1] for text in (parts.query, form) for name, values in parse_qs(text).items()}
            headers = {name.lower(): value for name, value in self.headers.items()}
            asked = Asked(self.command, parts.path, fields, headers, body)
            served.asked.append(asked)
            made = served.answer(asked)
            self.send_response(made.status)
            self.send_header("Content-Type", made.content_type)
            self.send_header("Content-Length", str(len(made.body)))
            for name, value in made.headers.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command == "HEAD":
                return
            self.wfile.write(made.body if made.cut is None else made.body[: made.cut])
            if made.cut is not None:
                self.wfile.flush()
                self.connection.shutdown(socket.SHUT_RDWR)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(ENDS_WITHIN_S,), daemon=True)
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
