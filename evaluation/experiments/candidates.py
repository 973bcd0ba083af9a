"""The prompts that a search tries: the starting template, and others made of it by choices or by a text model."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Annotated

from pydantic import Field

import configs
from evaluation.errors import ExperimentError
from rag.prompts import PromptTemplate, TemplateConfig, TemplateMessage

START = "start"


class ChoiceConfig(configs.StrictModel):
    """A slot: the words of the starting template that are in it, and what else may stand there."""

    of: Annotated[str, Field(min_length=1)]
    """As the template has them, once and in one line."""
    alternatives: Annotated[tuple[str, ...], Field(min_length=1)] = Field(alias="or")


@dataclass(frozen=True)
class Candidate:
    """A template that is tried; `origin` says what makes it another one than the start."""

    name: str
    template: PromptTemplate
    origin: str


def chosen(start: PromptTemplate, choices: Mapping[str, ChoiceConfig], most: int, seed: int) -> list[Candidate]:
    """At most so many combinations of alternatives, none of them the start itself; drawn where there are more.

    Raises ExperimentError where a slot's words are not in the template once.
    """
    for name, slot in choices.items():
        found = sum(line.count(slot.of) for message in start.config.messages for line in message.text.split("\n"))
        if found != 1:
            raise ExperimentError(
                f"choices.{name}.of: {slot.of!r} is {found} times in prompt {start.name}; it must be there once"
            )
    options = [[slot.of, *slot.alternatives] for slot in choices.values()]
    count = prod(map(len, options)) if options else 1
    others = range(1, count)  # 0 is the start
    places = sorted(random.Random(seed).sample(others, min(most, len(others))))
    combinations = list(product(*(range(len(several)) for several in options)))
    made = []
    for number, place in enumerate(places, start=1):
        picked = dict(zip(choices, combinations[place], strict=True))
        origin = ", ".join(f"{name} {level}" for name, level in picked.items() if level)
        swaps = [(choices[name].of, choices[name].alternatives[level - 1]) for name, level in picked.items() if level]
        made.append(Candidate(f"choice-{number:02}", reworded(start, swaps, f"choices: {origin}"), origin))
    return made


def reworded(start: PromptTemplate, swaps: Sequence[tuple[str, str]], how: str) -> PromptTemplate:
    """The start with words put in the place of others; lines and messages that are left empty are left out."""
    new = dict(swaps)
    old = re.compile("|".join(re.escape(words) for words in sorted(new, key=len, reverse=True)))
    messages = []
    for message in start.config.messages:
        lines = [(line, old.sub(lambda found: new[found[0]], line)) for line in message.text.split("\n")]
        text = "\n".join(now for was, now in lines if now.strip() or not was.strip())
        if text.strip():
            messages.append(TemplateMessage(role=message.role, text=text))
    note = f"{start.config.note.rstrip('.')}; {how}."
    return PromptTemplate(
        start.name, TemplateConfig(note=note, task=start.config.task, parent=start.version, messages=messages)
    )


def different(start: PromptTemplate, found: Sequence[Candidate]) -> Iterator[Candidate]:
    """The start as a candidate, and each other text once."""
    yield Candidate(START, start, "as it is")
    seen = {start.hash}
    for candidate in found:
        if candidate.template.hash not in seen:
            seen.add(candidate.template.hash)
            yield candidate
