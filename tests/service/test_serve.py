"""`serve` as a program: clients that leave, a desk that is full, an end in good order. No index is needed for that."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WINDOW_S = 5.0


@dataclass
class Program:
    """The service in a process of its own, with one place at its desk and a window that is easy to hit."""

    process: subprocess.Popen[str]
    port: int

    def connect(self) -> closing[HTTPConnection]:
        return closing(HTTPConnection("127.0.0.1", self.port, timeout=300))

    def get(self, path: str, headers: dict[str, str] | None = None) -> tuple[int, str]:
        with self.connect() as connection:
            connection.request("GET", path, headers=headers or {})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()

    def metric(self, name: str) -> float:
        return next(float(line.split()[-1]) for line in self.get("/metrics")[1].splitlines() if line.startswith(name))

    def waiting(self, count: int) -> None:
        """Returns once so many requests wait."""
        until = time.monotonic() + 60
        while self.metric("lumenscribe_waiting ") != count:
            assert time.monotonic() < until
            time.sleep(0.02)


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder = tmp_path_factory.mktemp("serve")
    settings = ["settings.retrieval.enabled=false", "settings.check.text_embedder=null", "desk.processes=0"]
    desk = [f"desk.window_ms={WINDOW_S * 1000:g}", "desk.max_waiting=1", "page=false"]
    command = [sys.executable, str(ROOT / "cli.py"), "serve", "--port", str(port), "--data", str(folder / "data")]
    command += [part for assignment in (*settings, *desk) for part in ("--set", assignment)]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, stderr=log, stdout=log, text=True, cwd=folder)
    program = Program(process, port)
    try:
        until = time.monotonic() + 300
        while True:
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < until
            try:
                if program.get("/ready")[0] == 200:
                    break
            except OSError:
                pass
            time.sleep(0.2)
        yield program
    finally:
        process.kill()
        process.wait()


def caption(connection: HTTPConnection, image: bytes, accept: str = "application/json") -> None:
    body = b'--x\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n' + image + b"\r\n--x--\r\n"
    connection.request("POST", "/caption", body, {"content-type": "multipart/form-data; boundary=x", "accept": accept})


def first_event(answer: HTTPResponse) -> str:
    return answer.readline().decode().strip()


def test_a_client_that_leaves_frees_its_place(program: Program, smear: bytes) -> None:
    begun = program.metric("lumenscribe_batch_requests_count")
    with program.connect() as leaves:
        caption(leaves, smear)
        program.waiting(1)
    program.waiting(0)
    time.sleep(WINDOW_S)
    assert program.metric("lumenscribe_batch_requests_count") == begun


def test_a_full_desk_says_503_and_when_to_come_again(program: Program, smear: bytes) -> None:
    with program.connect() as first, program.connect() as second:
        caption(first, smear)
        program.waiting(1)
        caption(second, smear)
        refused = second.getresponse()
        assert refused.status == 503
        assert int(refused.headers["retry-after"]) >= 1
        assert json.loads(refused.read())["type"] == "urn:lumenscribe:problem:busy"
        answer = first.getresponse()
        assert answer.status == 200
        assert json.loads(answer.read())["task"] == "caption"


def test_logs_are_json_lines_that_name_the_request(program: Program) -> None:
    program.get("/choices?secret=hunter2", {"x-request-id": "of-the-log"})
    file = Path(os.readlink(f"/proc/{program.process.pid}/fd/2"))
    until = time.monotonic() + 10
    while "of-the-log" not in (log := file.read_text()) and time.monotonic() < until:
        time.sleep(0.05)  # the line is written once the answer is sent
    line = next(json.loads(line) for line in log.splitlines() if "of-the-log" in line)
    assert (line["event"], line["route"], line["status"]) == ("request", "/choices", 200)
    assert "hunter2" not in log


def test_told_to_end_it_finishes_what_runs(program: Program, smear: bytes) -> None:
    with program.connect() as streams, program.connect() as waits:
        caption(waits, smear)
        program.waiting(1)
        program.waiting(0)
        caption(streams, smear, "text/event-stream")
        answer = streams.getresponse()
        assert first_event(answer) == "event: text"
        program.process.send_signal(signal.SIGTERM)
        assert "event: record" in answer.read().decode()
        assert json.loads(waits.getresponse().read())["task"] == "caption"
    assert program.process.wait(120) == 0
