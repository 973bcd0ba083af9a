"""What a server holds an answer to: a JSON Schema, and labels judged by the first token's probability."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from tests.vlm.conftest import prompt
from tests.vlm.model_server import bodies, config, fails, models, refusal, run, said
from tests.web_server import Answer, Asked, WebServer
from vlm import LabelScores, Prompt, PromptError, UnsupportedByServer, open_engine


def told(served: WebServer, **chances: float) -> None:
    """The server tells these chances of first tokens, an underscore standing for a blank."""
    top = [{"token": token.replace("_", " "), "logprob": math.log(p), "bytes": None} for token, p in chances.items()]
    choice = {
        "index": 0, "message": {"role": "assistant", "content": top[0]["token"]}, "finish_reason": "length",
        "logprobs": {"content": [{**top[0], "top_logprobs": top}]},
    }  # fmt: skip
    served.answer = lambda asked: models("tiny") if asked.path == "/v1/models" else said("", choices=[choice])


def scores(served: WebServer, *labels: str) -> LabelScores:
    ((position, found),) = open_engine(config(served)).score([prompt()], labels, one_pass=True)
    assert position == 0
    return found


def test_a_schema_is_sent_with_the_prompt_that_has_one(served: WebServer) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    bare = prompt("Read.")
    run(open_engine(config(served)), bare, Prompt(bare.messages, "test", "0", json.dumps(schema)))
    sent: list[Any] = [body.get("response_format") for body in bodies(served)]
    expected = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
    assert sorted(sent, key=str) == sorted([None, expected], key=str)


def test_labels_are_judged_by_the_first_token(served: WebServer) -> None:
    told(served, Yes=0.5, _yes=0.1, N=0.2, The=0.15, y=0.01)
    found = scores(served, "yes", "no")
    assert found.probabilities == pytest.approx((0.61 / 0.81, 0.2 / 0.81))
    assert found.mass == pytest.approx(0.81)
    (body,) = bodies(served)
    assert (body["max_tokens"], body["logprobs"], body["top_logprobs"]) == (1, True, 20)


def test_labels_are_normalised_by_the_configuration_s_temperature(served: WebServer) -> None:
    told(served, yes=0.8, no=0.1)
    cooler = config(served).model_copy(update={"label_temperature": 3.0})
    ((_, found),) = open_engine(cooler).score([prompt()], ("yes", "no"), one_pass=True)
    assert found.probabilities == pytest.approx((2 / 3, 1 / 3))
    assert found.mass == pytest.approx(0.9)


def test_a_token_that_two_labels_begin_with_counts_for_neither(served: WebServer) -> None:
    told(served, C=0.5, CT=0.2, CO=0.1)
    assert scores(served, "CT", "COPD").probabilities == pytest.approx((2 / 3, 1 / 3))


def test_labels_that_no_answer_begins_with(served: WebServer) -> None:
    told(served, The=0.9)
    with pytest.raises(UnsupportedByServer, match="none of yes, no is among the 20 likeliest"):
        scores(served, "yes", "no")
    with pytest.raises(PromptError, match="1 labels"):
        scores(served, "yes")


def test_a_server_that_tells_no_probabilities(served: WebServer) -> None:
    with pytest.raises(UnsupportedByServer, match="names no probabilities of tokens"):
        scores(served, "yes", "no")


def test_faults_while_scoring_are_those_of_any_answer(served: WebServer) -> None:
    def answer(asked: Asked) -> Answer:
        return models("tiny") if asked.path == "/v1/models" else refusal(400, "logprobs are off")

    served.answer = answer
    with pytest.raises(PromptError, match="logprobs are off"):
        scores(served, "yes", "no")
    fails(open_engine(config(served)), PromptError, "logprobs are off")
