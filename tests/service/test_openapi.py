"""The whole OpenAPI, fuzzed by schemathesis over HTTP: no 5xx but an honest 503, no answer that breaks its shape."""

from __future__ import annotations

import io
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import httpx
import pytest
import schemathesis
import uvicorn
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from PIL import Image
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from service.app import create_app
from service.service import open_service
from tests.service.conftest import config_in

WITHIN_S = 30.0
"""Of fuzzing, all operations together: each in its turn has an equal part of what is left."""
TIMEOUT_S = 180
AT_LEAST = 2
"""Requests to each operation with what fits its schema, and as many with what does not, however slow the machine."""
SETTINGS = (
    "hosts=[127.0.0.1]",
    "settings.generation.max_new_tokens=4",
    "limits.requests_a_minute=1000000",
    "page=false",
)


def _picture() -> bytes:
    with io.BytesIO() as written:
        Image.new("RGB", (48, 40), "pink").save(written, "PNG")
        return written.getvalue()


PICTURE = _picture()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Of a server in a thread of this process, ready."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    app = create_app(open_service(config_in(tmp_path_factory.mktemp("service"), *SETTINGS)))
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_config=None))
    thread = threading.Thread(target=server.run)
    thread.start()
    address = f"http://127.0.0.1:{port}"
    try:
        while not server.started or httpx.get(f"{address}/ready").status_code != 200:
            assert thread.is_alive()
            time.sleep(0.1)
        yield address
    finally:
        server.should_exit = True
        thread.join()


class EnoughError(Exception):
    """Ends the drawing of requests."""


def without(response: schemathesis.Response) -> list[Any]:
    """The checks that do not hold for an answer: a 503 may say that there is no place, when it says when to come again;
    and no schema tells bytes that are an image from others, or a name that is offered."""
    honest = response.status_code == 503 and "retry-after" in response.headers
    return [positive_data_acceptance, *([not_a_server_error] if honest else [])]


def with_image(case: schemathesis.Case) -> None:
    """Puts a picture where random bytes are."""
    if not isinstance(case.body, dict):
        return
    for name in ("image", "archive"):
        if name in case.body:
            case.body[name] = [PICTURE] if isinstance(case.body[name], list) else PICTURE


class Fuzzer:
    """Tries operations, each for a time, and keeps what went wrong."""

    def __init__(self) -> None:
        self.tried: Counter[str] = Counter()
        self.statuses: Counter[int] = Counter()
        self.wrong: dict[str, str] = {}

    def fuzz(self, operation: Any, mode: GenerationMode, within_s: float) -> None:
        """Draws requests to one operation until the time is up; the first that goes wrong ends it."""
        name, until = f"{operation.method.upper()} {operation.path}", time.monotonic() + within_s

        @seed(0)
        @settings(
            max_examples=500,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def tried(case: schemathesis.Case) -> None:
            if name in self.wrong or (self.tried[f"{mode} {name}"] >= AT_LEAST and time.monotonic() > until):
                raise EnoughError
            self.tried[f"{mode} {name}"] += 1
            if mode.is_positive and self.tried[f"{mode} {name}"] % 2:
                with_image(case)
            response = case.call(timeout=TIMEOUT_S)
            self.statuses[response.status_code] += 1
            try:
                case.validate_response(response, excluded_checks=without(response))
            except FailureGroup as failures:
                said = "\n".join(f"{type(one).__name__}: {one}" for one in failures.exceptions)
                self.wrong[name] = (
                    f"{said}\n{response.status_code} {response.content[:500]!r}\n{case.as_curl_command()}"
                )

        with suppress(EnoughError, Unsatisfiable):  # of what takes no parameters, no request is wrong
            tried()


def test_no_request_breaks_the_service_and_no_answer_its_schema(address: str) -> None:
    described = schemathesis.openapi.from_url(f"{address}/openapi.json")
    operations = [found.ok() for found in described.get_all_operations()]
    turns = [(one, mode) for one in operations for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)]
    fuzzer, until = Fuzzer(), time.monotonic() + WITHIN_S
    for number, (operation, mode) in enumerate(turns):
        fuzzer.fuzz(operation, mode, max(0.0, until - time.monotonic()) / (len(turns) - number))
    assert not fuzzer.wrong, "\n\n".join(f"{name}: {why}" for name, why in fuzzer.wrong.items())
    assert {name.split(" ", 1)[1] for name in fuzzer.tried} == {f"{o.method.upper()} {o.path}" for o in operations}
    assert fuzzer.statuses[200], fuzzer.statuses
    assert fuzzer.statuses[422], fuzzer.statuses
