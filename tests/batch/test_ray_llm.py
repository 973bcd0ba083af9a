"""Blocks through an LLM processor of Ray Data: rows out, answers in, and the one path before and after."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pytest

from batch.errors import RunStopped
from batch.types import Described, Failed
from batch.workers import ray_actor, ray_llm
from batch.workers.ray_cluster import Size, cluster
from batch.workers.ray_llm import RayLlmWorkers, vllm_processor
from batch.workers.ray_llm_actor import Finisher
from batch.workers.work import prepare_block
from rag.errors import RequestError
from rag.types import Prepared, Request
from tests.batch import ray_fakes
from tests.batch.test_ray import EXAMPLES, blocks_of, described_here, pytestmark, requests, told
from tests.vlm.model_server import bodies, said
from tests.web_server import Answer, Asked, web_server
from vlm.errors import ModelNotFound

__all__ = ["pytestmark"]


def workers(processor: Any, opener: object = ray_fakes.deadly_pipeline) -> RayLlmWorkers:
    settings = ray_fakes.plain_settings()
    return RayLlmWorkers(settings, EXAMPLES, processor, batch_size=2, actors=1, opener=opener)


def stand_in() -> Any:
    return lambda rows: rows.map(ray_fakes.answering, num_cpus=0.1)


def test_answers_of_a_processor_become_descriptions_as_an_engine_s_do(tmp_path: Path) -> None:
    names = ["plain"] * 30
    names[7] = names[8] = names[9] = names[20] = "missing"
    names[13] = "kills"
    blocks = blocks_of(requests(tmp_path, *names), 3)

    def answer(asked: Asked) -> Answer:
        messages = json.loads(asked.body)["messages"]
        if messages[-1]["content"] == ".":
            return said(".")
        return said(ray_fakes.bright(messages))

    with cluster(None, Size(actors=2)):
        results = list(workers(stand_in).describe(blocks))
        here = described_here([block for block in blocks if "13-kills" not in {r.id for r in block.requests}])
        by_worker = {id_: text for id_, text in told(results).items() if id_.split("-")[0] in ("12", "13", "14")}
        assert {id_: text for id_, text in told(results).items() if id_ not in by_worker} == here
        assert all(text.startswith(f"worker: {id_}: ") for id_, text in by_worker.items())
        assert sorted(result.number for result in results) == [block.number for block in blocks]
        record = next(o for result in results for o in result.outcomes if isinstance(o, Described)).record
        assert record["model"].startswith("sayer@")
        assert record["tokens"] == {"prompt": 9, "new": 5}

        with web_server(answer) as server:
            http = workers(lambda: ray_fakes.http_processor(f"{server.url}/v1"))
            few = blocks[:2]
            assert told(list(http.describe(few))) == described_here(few)
            body = bodies(server)[0]
            assert body["model"] == "tiny"
            assert body["max_tokens"] == 128
            assert all(None not in part.values() for part in body["messages"][-1]["content"] if isinstance(part, dict))

        with pytest.raises(ModelNotFound, match=r"^model tiny: no files"):
            list(workers(stand_in, ray_fakes.no_pipeline).describe(blocks))


def test_a_request_that_the_engine_refuses_fails_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray hands on such rows without what was answered, in a table with others or alone."""
    monkeypatch.chdir(tmp_path)
    (block,) = blocks_of(requests(tmp_path, "plain", "plain"), 2)
    given = ray_actor.Given(ray_fakes.plain_settings(), EXAMPLES, str(tmp_path), ray_fakes.deadly_pipeline)
    prepared = prepare_block(ray_fakes.deadly_pipeline(given.settings, EXAMPLES), block)
    packed = [pickle.dumps(Prepared((item,), (), {})) for item in prepared.parts[0].items]
    answer = {"text": "Fine.", "prompt_tokens": 9, "new_tokens": 5, "cut": False, "seconds": 0.001, "refused": ""}
    tables: list[dict[str, Any]] = [
        {"answered": [json.dumps(answer), None], "__inference_error__": ["", "ValueError: too long"]},
        {"__inference_error__": ["ValueError: too long"] * 2},
    ]
    for table, described in zip(tables, (1, 0), strict=True):
        said = Finisher(given)({"position": [0, 0], "place": [0, 1], "prepared": packed, **table})
        outcomes = [pickle.loads(result) for result in said["result"]]  # noqa: S301 - written above
        assert sum(isinstance(outcome, Described) for outcome in outcomes) == described
        assert outcomes[1] == Failed("1-plain", "prompt", "1-plain: the engine refuses it: ValueError: too long")


def test_an_engine_that_refuses_everything_ends_the_run() -> None:
    refused = Failed("a", "prompt", f"a: {ray_llm.REFUSED}ValueError: no such model")
    broken = Failed("b", "image", "b: no image")
    described = Described("c", {})
    many = ray_llm._REFUSED_AT_ONCE
    heard = ray_llm._Refusals()
    for outcome in [refused, broken] * (many - 1):
        heard.hear(outcome)
    with pytest.raises(
        RunStopped, match=rf"^the engine answers none of its first {many} .*: ValueError: no such model"
    ):
        heard.hear(refused)
    heard = ray_llm._Refusals()
    for outcome in [described, *[refused] * 3 * many]:
        heard.hear(outcome)


def test_labels_are_refused() -> None:
    asked = Request("a", ("a.png",), "classify", "Which?", labels=("yes", "no"))
    with pytest.raises(RequestError, match="does not score labels"):
        RayLlmWorkers(ray_fakes.plain_settings(), [asked], stand_in)


def test_a_processor_that_is_not_installed_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise ImportError(f"No module named {name!r}")

    monkeypatch.setattr(ray_llm.importlib, "import_module", absent)
    with pytest.raises(RunStopped, match=r"^--server vllm needs: pip install 'lumenscribe\[ray\]' 'ray\[llm\]'"):
        vllm_processor("tiny", 2, 1)
