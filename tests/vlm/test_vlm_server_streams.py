"""Streams of a server's model, and a real server of this machine: `transformers serve`."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from tests.vlm.conftest import picture, prompt
from tests.vlm.model_server import CHAT, bodies, config, models, refusal, run
from tests.web_server import Answer, Asked, WebServer
from vlm import (
    Generation,
    GenerationParams,
    ServerUnavailable,
    UnsupportedByServer,
    load_model_config,
    open_engine,
)


def chunks(*texts: str, finish: str | None = "stop", usage: bool = True) -> bytes:
    """Server-sent events: a piece of text each, then the end with the count of tokens."""
    counted = {"prompt_tokens": 40, "completion_tokens": 3, "total_tokens": 43}
    deltas: list[tuple[dict[str, str], str | None]] = [({"content": text}, None) for text in texts]
    events = [
        {
            "id": "1", "object": "chat.completion.chunk", "created": 1, "model": "tiny",
            "choices": [{"index": 0, "delta": delta, "finish_reason": reason}],
            **({"usage": counted} if reason and usage else {}),
        }
        for delta, reason in [*deltas, *([({}, finish)] if finish else [])]
    ]  # fmt: skip
    return "".join(
        f"data: {event}\n\n" for event in [*map(json.dumps, events), *(["[DONE]"] if finish else [])]
    ).encode()


def streaming(body: bytes) -> Callable[[Asked], Answer]:
    return lambda asked: (
        models("tiny") if asked.path == "/v1/models" else Answer(body, content_type="text/event-stream")
    )


def test_a_stream_comes_piece_by_piece(served: WebServer) -> None:
    served.answer = streaming(chunks(" A", " sme", "ar."))
    *pieces, last = open_engine(config(served)).stream(prompt(), GenerationParams())
    assert pieces == [" A", " sme", "ar."]
    assert isinstance(last, Generation)
    assert (last.text, last.stop, last.prompt_tokens, last.new_tokens) == ("A smear.", "end", 40, 3)
    assert bodies(served)[0]["stream_options"] == {"include_usage": True}


def test_a_server_that_counts_no_streams_is_not_asked_to_again(served: WebServer) -> None:
    good = streaming(chunks("A smear.", usage=False))

    def answer(asked: Asked) -> Answer:
        counts = asked.path == CHAT and "stream_options" in json.loads(asked.body)
        return refusal(422, "Unused field: stream_options") if counts else good(asked)

    served.answer = answer
    engine = open_engine(config(served))
    for _ in range(2):
        *_, last = engine.stream(prompt(), GenerationParams())
        assert isinstance(last, Generation)
        assert (last.text, last.new_tokens) == ("A smear.", None)
    assert ["stream_options" in body for body in bodies(served)] == [True, False, False]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (chunks("A sm", finish=None), "broke off in the middle of an answer"),
        (b'data: {"choices": [{"del', "what is no answer|broke off"),
        (b'data: {"error": {"message": "no memory left"}}\n\n', "no memory left"),
    ],
)
def test_a_stream_that_goes_wrong(body: bytes, message: str, served: WebServer) -> None:
    served.answer = streaming(body)
    with pytest.raises(ServerUnavailable, match=message) as caught:
        list(open_engine(config(served)).stream(prompt(), GenerationParams()))
    assert "\n" not in str(caught.value)


def test_a_time_limit_returns_what_there_is(served: WebServer) -> None:
    served.answer = streaming(chunks(*("word " for _ in range(5000))))
    (cut,) = run(open_engine(config(served)), prompt(), time_limit_s=0.02)
    assert cut.stop == "time"
    assert cut.text.startswith("word")
    assert cut.new_tokens is None
    (whole,) = run(open_engine(config(served)), prompt(), time_limit_s=60.0)
    assert (whole.stop, whole.new_tokens) == ("end", 3)


@pytest.fixture(scope="module")
def transformers_serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of `transformers serve` with the embedded model."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = str(load_model_config("pocket").path)
    program = Path(sys.executable).with_name("transformers")
    log = tmp_path_factory.mktemp("serve") / "log"
    with log.open("wb") as output, subprocess.Popen(
        [program, "serve", folder, "--port", str(port), "--device", "cpu", "--dtype", "float32"],
        stdout=output, stderr=output, env={**os.environ, "HF_HUB_OFFLINE": "1"},
    ) as process:  # fmt: skip
        url = f"http://localhost:{port}"
        try:
            for _ in range(240):
                time.sleep(0.5)
                if process.poll() is not None:
                    break
                try:
                    if requests.get(f"{url}/health", timeout=1).ok:
                        break
                except requests.ConnectionError:
                    continue
            assert process.poll() is None, log.read_text()
            yield f"{url}/v1"
        finally:
            process.terminate()


def test_a_real_server_says_what_the_model_says_here(transformers_serve: str) -> None:
    """`transformers serve` with pocket: the same files, the same greedy answers as in this process."""
    pocket = load_model_config("pocket", dtype="fp32", vision_dtype="model")
    served = load_model_config("server", url=transformers_serve, served_model=str(pocket.path))
    prompts = [prompt("Describe this image.", picture(n), system="") for n in range(3)]
    here = run(open_engine(pocket), *prompts, max_new_tokens=24)
    there = run(open_engine(served), *prompts, max_new_tokens=24)
    assert [answer.text for answer in there] == [answer.text for answer in here]
    assert [answer.prompt_tokens for answer in there] == [answer.prompt_tokens for answer in here]
    *pieces, last = open_engine(served).stream(prompts[0], GenerationParams(max_new_tokens=24))
    assert isinstance(last, Generation)
    assert "".join(piece for piece in pieces if isinstance(piece, str)).strip() == last.text == here[0].text
    assert last.new_tokens == here[0].new_tokens
    # It ignores a schema and tells no probabilities: whoever asks for them is told so, in `rag` and here.
    with pytest.raises(UnsupportedByServer, match="names no probabilities"):
        list(open_engine(served).score(prompts[:1], ("yes", "no"), one_pass=True))
