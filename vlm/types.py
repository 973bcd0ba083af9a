"""What a model is given (prompts, parameters) and what it gives back (generations)."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from imaging import LoadedImage

Role = Literal["system", "user", "assistant"]
StopReason = Literal["end", "length", "time"]
"""It ended itself; it was cut at the tokens asked for; it was cut at the time allowed."""


@dataclass(frozen=True)
class Message:
    """One chat turn: texts and images in the order they are read."""

    role: Role
    parts: tuple[str | LoadedImage, ...]


@dataclass(frozen=True)
class Prompt:
    """Chat messages, and the name and hash of the template they were written from.

    With `schema`, a JSON Schema as JSON text, the answer is JSON that satisfies it.
    """

    messages: tuple[Message, ...]
    template: str
    template_hash: str
    schema: str | None = None

    @property
    def images(self) -> tuple[LoadedImage, ...]:
        return tuple(part for m in self.messages for part in m.parts if isinstance(part, LoadedImage))


@dataclass(frozen=True)
class GenerationParams:
    """How to decode. `temperature` 0 is greedy and ignores `top_p` and `seed`.

    An answer with a schema is brought to its end before `max_new_tokens`, where that leaves room for any end at all.
    After `time_limit_s` seconds a batch's answers are what they are by then, a token or more; None sets no limit. How
    far they come depends on the machine, so a limit that is met makes an answer one that cannot be repeated.
    """

    max_new_tokens: int = 128
    temperature: float = 0.0
    top_p: float = 1.0
    repetition_penalty: float = 1.0
    seed: int = 0
    time_limit_s: float | None = None


@dataclass(frozen=True)
class Generation:
    """One answer. `seconds` is its share of the batch's time; log-probabilities, in nats, are the mean of its tokens'
    and that of the least likely one.

    These and the counts of tokens are None where a server does not say.
    """

    text: str
    prompt_tokens: int | None
    new_tokens: int | None
    stop: StopReason
    seconds: float
    mean_logprob: float | None
    min_logprob: float | None = None


@dataclass(frozen=True)
class LabelScores:
    """How likely each of some labels is as the answer.

    `probabilities` are in the labels' order and sum to 1: normalised over the labels, by the temperature of the model's
    configuration (`label_temperature`), they say which is likelier.
    `mass` is what the model gives all of them together, 0 to 1: how likely it is to say any of them.
    """

    probabilities: tuple[float, ...]
    mass: float


class Engine(Protocol):
    """Generates text for prompts, and says how likely given answers are.

    `model` and `adapter` name what speaks, for the record; `fingerprint` changes when the model's files do;
    `max_images` is how many a prompt may have, None any number.
    """

    @property
    def model(self) -> str: ...

    @property
    def adapter(self) -> str | None: ...

    @property
    def max_images(self) -> int | None: ...

    @property
    def fingerprint(self) -> str: ...

    def load(self) -> object:
        """Loads the model now, where it is not loaded yet."""
        ...

    def unload(self) -> None:
        """Gives back the memory of the model; it is loaded again when it is next needed."""
        ...

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text as this model's tokenizer cuts it, special tokens not counted."""
        ...

    def generate(self, prompts: Sequence[Prompt], params: GenerationParams) -> Iterator[tuple[int, Generation]]:
        """Yields `(position in prompts, Generation)`, each as soon as it is done."""
        ...

    def stream(self, prompt: Prompt, params: GenerationParams) -> Generator[str | Generation, None, None]:
        """Yields the answer's text piece by piece and, last, its Generation. Closing it stops the model."""
        ...

    def score(
        self, prompts: Sequence[Prompt], labels: Sequence[str], one_pass: bool = False
    ) -> Iterator[tuple[int, LabelScores]]:
        """Yields `(position in prompts, LabelScores)`, each as soon as it is done.

        With `one_pass` a label counts as likely as its first token, which takes one look at the prompt for all labels.
        """
        ...

    def logprob(self, prompts: Sequence[Prompt], text: str, begun: str = "") -> Iterator[tuple[int, float]]:
        """Yields `(position in prompts, log-probability in nats)` of an answer that says `text` behind `begun`."""
        ...

    def told_apart_at_once(self, labels: Sequence[str]) -> bool:
        """Whether the first tokens of the labels differ, so that `score` may be asked for one pass."""
        ...


def reads_fewer(model: str, limit: int) -> str:
    """What to tell of more images than `limit`, which is what a model reads, and what to do."""
    if limit == 0:
        return f"but {model} reads texts alone. Take a model that reads images: --model pocket"
    return (
        f"but {model} reads {limit}. Ask about them one by one, or take a model that reads several: "
        f"--model smolvlm-500m"
    )
