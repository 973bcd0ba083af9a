"""Training samples: a prompt with what may be known, and the answer it should bring.

Chooses evidence (none, fitting, misleading) for a view of an image or a caption alone, and the facts that image and
evidence settle together.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from pocket.dialogue import opening
from pocket.evidence import OTHER_REGIONS, RADIOLOGY, Told, agreed, read, templated, vote
from pocket.facts import CANNOT_SAY, Facts, Kind, caption
from pocket.features import View
from pocket.language import Figure
from pocket.phrasing import (
    WHITE_CELL_MODIFIERS,
    WHITE_CELL_NAMES,
    cell_caption,
    cell_question,
    index_caption,
    questions,
)
from pocket.question_prior import yes_shares

NO_EVIDENCE, MISLED, STRAY = 0.4, 0.06, 0.12
"""Shares of prompts without evidence and with evidence of other kinds only; of stray captions among fitting ones."""
BORROWED, ELSEWHERE = 0.5, 0.2
"""Of people's questions of findings: how often one of another image of the same body part is asked; and how often one
about another body part, whose findings are not there."""
OWN, ABSENT = 0.25, 0.9
"""How much the image's own answer is wanted beside what the words of the question make likely (`question_prior`), and a
"no" of what is looked for in another body part: what 200 images teach of disease is not to be said with certainty."""
NAMED_CELLS = 0.4
"""How often a smear's evidence names white cells, whether the smear has one or not: else the evidence would tell."""
PASSAGES, CELL_QUESTION = 0.1, 0.5
PEOPLES_QUESTIONS, QUESTIONS, QUESTIONS_OF_TEXT = 3, 4, 4
"""How many questions are asked of one image beside its caption, and of captions without an image."""
TOLD_OTHERWISE, OFF, LABELLED = 0.45, 0.22, 0.45
"""How often radiology evidence tells of another body part and plane than the image's own, as it must for the many
that no training image shows; how often one caption strays from what the others tell; and how often captions state
modality, plane and body part by name, as an index of labelled images has them."""
_SHOWN_WORDS = (8, 32)
"""Words of a caption that are shown: prompts cut long ones."""
_AGREEMENT = ((0.75, 0.18, 0.07), (0.55, 0.35, 0.1), (0.4, 0.4, 0.2))
"""How often each of three names stands in captions that name white cells: agreed, contested, at odds."""
_COUNTS = (1, 2, 3, 3, 4, 5, 5, 5, 5, 6)


@dataclass(frozen=True)
class Turn:
    """What is asked, up to where the answer starts; the answer; how much a yes or no's opposite is wanted, 0 to 1."""

    asked: str
    answer: str
    doubt: float = 0.0


@dataclass(frozen=True)
class Question:
    """A person's question of an image and its answer; `yes` is how likely a yes is by the words of the question, None
    where the image itself settles the answer or where it is neither yes nor no."""

    text: str
    answer: str
    yes: float | None = None

    def turn(self, own: float) -> Turn:
        """Asked with the answer wanted by `own`, for the rest as its words make it likely."""
        if self.yes is None:
            return Turn(self.text, self.answer)
        other = 1 - self.yes if self.answer == "Yes." else self.yes
        return Turn(self.text, self.answer, (1 - own) * other)


@dataclass(frozen=True)
class Sample:
    """The opening of a prompt and what is asked behind it, each turn as if it were the only one.

    `view` is the position of the image's features, None for text alone.
    """

    opening: str
    turns: tuple[Turn, ...]
    view: int | None = None

    @property
    def text(self) -> str:
        """All of it, for a tokenizer to learn from."""
        return self.opening + "".join(turn.asked + turn.answer for turn in self.turns)


@dataclass(frozen=True)
class Setting:
    """What a prompt shows beside the image, and the facts that both settle."""

    examples: list[str]
    facts: Facts


@dataclass
class Library:
    """Where evidence is drawn from: views' facts by kind, radiology captions by kind and part, passages.

    What type a drawn white cell is of is taken from the views: only evidence may name it.
    """

    views: Sequence[View]
    figures: Sequence[Figure]
    passages: Sequence[tuple[str, str]]
    nearest: Sequence[Sequence[int]] = ()
    by_kind: dict[Kind, list[View]] = field(default_factory=dict)
    by_figure: dict[tuple[Kind, str | None], list[int]] = field(default_factory=dict)
    of_group: dict[str, list[Question]] = field(default_factory=dict)
    of_organ: dict[str, list[Question]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.views = [replace(view, facts=_tellable(view.facts)) for view in self.views]
        first: dict[str, View] = {}
        organs: dict[str, str] = {}
        for view in self.views:
            first.setdefault(view.group, view)
            if view.facts.organ:
                organs[view.group] = view.facts.organ
        for view in first.values():
            self.by_kind.setdefault(view.facts.kind, []).append(view)
        self.of_group = _peoples_questions({group: view.qa for group, view in first.items()})
        for group, asked in self.of_group.items():
            if group in organs:
                found = [question for question in asked if not _IN_THE_IMAGE.search(question.text)]
                self.of_organ.setdefault(organs[group], []).extend(found)
        for position, figure in enumerate(self.figures):
            if figure.facts is not None:
                self.by_figure.setdefault((figure.facts.kind, figure.facts.organ), []).append(position)

    def setting(self, view: View, rng: random.Random) -> Setting:
        """Evidence for a view: none, misleading, or fitting with a stray now and then; and what it settles."""
        facts, draw, count = view.facts, rng.random(), rng.choice(_COUNTS)
        if draw < NO_EVIDENCE:
            return Setting([], facts)
        if draw < NO_EVIDENCE + MISLED or facts.kind == "unknown":
            # What is nearest to an image of no known kind may be of one kind or of several.
            same = self._other(facts, rng) if rng.random() < 0.5 else None
            return Setting([self._unlike(facts, rng, same) for _ in range(count)], facts)
        if facts.kind in RADIOLOGY:
            return self._radiology(facts, count, rng)
        if facts.kind == "smear" and rng.random() < NAMED_CELLS:
            return self._named_cells(facts, count, rng)
        stray = [rng.random() < STRAY for _ in range(count)]
        return Setting([self._unlike(facts, rng) if s else self._like(facts, view.group, rng) for s in stray], facts)

    def told(self, facts: Facts, count: int, rng: random.Random) -> list[Told]:
        """`count` radiology captions that tell of `facts`, each part of them wrong or unsaid now and then."""
        captions: list[Told] = []
        labelled = rng.random() < LABELLED
        seed = self._figure(facts, rng)
        cluster = [seed, *self.nearest[seed]] if self.nearest and rng.random() < 0.7 else []
        for position in range(count):
            if labelled:
                meant = _strayed(facts, rng)
                text = self.figures[cluster[position % len(cluster)] if cluster else self._figure(meant, rng)].text
                captions.append(templated(meant, _cut(text, rng), rng))
            elif cluster and position < len(cluster) and rng.random() < 0.8:
                captions.append(read(_cut(self.figures[cluster[position]].text, rng)))
            elif rng.random() < 0.5:
                captions.append(read(index_caption(_strayed(facts, rng), rng)))
            else:
                captions.append(read(_cut(self.figures[self._figure(_strayed(facts, rng), rng)].text, rng)))
        rng.shuffle(captions)
        return captions

    def asked(self, view: View, facts: Facts, rng: random.Random) -> list[Turn]:
        """Questions of an image, people's among them, and what evidence and image settle as their answers."""
        peoples = PEOPLES_QUESTIONS if view.qa and view.facts.organ and view.facts.organ == facts.organ else 0
        turns = [self._peoples(view, rng) for _ in range(peoples)]
        if facts.kind == "smear" and facts.white == 1 and rng.random() < CELL_QUESTION:
            turns.append(Turn(*cell_question(facts, rng)))
        return turns + [Turn(*pair) for pair in _some(questions(facts, rng), QUESTIONS, rng)]

    def _peoples(self, view: View, rng: random.Random) -> Turn:
        """A person's question of this image, or of another image of the same body part or of another one."""
        if rng.random() < ELSEWHERE:
            organ = rng.choice([organ for organ in self.of_organ if organ != view.facts.organ])
            found = [question.text for question in self.of_organ[organ] if _PRESENCE.search(question.text)]
            return Turn(rng.choice(found), "No.", 1 - ABSENT)
        question = rng.choice(self.of_group[view.group])
        if _IN_THE_IMAGE.search(question.text) or rng.random() > BORROWED:
            return question.turn(OWN)
        return rng.choice(self.of_organ[view.facts.organ or ""]).turn(0)

    def background(self, rng: random.Random) -> list[tuple[str, str]]:
        """None mostly; else one or two passages, cut short."""
        if rng.random() > PASSAGES:
            return []
        chosen = [rng.choice(self.passages) for _ in range(rng.choice((1, 1, 2)))]
        return [(title, " ".join(text.split()[: rng.randint(15, 40)])) for title, text in chosen]

    def _radiology(self, facts: Facts, count: int, rng: random.Random) -> Setting:
        """The image has one vote beside its evidence; X-rays are told from slices by the image alone."""
        meant = facts
        if facts.kind != "xray" and rng.random() < TOLD_OTHERWISE:
            kind: Kind = facts.kind if rng.random() < 0.6 else rng.choice(("ct", "mr"))
            organ = rng.choice(OTHER_REGIONS) if rng.random() < 0.3 else self._any_figure(kind, rng)[1]
            meant = Facts(kind, organ=organ, plane=rng.choice(_PLANES))
        captions = self.told(meant, count, rng)
        texts = [told.text for told in captions]
        settled = vote(facts, [told.facts for told in captions])
        return Setting(texts, settled)

    def _named_cells(self, facts: Facts, count: int, rng: random.Random) -> Setting:
        """Captions that name a white cell's type: what most of them say is what a smear with one white cell takes."""
        chosen = rng.choices([_cell_name(rng) for _ in range(3)], rng.choice(_AGREEMENT), k=count)
        style = rng.randrange(10**6)
        captions = [cell_caption(name, random.Random(style if rng.random() < 0.8 else None)) for name in chosen]
        return Setting(captions, replace(facts, cell=agreed(chosen) if facts.white == 1 else None))

    def cells_alone(self, rng: random.Random) -> Setting:
        """Captions that name a white cell's type, without an image."""
        return self._named_cells(Facts("smear", white=1), rng.choice(_COUNTS), rng)

    def _figure(self, facts: Facts, rng: random.Random) -> int:
        pool = self.by_figure.get((facts.kind, facts.organ)) or self.by_figure[self._any_figure(facts.kind, rng)]
        return rng.choice(pool)

    def _any_figure(self, kind: Kind, rng: random.Random) -> tuple[Kind, str | None]:
        return rng.choice([key for key in self.by_figure if key[0] == kind and key[1]])

    def _like(self, facts: Facts, group: str, rng: random.Random) -> str:
        for _ in range(20):
            other = rng.choice(self.by_kind[facts.kind])
            if other.group != group:
                return index_caption(other.facts, rng)
        return index_caption(facts, rng)

    def _unlike(self, facts: Facts, rng: random.Random, kind: Kind | None = None) -> str:
        """A caption of an image of another kind: of the kind named, or of any."""
        kind = kind or self._other(facts, rng)
        if kind in RADIOLOGY and rng.random() < 0.6:
            return _cut(self.figures[rng.choice(self.by_figure[self._any_figure(kind, rng)])].text, rng)
        if kind == "smear" and rng.random() < 0.3:
            return cell_caption(rng.choice(WHITE_CELL_NAMES), rng)
        return index_caption(rng.choice(self.by_kind[kind]).facts, rng)

    def _other(self, facts: Facts, rng: random.Random) -> Kind:
        """Another kind; for radiology none of radiology, where a caption would count as a vote and not mislead."""
        near = RADIOLOGY if facts.kind in RADIOLOGY else (facts.kind,)
        return rng.choice([kind for kind in self.by_kind if kind not in near and kind != "unknown"])


_PLANES = ("axial", "axial", "coronal", "sagittal")


def _strayed(facts: Facts, rng: random.Random) -> Facts:
    """The same facts, each of them another one with a chance of `OFF`."""
    if facts.kind in ("ct", "mr") and rng.random() < OFF:
        facts = replace(facts, kind="mr" if facts.kind == "ct" else "ct")
    if rng.random() < OFF:
        facts = replace(facts, plane=rng.choice(_PLANES))
    if rng.random() < OFF:
        facts = replace(facts, organ=rng.choice(("head", "chest", "abdomen", "pelvis", "spine", "knee", "neck")))
    return facts


def _cut(text: str, rng: random.Random) -> str:
    words, most = text.split(), rng.randint(*_SHOWN_WORDS)
    return text if len(words) <= most else " ".join(words[:most]) + " ..."


def _cell_name(rng: random.Random) -> str:
    """The name of a white cell, a quarter of them with a word before it that names no known type."""
    name = rng.choice(WHITE_CELL_NAMES)
    return name if rng.random() < 0.75 else f"{rng.choice(WHITE_CELL_MODIFIERS)} {name}"


def image_samples(views: Sequence[View], library: Library, rng: random.Random) -> Iterator[Sample]:
    """One sample for each view, in order: its caption and answers, with or without evidence."""
    for position, view in enumerate(views):
        setting = library.setting(view, rng)
        begun = opening(setting.examples, library.background(rng) if setting.examples else [], rng)
        turns = [Turn("", caption(setting.facts)), *library.asked(view, setting.facts, rng)]
        yield Sample(begun.text, tuple(replace(turn, asked=begun.ask(turn.asked, rng)) for turn in turns), position)


def text_samples(library: Library, count: int, rng: random.Random, free: float) -> Iterator[Sample]:
    """Captions without images: what several tell together, or, in a share of `free`, a caption's own words."""
    for _ in range(count):
        position = rng.randrange(len(library.figures))
        figure = library.figures[position]
        if rng.random() < free:
            near = [library.figures[i].text for i in library.nearest[position]] if library.nearest else []
            begun = opening([_cut(text, rng) for text in near[: rng.choice((0, 0, 2, 3))]], [], rng, image=False)
            yield Sample(begun.text, (Turn(begun.ask("", rng), figure.text),))
            continue
        if rng.random() < 0.3:
            setting = library.cells_alone(rng)
            pairs = [("", caption(setting.facts)), cell_question(setting.facts, rng)]
        elif figure.facts is not None:
            captions = library.told(figure.facts, rng.choice(_COUNTS), rng)
            setting = Setting([told.text for told in captions], vote(None, [told.facts for told in captions]))
            pairs = [("", caption(setting.facts)), *_some(questions(setting.facts, rng), QUESTIONS_OF_TEXT, rng)]
        else:
            continue
        begun = opening(setting.examples, [], rng, image=False)
        yield Sample(begun.text, tuple(Turn(begun.ask(question, rng), answer) for question, answer in pairs))


def _some(pairs: list[tuple[str, str]], count: int, rng: random.Random) -> list[tuple[str, str]]:
    return rng.sample(pairs, min(count, len(pairs)))


def _tellable(facts: Facts) -> Facts:
    """What a view alone lets one say: no type of cell, which only evidence names; of a dark field without a nucleus
    nothing, for it may be anything."""
    if facts.kind == "fluorescence" and facts.nuclei == 0:
        return Facts("unknown")
    return replace(facts, cell=None)


def _peoples_questions(asked: Mapping[str, Sequence[tuple[str, str, str]]]) -> dict[str, list[Question]]:
    """People's questions by the group of their image, with the answers to learn."""
    every = [(group, one[0], _answer(*one)) for group, several in asked.items() for one in several]
    closed = [n for n, (_, _, answer) in enumerate(every) if answer in ("Yes.", "No.")]
    shares: dict[int, float] = {}
    if len({every[n][0] for n in closed}) > 1:
        groups, texts, answers = zip(*(every[n] for n in closed), strict=True)
        found = yes_shares(texts, [answer == "Yes." for answer in answers], groups)
        shares = dict(zip(closed, found.tolist(), strict=True))
    made: dict[str, list[Question]] = {}
    for n, (group, text, answer) in enumerate(every):
        share = None if _IN_THE_IMAGE.search(text) else shares.get(n)
        made.setdefault(group, []).append(Question(text, answer, share))
    return made


def _answer(question: str, answer: str, answer_type: str) -> str:
    """The answer to learn: the person's if closed or of technique, else that it cannot be told."""
    if answer_type != "CLOSED" and not any(word in question.lower() for word in _TECHNIQUE):
        return CANNOT_SAY
    return answer[:1].upper() + answer[1:].rstrip(".") + "."


_PRESENCE = re.compile(
    r"^(is|are) there\b|\b(present|evidence|visible|visuali[sz]ed|enlarged|enlargement|signs? of|show|seen)\b",
    re.IGNORECASE,
)
_TECHNIQUE = ("modality", "plane", "scan is", "sequence", "part of the body", "organ system")
_IN_THE_IMAGE = re.compile(
    r"\b(modality|plane|scan|sequence|part of the body|organ|mri?|ct|x-?rays?|radiograph|axial|coronal|sagittal|t1|t2|"
    r"flair|weighted|contrast|view|ap|pa|taken|image of|gender|male|female|man|woman)\b",
    re.IGNORECASE,
)
"""Questions that the image itself settles, whatever its patient has."""
