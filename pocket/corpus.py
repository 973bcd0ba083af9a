"""Training samples: a prompt with what may be known, and the answer it should bring.

Chooses evidence (none, fitting, misleading) for a view of an image or a caption alone.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from pocket.dialogue import write
from pocket.facts import CANNOT_SAY, Facts, Kind, caption
from pocket.features import View
from pocket.language import Figure
from pocket.phrasing import index_caption, questions

NO_EVIDENCE, MISLED, STRAY = 0.36, 0.07, 0.15
"""Shares of prompts without evidence and with evidence of other kinds only; of stray captions among fitting ones."""
PASSAGES, PEOPLES_QUESTION, QUESTION = 0.22, 0.25, 0.4


_TECHNIQUE = r"modality|plane|scan is|sequence|part of the body|organ system"


@dataclass(frozen=True)
class Sample:
    """A prompt and its answer; `view` is the position of the image's features, None for text alone."""

    prompt: str
    answer: str
    view: int | None = None


@dataclass
class Library:
    """Where evidence is drawn from: views' facts by kind, radiology captions by kind, passages."""

    views: Sequence[View]
    figures: Sequence[Figure]
    passages: Sequence[tuple[str, str]]
    by_kind: dict[Kind, list[View]] = field(default_factory=dict)
    by_figure: dict[tuple[Kind, str | None], list[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        seen = set()
        for view in self.views:
            if view.group not in seen:
                seen.add(view.group)
                self.by_kind.setdefault(view.facts.kind, []).append(view)
        for figure in self.figures:
            if figure.facts is not None and len(figure.text) < 300:
                key = (figure.facts.kind, figure.facts.organ)
                self.by_figure.setdefault(key, []).append(figure.text)

    def like(self, facts: Facts, group: str, rng: random.Random) -> str:
        """A caption of another image of the same kind, mostly of the same body part."""
        pool = self.by_figure.get((facts.kind, facts.organ))
        if facts.kind in ("ct", "mr", "xray") and facts.organ is None:
            pool = self.by_figure[rng.choice([key for key in self.by_figure if key[0] == facts.kind])]
        if pool and rng.random() < 0.6:
            return rng.choice(pool)
        for _ in range(20):
            other = rng.choice(self.by_kind[facts.kind])
            if other.group != group and (facts.organ is None or other.facts.organ == facts.organ):
                return index_caption(other.facts, rng)
        return index_caption(facts, rng)

    def unlike(self, facts: Facts, rng: random.Random, kind: Kind | None = None) -> str:
        """A caption of an image of another kind: of the kind named, or of any."""
        kind = kind or self._other(facts, rng)
        if kind in ("ct", "mr", "xray") and rng.random() < 0.5:
            return rng.choice(self.by_figure[rng.choice([key for key in self.by_figure if key[0] == kind])])
        return index_caption(rng.choice(self.by_kind[kind]).facts, rng)

    def _other(self, facts: Facts, rng: random.Random) -> Kind:
        return rng.choice([kind for kind in self.by_kind if kind not in (facts.kind, "unknown")])

    def evidence(self, facts: Facts, group: str, rng: random.Random) -> tuple[list[str], Facts]:
        """Up to four captions (none, fitting ones with a stray now and then, or misleading ones), and what they settle.

        A radiology view too small to show its body part takes the part that two or more fitting captions agree on.
        """
        draw = rng.random()
        if draw < NO_EVIDENCE:
            return [], facts
        count = rng.choice((1, 2, 3, 3, 3, 3, 4))
        if draw < NO_EVIDENCE + MISLED or facts.kind == "unknown":
            # What is nearest to an image of no known kind may be of one kind or of several.
            same = self._other(facts, rng) if rng.random() < 0.5 else None
            return [self.unlike(facts, rng, same) for _ in range(count)], facts
        if facts.kind in ("ct", "mr", "xray") and facts.organ is None and count > 1 and rng.random() < 0.6:
            organs = [organ for kind, organ in self.by_figure if kind == facts.kind and organ]
            facts = replace(facts, organ=rng.choice(organs))
            return [rng.choice(self.by_figure[facts.kind, facts.organ]) for _ in range(count)], facts
        stray = [rng.random() < STRAY for _ in range(count)]
        return [self.unlike(facts, rng) if s else self.like(facts, group, rng) for s in stray], facts

    def background(self, rng: random.Random) -> list[tuple[str, str]]:
        """None mostly; else one or two passages, cut short."""
        if rng.random() > PASSAGES:
            return []
        chosen = [rng.choice(self.passages) for _ in range(rng.choice((1, 1, 2, 3)))]
        return [(title, " ".join(text.split()[: rng.randint(15, 45)])) for title, text in chosen]


def image_samples(views: Sequence[View], library: Library, rng: random.Random) -> Iterator[Sample]:
    """One sample for each view, in order: a caption or an answer, with or without evidence."""
    for position, view in enumerate(views):
        examples, facts = library.evidence(view.facts, view.group, rng)
        question, answer = "", caption(facts)
        if view.qa and view.facts.organ and rng.random() < PEOPLES_QUESTION:
            question, answer = _peoples(rng.choice(view.qa))
        elif rng.random() < QUESTION:
            question, answer = rng.choice(questions(facts, rng))
        passages = library.background(rng) if examples else []
        yield Sample(write(examples, passages, question, rng), answer, position)


def _peoples(asked: tuple[str, str, str]) -> tuple[str, str]:
    """A person's question and the answer to learn: theirs if closed or of technique, else that it cannot be told."""
    question, answer, answer_type = asked
    if answer_type == "CLOSED" or re.search(
        r"modality|plane|scan is|sequence|part of the body|organ system", question.lower()
    ):
        return question, answer[:1].upper() + answer[1:].rstrip(".") + "."
    return question, CANNOT_SAY


def text_samples(
    figures: Sequence[Figure],
    nearest: Sequence[Sequence[int]],
    library: Library,
    rng: random.Random,
    free: float = 0.5,
) -> Iterator[Sample]:
    """Captions without images: its kind and body part told from captions, or, in a share of `free`, its own words."""
    for figure, near in zip(figures, nearest, strict=True):
        if figure.facts is not None and rng.random() >= free:
            told = [figure.text[:260]] + [library.like(figure.facts, "", rng)[:260] for _ in range(2)]
            rng.shuffle(told)
            yield Sample(write(told, [], "", rng, image=False), caption(figure.facts))
        else:
            examples = [figures[i].text[:260] for i in near[: rng.choice((0, 2, 3))]]
            yield Sample(write(examples, [], "", rng, image=False), figure.text)
