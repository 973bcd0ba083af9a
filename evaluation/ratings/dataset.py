"""Ratings and edits as data to tune on, a JSON object a line, in the form that TRL reads for images.

Fine-tuning: `images`, `prompt`, `completion`, so that the completion alone is trained on; preferences: `images`,
`prompt`, `chosen`, `rejected`. All but `images` are lists of messages. Beside them `id` and `origin`: which item and
image, what decided, by how many raters.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from statistics import mean
from typing import Any

from evaluation.errors import RatingsError
from evaluation.ratings.store import Ratings, not_over, read_ratings
from evaluation.ratings.types import QUESTIONS, Answer, Item
from rag.prompts import PromptInputs, PromptTemplate

TEMPLATES = {False: "zero_shot", True: "question"}
"""The prompt of a caption and of an answer to a question, without evidence."""

Message = Mapping[str, Any]
Templates = Mapping[bool, PromptTemplate]
"""By whether a question was asked."""


@dataclass(frozen=True)
class Rules:
    """What becomes an example.

    A text that nobody edited is good enough from a mean of `least` on (1 to 5) in accuracy, completeness and
    usefulness; of two rated texts of an image one is better from a difference of `margin` in the mean of all three.
    `prompt` is a template of configs/prompts; None for the ones without evidence.
    """

    least: float = 4.0
    margin: float = 1.0
    prompt: str | None = None


def fine_tuning(ratings: Ratings, rules: Rules) -> Iterator[dict[str, Any]]:
    """A line for each edited text and, of items that nobody edited, each text that is good enough.

    Raises RatingsError for pairs: which of two is better does not say that it is good.
    """
    if ratings.task.kind == "pairwise":
        raise RatingsError(f"{ratings.file} has pairs, which make --kind preference only")
    templates = _templates(rules)
    for item, answers in _answers(ratings):
        prompt = _prompt(item, templates)
        edits = Counter(answer.edited for answer in answers if answer.edited)
        for number, (text, raters) in enumerate(edits.items(), start=1):
            name = item.id if len(edits) == 1 else f"{item.id}-{number}"
            yield _line(item, prompt, {"completion": _said(text)}, "edit", raters, name)
        scores = [mean(answer.scores[question] for answer in answers) for question in QUESTIONS]
        if not edits and min(scores) >= rules.least:
            yield _line(item, prompt, {"completion": _said(item.texts[0].text)}, "rating", len(answers), item.id)


def preferences(ratings: Ratings, rules: Rules) -> Iterator[dict[str, Any]]:
    """A line for each pair of texts of an image of which one was judged better.

    Of a pair, what more raters preferred; ties do not count, and as many on both sides decide nothing. Of single
    ratings, an edited text before what it was, and texts of an image whose mean scores are apart by the margin.
    """
    templates = _templates(rules)
    if ratings.task.kind == "pairwise":
        for item, answers in _answers(ratings):
            votes = Counter(answer.preferred for answer in answers)
            lead = votes["first"] - votes["second"]
            if lead:
                chosen, rejected = item.texts if lead > 0 else item.texts[::-1]
                yield _pair(item, templates, chosen.text, rejected.text, "preference", sum(votes.values()), item.id)
        return
    of_image: dict[str, list[tuple[Item, Sequence[Answer]]]] = defaultdict(list)
    for item, answers in _answers(ratings):
        of_image[item.image_id].append((item, answers))
        edits = Counter(answer.edited for answer in answers if answer.edited)
        for number, (text, raters) in enumerate(edits.items(), start=1):
            name = f"{item.id}-edit" if len(edits) == 1 else f"{item.id}-edit-{number}"
            yield _pair(item, templates, text, item.texts[0].text, "edit", raters, name)
    for same in of_image.values():
        for one, other in combinations(same, 2):
            (worse, low), (better, high) = sorted((one, other), key=lambda each: _mean(each[1]))
            if worse.texts[0].text != better.texts[0].text and _mean(high) - _mean(low) >= rules.margin:
                texts = (better.texts[0].text, worse.texts[0].text)
                yield _pair(better, templates, *texts, "rating", len(high) + len(low), f"{better.id}-{worse.id}")


KINDS = {"sft": fine_tuning, "preference": preferences}


def write(file: Path, out: Path, kind: str, rules: Rules) -> int:
    """Writes the lines of a kind; how many there are. Raises RatingsError as the kinds do."""
    lines = [json.dumps(each, ensure_ascii=False) for each in KINDS[kind](read_ratings(file), rules)]
    not_over(file, out)
    out.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return len(lines)


def _answers(ratings: Ratings) -> Iterator[tuple[Item, list[Answer]]]:
    """Items that were judged, with the answers that count."""
    for item, given in ratings.judged_items:
        yield item, [rating.answer for rating in given]


def _templates(rules: Rules) -> Templates:
    return {asked: PromptTemplate.load(rules.prompt or name) for asked, name in TEMPLATES.items()}


def _mean(answers: Sequence[Answer]) -> float:
    return mean(score for answer in answers for score in answer.scores.values())


def _pair(
    item: Item, templates: Templates, chosen: str, rejected: str, by: str, raters: int, name: str
) -> dict[str, Any]:
    texts = {"chosen": _said(chosen), "rejected": _said(rejected)}
    return _line(item, _prompt(item, templates), texts, by, raters, name)


def _line(
    item: Item, prompt: list[Message], texts: Mapping[str, list[Message]], by: str, raters: int, name: str
) -> dict[str, Any]:
    origin = {"item": item.id, "image_id": item.image_id, "by": by, "raters": raters}
    # No `image` beside `images`: TRL's collators would take it, a path, in their place.
    return {"id": name, "images": [item.image], "prompt": prompt, **texts, "origin": origin}


def _said(text: str) -> list[Message]:
    return [{"role": "assistant", "content": [{"type": "text", "text": text}]}]


def _prompt(item: Item, templates: Templates) -> list[Message]:
    """The template's messages; where the image stands, `{"type": "image"}`."""
    template = templates[bool(item.question)]
    rendered, _ = template.render(PromptInputs(images=(), question=item.question))
    messages: list[Message] = []
    for message in rendered.messages:
        parts = [{"type": "text", "text": part} for part in message.parts if isinstance(part, str)]
        image = [{"type": "image"}] if message.role == "user" and not any(m["role"] == "user" for m in messages) else []
        messages.append({"role": message.role, "content": [*image, *parts]})
    return messages
