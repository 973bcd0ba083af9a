"""The service is killed by SIGKILL in the middle of a job and of ratings, over HTTP, again and again: nothing that it
acknowledged is lost, and the job ends with what `cli.py batch` writes."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from job_makers import DELAY, HERE, batch_of, png, untimed, zipped

from evaluation.ratings.store import read_ratings
from tests.evaluation.ratings.made_ratings import made_task

IMAGES = {f"i{number:02d}.png": png(number) for number in range(24)} | {"i05-bad.png": b"no image"}
KILLS = 2


@contextmanager
def served(data: Path, port: int, delay_s: float = 0.0) -> Iterator[httpx.Client]:
    """The service in a process of its own, killed at the end; its jobs take so long over an image."""
    with subprocess.Popen(
        [sys.executable, str(HERE / "job_server.py"), str(data), str(port)], cwd=HERE.parents[1],
        env=os.environ | {"PYTHONPATH": ".", DELAY: str(delay_s)},
    ) as process, httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:  # fmt: skip
        try:
            end = time.monotonic() + 120
            while True:
                assert process.poll() is None
                assert time.monotonic() < end
                try:
                    client.get("/health")
                    break
                except httpx.TransportError:
                    time.sleep(0.05)
            yield client
        finally:
            process.send_signal(signal.SIGKILL)


def free_port() -> int:
    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))
        return int(opened.getsockname()[1])


class Rater(threading.Thread):
    """Answers items one after the other, and keeps which answers were acknowledged; ends when the service does."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self._port = port
        self.acknowledged: dict[int, str] = {}

    def run(self) -> None:
        with httpx.Client(base_url=f"http://127.0.0.1:{self._port}", timeout=30) as client:
            try:
                who = {"task": "pairwise", "rater": "anna"}
                while (item := client.get("/ratings/next", params=who).json()["item"]) is not None:
                    say = f"no {item['position']}"
                    sent = {**who, "position": item["position"], "preferred": "B", "comment": say}
                    answer = client.post("/ratings", json=sent)
                    assert answer.status_code == 200, answer.text
                    self.acknowledged[item["position"]] = say
            except httpx.TransportError:
                return


def half_an_upload(port: int) -> socket.socket:
    """A connection on which a job's files were begun to be sent."""
    opened = socket.create_connection(("127.0.0.1", port))
    head = "POST /batches HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: multipart/form-data; boundary=x\r\n"
    body = '--x\r\nContent-Disposition: form-data; name="image"; filename="half.png"\r\n\r\n' + "x" * 4000
    opened.sendall(f"{head}Content-Length: 9000\r\n\r\n{body}".encode())
    return opened


def lines(answer: httpx.Response) -> list[dict[str, Any]]:
    assert answer.headers["content-type"].startswith("application/jsonl")
    return [json.loads(line) for line in answer.text.splitlines()]


def test_nothing_acknowledged_is_lost(tmp_path: Path) -> None:
    data, port = tmp_path / "data", free_port()
    (data / "ratings").mkdir(parents=True)
    made_task(data / "ratings", "pairwise", images=150)
    acknowledged: dict[int, str] = {}
    seen: list[dict[str, Any]] = []
    job = ""
    for _ in range(KILLS):
        with served(data, port, delay_s=1.0) as client:
            if not job:
                plain = [("image", (name, body)) for name, body in IMAGES.items() if name < "i12"]
                packed = zipped({name: body for name, body in IMAGES.items() if name >= "i12"})
                answer = client.post("/batches", files=[*plain, ("archive", ("more.zip", packed))])
                assert answer.status_code == 202, answer.text
                job = answer.headers["location"]
                assert answer.json()["images"] == 25
                half_sent = half_an_upload(port)  # never whole, so never a job
            rater = Rater(port)
            rater.start()
            before = len(seen)
            end = time.monotonic() + 120
            while (now := client.get(job).json())["described"] < before + 2:
                assert now["state"] in ("queued", "running"), now
                assert time.monotonic() < end, now
                time.sleep(0.05)
            found = lines(client.get(f"{job}/records"))
            assert len(found) >= before + 2
            assert untimed(seen) == untimed(one for one in found if one["id"] in {old["id"] for old in seen})
            seen = found
        rater.join()
        acknowledged |= rater.acknowledged
        kept = {rating.answer.comment for rating in read_ratings(data / "ratings" / "pairwise.sqlite").ratings}
        assert set(acknowledged.values()) <= kept
    assert len(acknowledged) > KILLS
    half_sent.close()
    with served(data, port) as client:
        assert [f"/batches/{one['id']}" for one in client.get("/batches").json()["jobs"]] == [job]
        end = time.monotonic() + 120
        while (now := client.get(job).json())["state"] != "done":
            assert time.monotonic() < end, now
            time.sleep(0.1)
        assert (now["described"], now["failed"], now["left"]) == (24, 1, 0)
        records = lines(client.get(f"{job}/records"))
        assert [row["id"] for row in lines(client.get(f"{job}/failures"))] == ["i05-bad"]
    assert untimed(records) == untimed(batch_of(tmp_path / "batch", IMAGES))
    assert list((data / "jobs" / job.rsplit("/", 1)[1]).glob("uploads/*")) == []
    assert sorted(path.name for path in (data / "jobs").iterdir()) == sorted([job.rsplit("/", 1)[1], "jobs.lock"])
