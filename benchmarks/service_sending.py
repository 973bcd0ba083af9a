"""Sends requests that no HTTP library would send, over a plain socket, and reads what comes back."""

from __future__ import annotations

import http.client
import json
import socket
import time
from dataclasses import dataclass, field

from service_process import HOST
from service_uploads import Upload

TIMEOUT_S = 180


@dataclass(frozen=True)
class Answer:
    """What came back; `status` None where nothing did, and why in `error`. Names of headers are in small letters."""

    status: int | None
    seconds: float
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    error: str = ""


class Sender:
    """One client. A connection a request: much of what is sent would spoil the next."""

    def __init__(self, port: int) -> None:
        self._port = port

    def send(self, sent: Upload) -> Answer:
        """Sends all of it, or as much as this client does before it leaves."""
        began = time.monotonic()
        length = len(sent.body) if sent.length is None else sent.length
        head = (
            f"POST {sent.path} HTTP/1.1\r\nHost: {HOST}:{self._port}\r\nContent-Type: {sent.content_type}\r\n"
            f"Content-Length: {length}\r\nConnection: close\r\n\r\n"
        )
        try:
            with socket.create_connection((HOST, self._port), TIMEOUT_S) as connection:
                _send(connection, head.encode("utf-8") + sent.body[: sent.cut])
                if sent.cut is not None and sent.length is None:
                    # It leaves: at once, or after a while in which its request may have come under way.
                    time.sleep(0.05 * (sent.number % 4))
                    return Answer(None, time.monotonic() - began, error="the client left")
                if sent.length is not None and sent.length > len(sent.body):
                    connection.shutdown(socket.SHUT_WR)
                return _read(connection, began)
        except (OSError, http.client.HTTPException) as error:
            return Answer(None, time.monotonic() - began, error=f"{type(error).__name__}: {error}")

    def delete(self, path: str) -> None:
        """Takes a job back."""
        connection = http.client.HTTPConnection(HOST, self._port, timeout=TIMEOUT_S)
        connection.request("DELETE", path)
        connection.getresponse().read()
        connection.close()

    def delete_jobs(self) -> int:
        """Takes every job back, and says how many there were."""
        connection = http.client.HTTPConnection(HOST, self._port, timeout=TIMEOUT_S)
        connection.request("GET", "/batches")
        jobs = json.loads(connection.getresponse().read())["jobs"]
        connection.close()
        for job in jobs:
            self.delete(f"/batches/{job['id']}")
        return len(jobs)


def _send(connection: socket.socket, data: bytes) -> None:
    """Sends it; where the server has answered and closed before it is all sent, its answer is there to be read."""
    try:
        connection.sendall(data)
    except (BrokenPipeError, ConnectionResetError):
        return


def _read(connection: socket.socket, began: float) -> Answer:
    answer = http.client.HTTPResponse(connection, method="POST")
    answer.begin()
    body = answer.read()
    headers = {name.lower(): value for name, value in answer.getheaders()}
    return Answer(answer.status, time.monotonic() - began, body, headers)
