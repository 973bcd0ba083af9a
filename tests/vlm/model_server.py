"""A server with the OpenAI chat API that a test makes: its answers, its refusals, and how it is asked."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.web_server import Answer, Asked, WebServer, web_server
from vlm import (
    Generation,
    GenerationParams,
    Message,
    ModelConfig,
    Prompt,
    VlmError,
)

KEY = "sk-very-secret"
CHAT = "/v1/chat/completions"
Speaks = Callable[[dict[str, Any]], Answer]


def models(*names: str) -> Answer:
    data = [{"id": name, "object": "model", "created": 1, "owned_by": "us"} for name in names]
    return Answer(json.dumps({"object": "list", "data": data}).encode())


def said(text: str, finish: str = "stop", **more: Any) -> Answer:
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish}
    usage = {"prompt_tokens": 40, "completion_tokens": 3, "total_tokens": 43}
    body = {"id": "1", "object": "chat.completion", "created": 1, "model": "tiny", "choices": [choice], "usage": usage}
    return Answer(json.dumps({**body, **more}).encode())


def refusal(status: int, message: str = "busy", **headers: str) -> Answer:
    return Answer(json.dumps({"error": {"message": message, "type": "x"}}).encode(), status, headers=headers)


def echo(body: dict[str, Any]) -> Answer:
    """Says again what it was last asked."""
    content = body["messages"][-1]["content"]
    return said(content if isinstance(content, str) else content[-1]["text"])


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[WebServer]:
    """A server with one model that echoes; `answer` may be replaced."""
    monkeypatch.setenv("LUMENSCRIBE_SERVER_KEY", KEY)

    def answer(asked: Asked) -> Answer:
        return models("tiny") if asked.path == "/v1/models" else echo(json.loads(asked.body))

    with web_server(answer) as server:
        yield server


def config(server: WebServer, **changes: Any) -> ModelConfig:
    data = {
        "name": "server", "family": "server", "prompt_tokens": 100, "caption_prompt": "zero_shot", "license": "?",
        "server": {"url": f"{server.url}/v1", "retries": 1, "timeout_s": 5, **changes},
    }  # fmt: skip
    return ModelConfig.model_validate(data)


def run(engine: Any, *prompts: Prompt, **params: Any) -> list[Generation]:
    answers = dict(engine.generate(prompts, GenerationParams(**params)))
    return [answers[n] for n in range(len(prompts))]


def bodies(server: WebServer) -> list[dict[str, Any]]:
    return [json.loads(asked.body) for asked in server.asked if asked.path == CHAT]


def fails(engine: Any, kind: type[VlmError], message: str) -> None:
    with pytest.raises(kind, match=message) as caught:
        run(engine, Prompt((Message("user", ("Describe.",)),), "test", "0"))
    assert "\n" not in str(caught.value)
    assert KEY not in str(caught.value)
