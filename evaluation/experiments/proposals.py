"""Other wordings of a prompt, proposed by a text model: it is given the template's lines and rewrites each.

Only what is words is shown and changed. A line must come back with the variables it had; a proposal that lost one is
dropped, and why is kept.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from time import perf_counter
from typing import Annotated

from pydantic import Field

import configs
from evaluation.experiments.candidates import Candidate, reworded
from evaluation.experiments.costs import total
from rag.config import ModelSettings
from rag.opening import model_config
from rag.prompts import PromptTemplate
from vlm import open_engine
from vlm.types import Generation, GenerationParams, Message, Prompt

TAG = re.compile(r"\{\{\{?[#^/&]?\s*\w+\s*\}?\}\}")
WORDS = re.compile(r"[^\W\d_]{2,}")
LONGEST = 400
"""Characters that a rewritten line may have."""

ROLE = (
    "You improve instructions for a vision-language model that describes biomedical images. You change the wording, "
    "never the task."
)
TASK = (
    "Rewrite each numbered line so that the model describes images more accurately. {wish}Keep every "
    "{{{{{{name}}}}}} in its line exactly as it is. Answer with JSON: the number of each line and its new text.\n\n"
    "{lines}"
)


class ProposalsConfig(configs.StrictModel):
    """A model of configs/models that is asked for other wordings, so many times, each with another seed."""

    model: ModelSettings
    count: Annotated[int, Field(ge=1, le=64)] = 8
    temperature: Annotated[float, Field(gt=0)] = 0.9
    max_new_tokens: Annotated[int, Field(ge=16)] = 512
    wish: str = ""
    """What else it is told, in a sentence."""


@dataclass(frozen=True)
class Proposed:
    """What a model proposed, why other answers were dropped, and what asking it cost; tokens are None where a server
    does not say."""

    candidates: tuple[Candidate, ...]
    dropped: tuple[str, ...]
    prompt_tokens: int | None
    new_tokens: int | None
    seconds: float


def propose(start: PromptTemplate, asked: ProposalsConfig) -> Proposed:
    """Asks the model for wordings of the start's lines. Raises VlmError and ConfigError."""
    lines = pieces(start)
    prompt = _prompt(lines, asked.wish)
    engine = open_engine(model_config(asked.model), asked.model.adapter)
    began = perf_counter()
    answers: list[Generation] = []
    for seed in range(asked.count):
        params = GenerationParams(asked.max_new_tokens, asked.temperature, seed=seed)
        answers += [generation for _, generation in engine.generate([prompt], params)]
    seconds = perf_counter() - began
    engine.unload()
    made, dropped = [], []
    for number, answer in enumerate(answers, start=1):
        name = f"proposal-{number:02}"
        try:
            swaps = list(zip(lines, read_lines(answer.text, lines), strict=True))
        except ValueError as error:
            dropped.append(f"{name}: {error}")
            continue
        origin = f"proposed by {engine.model}, seed {number - 1}"
        made.append(Candidate(name, reworded(start, swaps, origin), origin))
    return Proposed(
        tuple(made), tuple(dropped), total(a.prompt_tokens for a in answers), total(a.new_tokens for a in answers),
        seconds,
    )  # fmt: skip


def pieces(template: PromptTemplate) -> list[str]:
    """The lines of a template that hold words, each once."""
    lines = [line.strip() for message in template.config.messages for line in message.text.split("\n")]
    return list(dict.fromkeys(line for line in lines if WORDS.search(TAG.sub("", line))))


def read_lines(answer: str, lines: list[str]) -> list[str]:
    """The new texts in an answer, in the order of the lines. Raises ValueError for an answer that cannot be used."""
    try:
        said = json.loads(answer)
    except ValueError:
        raise ValueError(f"the answer is no JSON: {answer[:60]!r}") from None
    found = []
    for number, line in enumerate(lines, start=1):
        text = said.get(str(number)) if isinstance(said, dict) else None
        if not isinstance(text, str) or not WORDS.search(TAG.sub("", text)):
            raise ValueError(f"line {number} was not rewritten")
        text = " ".join(text.split())
        if sorted(TAG.findall(text)) != sorted(TAG.findall(line)) or "{{" in TAG.sub("", text):
            raise ValueError(f"line {number} has other variables: {text[:80]!r}")
        if len(text) > LONGEST:
            raise ValueError(f"line {number} has {len(text)} characters, more than {LONGEST}")
        found.append(text)
    return found


def _prompt(lines: list[str], wish: str) -> Prompt:
    numbered = "\n".join(f"{number}. {line}" for number, line in enumerate(lines, start=1))
    numbers = [str(number) for number in range(1, len(lines) + 1)]
    schema = {
        "type": "object",
        "properties": {number: {"type": "string"} for number in numbers},
        "required": numbers,
        "additionalProperties": False,
    }
    asked = TASK.format(wish=f"{wish.strip()} " if wish else "", lines=numbered)
    messages = (Message("system", (ROLE,)), Message("user", (asked,)))
    return Prompt(messages, "proposals", "", json.dumps(schema))
