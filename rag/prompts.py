"""Prompt templates (LangChain chat templates in YAML) and how evidence is written into them.

A template is mustache text with these variables, each left out of the prompt where it is empty:

    images      the query's own images; must stand in the template once
    facts       what their files say of how they were made, a sentence
    examples    captions of retrieved images, a numbered line each
    passages    retrieved passages, a numbered line each
    question    what is asked
    labels      the answers to choose from, a comma between them
    schema      the JSON Schema that the answer satisfies
    length      "one short sentence" and the like
    language    "English" and the like

Retrieved text is data: `rag.untrusted` writes it so that it can forge neither a numbered line nor the place of an
image.

Earlier questions and answers about the same images follow as turns of their own: the template asks the first question,
and the later ones stand bare.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from configs import StrictModel, find, load, names
from imaging import LoadedImage, decode
from indexer.types import Evidence, Example
from rag.errors import TemplateError
from rag.untrusted import clean, neutral
from vlm.types import Message, Prompt, Role

if TYPE_CHECKING:
    from langchain_core.prompts import ChatPromptTemplate

Task = Literal["caption", "ask", "classify", "extract"]
Length = Literal["short", "medium", "long"]
EvidenceOrder = Literal["best_first", "best_last"]
"""Where the most similar example stands among the examples: first, or last and nearest to the instruction."""
CountTokens = Callable[[Sequence[str]], list[int]]

LENGTHS: dict[Length, str] = {
    "short": "one short sentence",
    "medium": "one to three sentences",
    "long": "a paragraph",
}
VARIABLES = {"images", "facts", "examples", "passages", "question", "labels", "schema", "length", "language"}
VERSION_DIGITS = 8
VERSION = rf"^[\w.-]+(@[0-9a-f]{{{VERSION_DIGITS}}})?$"
"""A template's name, and the beginning of its hash where one text of that name is meant."""
MAX_TITLE_CHARS = 200
MIN_EVIDENCE_TOKENS = 8
"""An evidence text cut below this says nothing; the last of the evidence is left out instead."""

# Where an image stands while the prompt is still text. Control characters are taken out of all that is put in.
_QUERY_IMAGES = "\x01"
_EXAMPLE_IMAGE = re.compile("\x02([0-9]+)\x03")
_SLOT = re.compile("(\x01|\x02[0-9]+\x03)")


class TemplateMessage(StrictModel):
    """One message of a template."""

    role: Role
    text: str


class TemplateConfig(StrictModel):
    """A file of `configs/prompts/`. `parent` is the version of the template that this one was made from, as NAME@HASH;
    `note` says what this one does that others do not."""

    note: str
    task: Task
    parent: Annotated[str, Field(pattern=VERSION)] | None = None
    messages: list[TemplateMessage]


@dataclass(frozen=True)
class Exchange:
    """A question about the images and the answer to it, said before."""

    question: str
    answer: str


@dataclass(frozen=True)
class PromptInputs:
    """All that a prompt is written from. `evidence` has the best of each kind first, whatever the prompt's `order`.

    `history` is what was said before `question`, oldest first; `schema` is JSON text; `facts` what the files say.
    """

    images: tuple[LoadedImage, ...]
    evidence: tuple[Evidence, ...] = ()
    question: str = ""
    history: tuple[Exchange, ...] = ()
    labels: tuple[str, ...] = ()
    schema: str | None = None
    length: Length = "medium"
    language: str = "English"
    example_images: bool = False
    order: EvidenceOrder = "best_first"
    facts: str = ""


@dataclass(frozen=True)
class FittedPrompt:
    """A prompt within its token budget: the evidence as numbered in it, and what had to be shortened or left out.

    `forgotten` counts exchanges, the oldest ones, the others evidence.
    """

    prompt: Prompt
    evidence: tuple[Evidence, ...]
    shortened: int = 0
    left_out: int = 0
    forgotten: int = 0


@dataclass(frozen=True)
class PromptTemplate:
    """A named chat template. `hash` is a SHA-256 over its messages alone."""

    name: str
    config: TemplateConfig

    @classmethod
    def load(cls, name: str) -> PromptTemplate:
        """The template of `configs/prompts/NAME.yaml`, or of a file. Raises ConfigError and TemplateError.

        NAME@HASH, also as the name of a file, is the template only if it still has that text.
        """
        path = find("prompts", name if name.endswith((".yaml", ".yml")) else name.partition("@")[0])
        template = cls(path.stem.partition("@")[0], load(TemplateConfig, path))
        asked = Path(name).stem.partition("@")[2] if path == Path(name) else name.partition("@")[2]
        if asked and not template.hash.startswith(asked):
            raise TemplateError(
                f"{path.name} has another text than {template.name}@{asked}: it is {template.version}. Runs keep the "
                f"templates they used: python cli.py prompts show {template.name}@{asked} --runs FOLDER"
            )
        unknown = template.variables - VARIABLES
        if unknown:
            raise TemplateError(
                f"{path.name}: unknown variable {sorted(unknown)[0]!r}. Known: {', '.join(sorted(VARIABLES))}"
            )
        if sum(m.text.count("{{{images}}}") for m in template.config.messages) != 1:
            raise TemplateError(f"{path.name}: {{{{{{images}}}}}} must stand in the template exactly once")
        return template

    @cached_property
    def hash(self) -> str:
        digest = hashlib.sha256()
        for message in self.config.messages:
            digest.update(f"{message.role}\x00{message.text}\x00".encode())
        return digest.hexdigest()

    @property
    def version(self) -> str:
        """`few_shot@15bcb8f1`: what a record says of its prompt."""
        return f"{self.name}@{self.hash[:VERSION_DIGITS]}"

    @cached_property
    def chat(self) -> ChatPromptTemplate:
        """The LangChain template itself."""
        from langchain_core.prompts import ChatPromptTemplate

        pairs = [(m.role, m.text) for m in self.config.messages]
        return ChatPromptTemplate.from_messages(pairs, template_format="mustache")

    @property
    def variables(self) -> set[str]:
        return set(self.chat.input_variables)

    @property
    def kinds(self) -> set[str]:
        """The kinds of evidence this template shows: `example`, `passage`."""
        return {kind for kind in ("example", "passage") if f"{kind}s" in self.variables}

    def render(self, inputs: PromptInputs) -> tuple[Prompt, tuple[Evidence, ...]]:
        """The prompt, and the evidence shown in it by its numbers, which follow the place in the prompt."""
        shown = self._shown(inputs.evidence)
        if inputs.order == "best_last":
            examples = [e for e in shown if e.kind == "example"]
            shown = [*reversed(examples), *shown[len(examples) :]]
        numbered = tuple(replace(e, number=number) for number, e in enumerate(shown, start=1))
        asked = [*(exchange.question for exchange in inputs.history), inputs.question]
        values = {
            "images": _QUERY_IMAGES,
            "facts": clean(inputs.facts),
            "examples": "\n".join(_line(e, inputs.example_images) for e in numbered if e.kind == "example"),
            "passages": "\n".join(_line(e, False) for e in numbered if e.kind == "passage"),
            # A user's own words are not cut, but refused where they are over the budget of tokens.
            "question": clean(asked[0], len(asked[0])),
            "labels": ", ".join(clean(label) for label in inputs.labels),
            "schema": clean(inputs.schema or "", len(inputs.schema or "")),
            "length": LENGTHS[inputs.length],
            "language": clean(inputs.language, 40),
        }
        pictures = {e.number: e.record for e in numbered}
        messages = []
        for source, written in zip(self.config.messages, self.chat.invoke(values).to_messages(), strict=True):
            parts: list[str | LoadedImage] = []
            for piece in _SLOT.split(str(written.content)):
                slot = _EXAMPLE_IMAGE.fullmatch(piece)
                if piece == _QUERY_IMAGES:
                    parts += inputs.images
                elif slot:
                    parts.append(_thumbnail(pictures[int(slot[1])]))
                elif piece.strip():
                    parts.append(piece.strip())
            messages.append(Message(source.role, tuple(parts)))
        for exchange, following in zip(inputs.history, asked[1:], strict=True):
            messages.append(Message("assistant", (clean(exchange.answer),)))
            messages.append(Message("user", (clean(following),)))
        return Prompt(tuple(messages), self.name, self.hash, inputs.schema), numbered

    def _shown(self, evidence: Sequence[Evidence]) -> list[Evidence]:
        """What of the evidence this template shows: examples, then passages, as they are given."""
        return [e for kind in ("example", "passage") for e in evidence if e.kind == kind and kind in self.kinds]

    def fit(self, inputs: PromptInputs, count_tokens: CountTokens, budget: int) -> FittedPrompt:
        """The prompt with at most `budget` tokens of text, as `count_tokens` counts them.

        Evidence is shortened to fit, all texts to one common length; where that would leave too little of
        each, the last of the evidence goes, which is the least similar of its kind wherever it stands in the prompt;
        where there is none left, the oldest exchanges go. Images are never touched. Raises TemplateError where the
        text without evidence and exchanges is already over the budget.
        """
        forgotten = 0
        while inputs.history and self._bare_tokens(inputs, count_tokens) > budget:
            inputs = replace(inputs, history=inputs.history[1:])
            forgotten += 1
        return replace(self._fit(inputs, count_tokens, budget), forgotten=forgotten)

    def _bare_tokens(self, inputs: PromptInputs, count_tokens: CountTokens) -> int:
        """Tokens of the prompt's text without evidence."""
        return _text_tokens(self.render(replace(inputs, evidence=()))[0], count_tokens)

    def _fit(self, inputs: PromptInputs, count_tokens: CountTokens, budget: int) -> FittedPrompt:
        """As `fit`, for exchanges that fit."""
        prompt, evidence = self.render(inputs)
        spare = budget - _text_tokens(prompt, count_tokens)
        if spare >= 0:
            return FittedPrompt(prompt, evidence)
        bare = budget - self._bare_tokens(inputs, count_tokens)
        if bare < 0:
            raise TemplateError(f"prompt {self.name}: its text alone is {-bare} tokens over the budget of {budget}")
        kept = self._shown(inputs.evidence)
        lengths = count_tokens([e.text for e in kept])
        while kept:
            # What the texts may take together: the overrun comes off what they have now.
            room = sum(lengths[: len(kept)]) + spare
            cap = _common_cap(lengths[: len(kept)], room)
            if cap >= min(MIN_EVIDENCE_TOKENS, max(lengths[: len(kept)])):
                cut = [_shorten(e, cap, count_tokens) for e in kept]
                prompt, numbered = self.render(replace(inputs, evidence=tuple(cut)))
                over = _text_tokens(prompt, count_tokens) - budget
                if over <= 0:
                    shortened = sum(length > cap for length in lengths[: len(kept)])
                    return FittedPrompt(prompt, numbered, shortened, len(evidence) - len(kept))
                spare -= over
            else:
                kept.pop()
                spare = budget - _text_tokens(self.render(replace(inputs, evidence=tuple(kept)))[0], count_tokens)
                if spare >= 0:
                    prompt, numbered = self.render(replace(inputs, evidence=tuple(kept)))
                    return FittedPrompt(prompt, numbered, 0, len(evidence) - len(kept))
        prompt, _ = self.render(replace(inputs, evidence=()))
        return FittedPrompt(prompt, (), 0, len(evidence))


def list_templates() -> list[PromptTemplate]:
    """Every template shipped in `configs/prompts/`."""
    return [PromptTemplate.load(name) for name in names("prompts")]


def _line(evidence: Evidence, with_image: bool) -> str:
    """`[1] caption`, or `[4] title: text`; the example's picture goes before its line."""
    record = evidence.record
    if isinstance(record, Example):
        slot = f"\x02{evidence.number}\x03" if with_image and record.thumbnail else ""
        return f"{slot}[{evidence.number}] {neutral(record.caption)}"
    title = f"{neutral(record.title, MAX_TITLE_CHARS)}: " if record.title else ""
    return f"[{evidence.number}] {title}{neutral(record.text)}"


def _thumbnail(record: object) -> LoadedImage:
    if not isinstance(record, Example):
        raise TypeError("only examples have thumbnails")
    return decode(record.thumbnail, f"thumbnail of {record.id}")


def _text_tokens(prompt: Prompt, count_tokens: CountTokens) -> int:
    return sum(count_tokens([part for m in prompt.messages for part in m.parts if isinstance(part, str)]))


def _common_cap(lengths: Sequence[int], room: int) -> int:
    """The largest cap with `sum(min(length, cap)) <= room`; 0 where there is none."""
    cap = 0
    for position, length in enumerate(sorted(lengths)):
        share = room // (len(lengths) - position)
        if length > share:
            return max(share, 0)
        cap, room = length, room - length
    return cap


def _shorten(evidence: Evidence, cap: int, count_tokens: CountTokens) -> Evidence:
    """`evidence` with its text cut at a word's end to at most `cap` tokens, an ellipsis marking the cut."""
    words = neutral(evidence.text).split(" ")
    low, high = 0, len(words)
    if count_tokens([" ".join(words)])[0] <= cap:
        return evidence
    while low < high:  # the most words that fit
        middle = (low + high + 1) // 2
        if count_tokens([" ".join(words[:middle]) + " ..."])[0] <= cap:
            low = middle
        else:
            high = middle - 1
    text = " ".join(words[:low]) + " ..."
    if isinstance(evidence.record, Example):
        return replace(evidence, record=replace(evidence.record, caption=text))
    return replace(evidence, record=replace(evidence.record, text=text))
