"""Clients that ask one after the other, many at once, for a time."""

from __future__ import annotations

import base64
import http.client
import json
import random
import statistics
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from service_forms import TYPE, Part, form
from service_process import HOST

TIMEOUT_S = 300
Check = Callable[[str, dict[str, Any]], None]
"""Hears an image's name and the record that came back."""


class Client(Protocol):
    """What is asked of a server about an image, and what is done with the answer."""

    names: list[str]

    def request(self, name: str) -> tuple[str, bytes, dict[str, str]]:
        """Path, body and headers."""
        ...

    def read(self, name: str, answer: bytes) -> None:
        """Takes a 200. Raises ValueError and KeyError for what is no answer."""
        ...


class Caption:
    """`POST /caption` of the service."""

    def __init__(self, images: dict[str, bytes], check: Check, fields: dict[str, str] | None = None) -> None:
        self.names = list(images)
        self._check = check
        told = [Part(key, value.encode()) for key, value in (fields or {}).items()]
        self._bodies = {name: form(*told, Part("image", image, name, "image/png")) for name, image in images.items()}

    def request(self, name: str) -> tuple[str, bytes, dict[str, str]]:
        return "/caption", self._bodies[name], {"Content-Type": TYPE}

    def read(self, name: str, answer: bytes) -> None:
        self._check(name, json.loads(answer))


class Chat:
    """`POST /v1/chat/completions` of a server with the OpenAI chat API, greedy."""

    def __init__(self, images: dict[str, bytes], model: str, new_tokens: int) -> None:
        self.names = list(images)
        self._bodies = {name: self._body(image, model, new_tokens) for name, image in images.items()}

    @staticmethod
    def _body(image: bytes, model: str, new_tokens: int) -> bytes:
        url = "data:image/png;base64," + base64.b64encode(image).decode()
        words = {"type": "text", "text": "Describe this image in one to three sentences, in English."}
        content = [{"type": "image_url", "image_url": {"url": url}}, words]
        asked = {"model": model, "messages": [{"role": "user", "content": content}], "temperature": 0.0}
        return json.dumps({**asked, "max_tokens": new_tokens}).encode()

    def request(self, name: str) -> tuple[str, bytes, dict[str, str]]:
        return "/v1/chat/completions", self._bodies[name], {"Content-Type": "application/json"}

    def read(self, name: str, answer: bytes) -> None:
        if not json.loads(answer)["choices"][0]["message"]["content"]:
            raise ValueError(f"{name}: nothing said")


@dataclass
class Load:
    """What came of it."""

    began: float
    seconds: list[float] = field(default_factory=list)
    busy: int = 0
    errors: list[str] = field(default_factory=list)
    ended: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def per_s(self) -> float:
        """Answers a second."""
        return len(self.seconds) / (self.ended - self.began)

    def answered(self, seconds: float) -> None:
        with self._lock:
            self.seconds.append(seconds)

    def refused(self, why: str | None) -> None:
        """None: an honest 503."""
        with self._lock:
            if why is None:
                self.busy += 1
            else:
                self.errors.append(why)

    def told(self) -> dict[str, Any]:
        """Rates, percentiles of the seconds of an answer, 503s, and errors with how often each came."""
        cut = statistics.quantiles(self.seconds, n=100) if len(self.seconds) > 1 else [float("nan")] * 99
        return {
            "seconds": round(self.ended - self.began, 1),
            "answers": len(self.seconds),
            "answers_a_second": round(self.per_s, 3),
            "latency_s": {f"p{p}": round(cut[p - 1], 3) for p in (50, 95, 99)},
            "busy_503": self.busy,
            "errors": dict(Counter(self.errors).most_common(10)),
        }


def load(port: int, asked: Client, clients: int, seconds: float) -> Load:
    """So many clients for so long; what is under way at the end is waited for and counted, in its time as well."""
    found = Load(time.monotonic())
    until = found.began + seconds

    def client(number: int) -> None:
        order = asked.names.copy()
        rng = random.Random(number)
        connection = http.client.HTTPConnection(HOST, port, timeout=TIMEOUT_S)
        while time.monotonic() < until:
            rng.shuffle(order)
            for name in order:
                if time.monotonic() >= until:
                    break
                _ask(connection, asked, name, found)
        connection.close()

    threads = [threading.Thread(target=client, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found.ended = time.monotonic()
    return found


def _ask(connection: http.client.HTTPConnection, asked: Client, name: str, found: Load) -> None:
    path, body, headers = asked.request(name)
    began = time.monotonic()
    try:
        connection.request("POST", path, body, headers)
        answer = connection.getresponse()
        said = answer.read()
    except (OSError, http.client.HTTPException) as error:
        connection.close()
        found.refused(f"{type(error).__name__}: {error}")
        return
    again_s = answer.getheader("Retry-After")
    if answer.status == 503 and again_s is not None:
        found.refused(None)
        time.sleep(float(again_s))
    elif answer.status != 200:
        found.refused(f"{answer.status}: {said[:200].decode('utf-8', 'replace')}")
    else:
        found.answered(time.monotonic() - began)
        try:
            asked.read(name, said)
        except (ValueError, KeyError) as error:
            found.refused(f"no answer: {type(error).__name__}: {error}")
