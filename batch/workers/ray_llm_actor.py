"""Workers around Ray's own LLM processor: one prepares prompts as rows, one takes the answers back into the one path.

A row is one request: `position` of its block, its `place` in it, `prepared` (pickled), and `asked`, what is put to the
model as JSON (see `Asked`). Whoever generates adds `answered` (see `Answered`).
"""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypedDict, cast

from batch.types import Block, Described, Failed
from batch.workers.ray_actor import ENDS_THE_RUN, WHOLE, Given, stopped
from batch.workers.ray_desk import wait
from batch.workers.ray_llm import REFUSED
from batch.workers.work import PreparedBlock, finish_block, prepare_block
from rag.pipeline import Pipeline
from rag.types import Prepared, PreparedRequest
from vlm.errors import one_line
from vlm.server_messages import chat
from vlm.types import Engine, Generation, GenerationParams, Prompt

IMAGE_SIDE = 1536
"""Longest side in pixels of the images in rows; larger ones are made smaller."""
_DIED = (
    "the worker that prepared its block died each time; perhaps an image of the block is to blame, or memory ran out"
)


class Asked(TypedDict):
    """Chat messages as the OpenAI API has them, how to decode, and the schema of the answer, if any."""

    messages: list[dict[str, Any]]
    params: dict[str, Any]
    schema: str | None


class Answered(TypedDict):
    """What a model said; with `refused`, why it said nothing."""

    text: str
    prompt_tokens: int | None
    new_tokens: int | None
    cut: bool
    seconds: float
    refused: str


ERROR = "__inference_error__"
"""Ray's column of what an engine raised for a row, which then has no `answered`: nothing of ours is called for it."""

NOTHING: Asked = {"messages": [{"role": "user", "content": "."}], "params": {"max_tokens": 1}, "schema": None}
"""Asked in place of a request that cannot be put to the model, so that each request is a row."""


class HeldEngine:
    """Stands in for the engine of a pipeline: loads no model, and says what another generated.

    What describes the engine (its name, its tokenizer, how many images it reads) is the engine's own.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.held: Generation | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def load(self) -> None:
        """Nothing: the model is elsewhere."""

    def generate(self, prompts: Sequence[Prompt], _: GenerationParams) -> Iterator[tuple[int, Generation]]:
        """The generation that is held, for the one prompt."""
        if self.held is None or len(prompts) != 1:
            raise ValueError(f"one generation is held for one prompt, not for {len(prompts)}")
        yield 0, self.held


class Preparer:
    """Called with a row of `DeskSource`; answers with a row for each request of its block."""

    def __init__(self, given: Given, desk: Any) -> None:
        self._desk = desk
        self._pipeline, _ = _held_pipeline(given)

    def __call__(self, rows: dict[str, Any]) -> dict[str, list[Any]]:
        position, packed = int(rows["position"][0]), bytes(rows["block"][0])
        made = list(self._rows(position, packed))
        return {
            "position": [position] * len(made),
            "place": list(range(len(made))),
            "prepared": [pickle.dumps(prepared) for prepared, _ in made],
            "asked": [json.dumps(asked) for _, asked in made],
        }

    def _rows(self, position: int, packed: bytes) -> Iterator[tuple[Prepared | Failed | Exception, Asked]]:
        if isinstance(self._pipeline, Exception):
            yield self._pipeline, NOTHING
            return
        begun = wait(self._desk.begin.remote(position))
        if not begun:
            return
        block: Block = pickle.loads(packed)  # noqa: S301 - the driver wrote it
        if begun > WHOLE:
            yield from ((Failed(r.id, "worker", f"{r.id}: {_DIED}"), NOTHING) for r in block.requests)
            return
        try:
            prepared = prepare_block(self._pipeline, block)
            params = _params(self._pipeline.speaker.params)
            rows = [(failed, NOTHING) for failed in prepared.failed] + [
                (Prepared((item,), (), part.timings_s), _asked(item, params))
                for part in prepared.parts
                for item in part.items
            ]
        except ENDS_THE_RUN as error:
            yield error, NOTHING
        except Exception as error:  # noqa: BLE001 - it is raised in the driver
            yield stopped(error), NOTHING
        else:
            yield from rows


class Finisher:
    """Called with rows that were answered; gives `position`, `place` and `result`, a pickled outcome."""

    def __init__(self, given: Given) -> None:
        self._pipeline, self._engine = _held_pipeline(given)

    def __call__(self, rows: dict[str, Any]) -> dict[str, list[Any]]:
        results = [
            pickle.dumps(self._outcome(bytes(packed), said))
            for packed, said in zip(rows["prepared"], _answers(rows), strict=True)
        ]
        return {"position": list(rows["position"]), "place": list(rows["place"]), "result": results}

    def _outcome(self, packed: bytes, said: Answered) -> Described | Failed | Exception:
        prepared: Prepared | Failed | Exception = pickle.loads(packed)  # noqa: S301 - a Preparer wrote it
        if not isinstance(prepared, Prepared):
            return prepared
        if isinstance(self._pipeline, Exception):
            return self._pipeline
        id_ = prepared.items[0].request.id
        if said["refused"]:
            return Failed(id_, "prompt", f"{id_}: {said['refused']}")
        self._engine.held = Generation(
            said["text"].strip(),
            said["prompt_tokens"],
            said["new_tokens"],
            "length" if said["cut"] else "end",
            said["seconds"],
            None,
        )
        try:
            (outcome,) = finish_block(self._pipeline, PreparedBlock(0, (prepared,), (), 0.0)).outcomes
        except ENDS_THE_RUN as error:
            return error
        except Exception as error:  # noqa: BLE001 - it is raised in the driver
            return stopped(error)
        return outcome


def _answers(rows: dict[str, Any]) -> Iterator[Answered]:
    """What was said to each row, or the error in place of it."""
    nothing = [None] * len(rows["prepared"])
    for answered, error in zip(rows.get("answered", nothing), rows.get(ERROR, nothing), strict=True):
        if error:
            why = f"{REFUSED}{one_line(str(error))}"
            yield {
                "text": "", "prompt_tokens": None, "new_tokens": None, "cut": False, "seconds": 0.0, "refused": why,
            }  # fmt: skip
        else:
            said: Answered = json.loads(answered)
            yield said


def _held_pipeline(given: Given) -> tuple[Pipeline | Exception, HeldEngine]:
    """The pipeline with its engine's place taken, or why there is none."""
    if Path(given.folder).is_dir():
        os.chdir(given.folder)
    try:
        made = given.opener(given.settings, given.examples)
    except ENDS_THE_RUN as error:
        return error, HeldEngine(cast(Engine, None))
    except Exception as error:  # noqa: BLE001 - it is raised in the driver
        return stopped(error), HeldEngine(cast(Engine, None))
    engine = HeldEngine(made.speaker.engine)
    speaker = replace(made.speaker, engine=cast(Engine, engine))
    return type(made)(made.settings, speaker, made.templates, made.retriever, made.checking), engine


def _asked(item: PreparedRequest, params: dict[str, Any]) -> Asked:
    prompt = item.prompt.prompt
    return {"messages": chat(prompt, IMAGE_SIDE), "params": params, "schema": prompt.schema}


def _params(params: GenerationParams) -> dict[str, Any]:
    """As vLLM and its server take them."""
    sampled = {"top_p": params.top_p} if params.temperature > 0 else {}
    punished = {"repetition_penalty": params.repetition_penalty} if params.repetition_penalty != 1.0 else {}
    return {
        "max_tokens": params.max_new_tokens,
        "temperature": params.temperature,
        "seed": params.seed,
        **sampled,
        **punished,
    }
