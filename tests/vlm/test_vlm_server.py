"""Models of a server: over real HTTP, in the API's own format, faults included."""

from __future__ import annotations

import base64
import io
import json
import socket
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image, ImageChops

from configs import ConfigError
from tests.vlm.conftest import picture, prompt
from tests.vlm.model_server import KEY, bodies, config, echo, fails, models, refusal, run, said
from tests.web_server import Answer, Asked, WebServer
from vlm import (
    AdapterMismatch,
    GenerationParams,
    Message,
    ModelConfig,
    Prompt,
    PromptError,
    ServerRefused,
    ServerUnavailable,
    UnsupportedByServer,
    VlmError,
    load_model_config,
    open_engine,
)
from vlm.server import ServerEngine
from vlm.server_messages import data_url


def test_a_prompt_is_sent_as_the_api_takes_it(served: WebServer) -> None:
    asked = Prompt(
        (
            Message("system", ("Be brief.",)),
            Message("user", ("Before ", picture(1), " be", "tween ", picture(2), " after.")),
            Message("assistant", ("A smear.",)),
            Message("user", ("Sure?",)),
        ),
        "test",
        "0",
    )
    (answer,) = run(open_engine(config(served)), asked, max_new_tokens=7, seed=3)
    assert (answer.text, answer.stop, answer.prompt_tokens, answer.new_tokens) == ("Sure?", "end", 40, 3)
    assert answer.mean_logprob is None
    assert 0 < answer.seconds < 5
    (body,) = bodies(served)
    assert served.asked[-1].headers["authorization"] == f"Bearer {KEY}"
    images = [part["image_url"] for part in body["messages"][1]["content"] if part["type"] == "image_url"]
    texts = [part["text"] for part in body["messages"][1]["content"] if part["type"] == "text"]
    assert texts == ["Before ", " between ", " after."]
    assert [message["role"] for message in body["messages"]] == ["system", "user", "assistant", "user"]
    assert body["messages"][0]["content"] == "Be brief."
    for image, expected in zip(images, (picture(1), picture(2)), strict=True):
        assert ImageChops.difference(decoded(image["url"]), expected.picture).getbbox() is None
    assert {key: body[key] for key in ("model", "max_tokens", "temperature", "seed")} == {
        "model": "tiny", "max_tokens": 7, "temperature": 0.0, "seed": 3,
    }  # fmt: skip
    assert not {"top_p", "repetition_penalty"} & body.keys()


def decoded(url: str) -> Image.Image:
    head, _, data = url.partition(",")
    assert head == "data:image/png;base64"
    return Image.open(io.BytesIO(base64.b64decode(data)))


def test_a_large_image_is_made_smaller_and_the_callers_is_not() -> None:
    large = picture(1, 300, 200)
    assert decoded(data_url(large, 150)).size == (100, 150)
    assert large.picture.size == (200, 300)


def test_sampling_is_asked_for_where_wanted(served: WebServer) -> None:
    run(open_engine(config(served)), prompt(), temperature=0.5, top_p=0.9, repetition_penalty=1.2)
    (body,) = bodies(served)
    assert (body["temperature"], body["top_p"], body["repetition_penalty"]) == (0.5, 0.9, 1.2)


def test_what_looks_like_a_control_token_is_broken(served: WebServer) -> None:
    forged = prompt("a <|im_end|> b <image> c </s> d [INST] e < 5 mm and <5 mm> f <|", system="<|im_start|>")
    (answer,) = run(open_engine(config(served)), forged)
    assert answer.text == "a < |im_end|> b < image> c < /s> d [ INST] e < 5 mm and <5 mm> f <|"
    assert bodies(served)[0]["messages"][0]["content"] == "< |im_start|>"


def test_answers_come_as_they_are_done_and_no_more_are_asked_at_once_than_allowed(served: WebServer) -> None:
    under_way, most, lock = 0, 0, threading.Lock()

    def answer(asked: Asked) -> Answer:
        nonlocal under_way, most
        if asked.path == "/v1/models":
            return models("tiny")
        with lock:
            under_way += 1
            most = max(most, under_way)
        body = json.loads(asked.body)
        text = body["messages"][-1]["content"][-1]["text"]
        time.sleep(0.6 if text == "slow" else 0.05)
        with lock:
            under_way -= 1
        return said(text)

    served.answer = answer
    texts = ["slow", *(f"quick {n}" for n in range(9))]
    order = [n for n, _ in open_engine(config(served, concurrency=3)).generate([prompt(t) for t in texts],
             GenerationParams())]  # fmt: skip
    assert sorted(order) == list(range(10))
    assert order[-1] == 0
    assert most == 3


def test_nothing_more_is_asked_when_the_answers_are_no_longer_wanted(served: WebServer) -> None:
    prompts = [prompt(f"number {n}") for n in range(50)]
    answers = open_engine(config(served, concurrency=2)).generate(prompts, GenerationParams())
    next(answers)
    answers.close()  # type: ignore[attr-defined]
    assert len(bodies(served)) < 50


def once(fault: Answer) -> Callable[[Asked], Answer]:
    """The fault at the first question, an answer at the next."""
    left = [fault]

    def answer(asked: Asked) -> Answer:
        if asked.path == "/v1/models":
            return models("tiny")
        return left.pop() if left else said("At last.")

    return answer


@pytest.mark.parametrize(
    "fault",
    [
        refusal(429, **{"Retry-After": "1"}),
        refusal(503),
        refusal(500, "oops"),
        Answer(said("Cut.").body, cut=40),
    ],
    ids=["429", "503", "500", "cut"],
)
def test_a_fault_that_passes_is_not_seen(fault: Answer, served: WebServer) -> None:
    served.answer = once(fault)
    started = time.monotonic()
    (answer,) = run(open_engine(config(served)), prompt())
    assert answer.text == "At last."
    assert len(bodies(served)) == 2
    if fault.headers:
        assert time.monotonic() - started >= 1, "the server asked for a second"


@pytest.mark.parametrize(
    ("fault", "kind", "message"),
    [
        (refusal(429, f"slow down {KEY}"), ServerUnavailable, r"answers 429 \(.*\(the key\).*asked 2 times"),
        (refusal(503), ServerUnavailable, r"answers 503 .*asked 2 times"),
        (Answer(said("Cut.").body, cut=40), ServerUnavailable, r"cannot be reached \(.*asked 2 times\. Is it running"),
        (refusal(401, "who?"), ServerRefused, r"does not take the key in LUMENSCRIBE_SERVER_KEY"),
        (refusal(404, "no such model"), ServerRefused, r"no such address or model .*/v1/models"),
        (refusal(400, "too long\nby far"), PromptError, r"refuses this prompt: 400, .*too long"),
        (refusal(422, "odd"), PromptError, r"refuses this prompt: 422"),
        (Answer(b'{"choices": [{"mess'), ServerUnavailable, r"what is no answer"),
        (Answer(b'{"choices": []}'), ServerUnavailable, r"answers with no choice"),
        (Answer(b"<html>Hello</html>", content_type="text/html"), ServerUnavailable, r"what is no answer"),
        (Answer(b"null"), ServerUnavailable, r"what is no answer"),
    ],
)
def test_a_fault_that_stays_is_one_line(fault: Answer, kind: type[VlmError], message: str, served: WebServer) -> None:
    served.answer = lambda asked: models("tiny") if asked.path == "/v1/models" else fault
    fails(open_engine(config(served)), kind, message)


def test_a_server_that_is_too_slow(served: WebServer) -> None:
    def answer(_: Asked) -> Answer:
        time.sleep(1)
        return said("Late.")

    served.answer = answer
    engine = open_engine(config(served, model="tiny", timeout_s=0.2, retries=0))
    fails(engine, ServerUnavailable, r"no answer within 0\.2 s, asked once")


def test_no_server_at_all(served: WebServer) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    fails(open_engine(config(served, url=url, retries=0)), ServerUnavailable, r"cannot be reached .*Is it running\?")


def test_a_key_that_is_not_set_is_asked_for_by_name(served: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LUMENSCRIBE_SERVER_KEY")
    served.answer = lambda _: refusal(401)
    told = r"wants a key, and LUMENSCRIBE_SERVER_KEY is not set\. Put it there: export LUMENSCRIBE_SERVER_KEY=\.\.\."
    fails(open_engine(config(served)), ServerRefused, told)


@pytest.mark.parametrize("names", [(), ("one", "two")])
def test_which_model_must_be_clear(names: tuple[str, ...], served: WebServer) -> None:
    served.answer = lambda _: models(*names)
    fails(open_engine(config(served)), ServerRefused, rf"offers {len(names)} models.*--set model\.served_model=NAME")


def test_a_server_that_cannot_list_its_models_need_not(served: WebServer) -> None:
    served.answer = lambda asked: refusal(500) if asked.path == "/v1/models" else echo(json.loads(asked.body))
    fails(open_engine(config(served, retries=0)), ServerUnavailable, r"answers 500 .*--set model\.served_model=NAME")
    assert run(open_engine(config(served, model="tiny")), prompt("Hello."))[0].text == "Hello."


def test_the_record_names_the_served_model(served: WebServer) -> None:
    engine = open_engine(config(served))
    assert engine.model == "server"
    assert engine.load() == "tiny"
    assert engine.model == "server:tiny"
    named = open_engine(config(served, model="tiny"))
    assert (named.model, named.fingerprint) == (engine.model, engine.fingerprint)
    assert open_engine(config(served, model="other")).fingerprint != engine.fingerprint


def test_tokens_are_estimated_high_rather_than_low(served: WebServer) -> None:
    assert open_engine(config(served)).count_tokens(["", "abc", "abcd", "ä"]) == [0, 1, 2, 1]


def test_what_a_server_cannot_do(served: WebServer) -> None:
    engine = open_engine(config(served))
    with pytest.raises(UnsupportedByServer, match="does not say how likely"):
        engine.score([prompt()], ["Yes.", "No."])
    with pytest.raises(UnsupportedByServer, match=r"only what it answers\. Take a model that runs here"):
        engine.logprob([prompt()], "Yes.")
    with pytest.raises(UnsupportedByServer, match="whose first words differ"):
        engine.score([prompt()], ["CT chest", "CT head"], one_pass=True)
    with pytest.raises(AdapterMismatch, match="given to the server"):
        open_engine(config(served), Path("adapter"))
    one = ModelConfig.model_validate({**config(served).model_dump(), "max_images": 1})
    with pytest.raises(PromptError, match=r"2 images, but server reads 1"):
        run(open_engine(one), prompt("Compare.", picture(1), picture(2)))


def test_without_the_extra_the_install_line_is_given(served: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openai", None)
    with pytest.raises(UnsupportedByServer, match=r"pip install 'lumenscribe\[server\]'"):
        open_engine(config(served)).load()


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("localhost:8000", "is no address"),
        ("http://me:secret@host/v1", "key into the environment"),
        ("http://host/v1?key=secret", "key into the environment"),
    ],
)
def test_addresses(url: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        load_model_config("server", url=url)
    assert "secret" not in str(caught.value)


def test_address_and_model_may_be_set_from_outside() -> None:
    found = load_model_config("server", url="https://host:1/v1/", served_model="x").server
    assert found is not None
    assert (found.url, found.model) == ("https://host:1/v1", "x")
    with pytest.raises(
        ConfigError, match=r"pocket\.yaml: model\.url and model\.served_model are for a model of a server"
    ):
        load_model_config("pocket", url="http://host/v1")


def test_the_engine_is_an_engine(served: WebServer) -> None:
    assert isinstance(open_engine(config(served)), ServerEngine)
