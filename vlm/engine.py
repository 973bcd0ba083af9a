"""Generates text with transformers. The model is loaded when it is first needed; counting tokens does not need it."""

from __future__ import annotations

import gc
import logging
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

from imaging.loading import LOADING
from vlm.answers import answer_ids, first_tokens, shared_head, told_apart
from vlm.config import ModelConfig
from vlm.errors import AdapterMismatch, OutOfMemory, PromptError
from vlm.families.control_tokens import ControlTokens
from vlm.labels import checked_labels
from vlm.trunk import trunk_of
from vlm.types import Engine, Generation, GenerationParams, LabelScores, Prompt, StopReason, reads_fewer
from vlm.weights import find_files, fingerprint

if TYPE_CHECKING:
    from tokenizers import Tokenizer

    from vlm.constrain import Guide, Vocabulary
    from vlm.loading import Loaded

log = logging.getLogger(__name__)

T = TypeVar("T")


class TransformersEngine:
    """One model in this process. Implements `Engine`.

    `batch_size` prompts are answered together, of like length and with as many images each. An answer in fp32 is the
    same whatever batch it is in.
    """

    def __init__(self, config: ModelConfig, adapter: Path | None = None, batch_size: int = 8) -> None:
        self.model = config.name
        self.adapter = None if adapter is None else str(adapter)
        self.max_images = config.images_per_prompt
        self._config = config
        self._adapter = adapter
        self._batch_size = batch_size
        self._loaded: Loaded | None = None
        self._in_training = False
        self._lock = threading.Lock()

    @classmethod
    def of(cls, loaded: Loaded, config: ModelConfig, batch_size: int = 8) -> TransformersEngine:
        """An engine for a model that is in memory and in training: it answers as it is by then, and can be trained on.

        `loaded` is of `load(..., training=True)`, and `config` what it was loaded with.
        """
        engine = cls(config, batch_size=batch_size)
        engine._loaded, engine._in_training = loaded, True
        return engine

    @cached_property
    def fingerprint(self) -> str:
        """12 hex digits of the model's files, read once. See `vlm.weights.fingerprint`."""
        return fingerprint(self._folder)

    @cached_property
    def trunk(self) -> str | None:
        """The digest of what reads pixels (`imaging.trunk`): of images whose `features` have it nothing is read again.

        None where the tower takes no such features, or may be another one than the files say. Reads the files.
        """
        how = self._config.how
        if not how.takes_features or how.vision_tower is None or self._adapter is not None or self._in_training:
            return None
        return trunk_of(self._folder, how.vision_tower)

    def load(self) -> Loaded:
        """Loads the model now where it is not loaded yet, and returns it. Safe to call from another thread.

        Raises any VlmError: ModelNotFound, HubUnreachable, ModelUnusable, UnsupportedQuantisation, AdapterNotFound,
        AdapterMismatch.
        """
        with self._lock:
            if self._loaded is None:
                folder = self._folder
                with LOADING:
                    from vlm.loading import load

                    self._loaded = load(self._config, folder, self._adapter)
            return self._loaded

    def unload(self) -> None:
        """Gives back the memory of the model; it is loaded again when it is next needed. Not while it answers."""
        with self._lock:
            if self._loaded is None:
                return
            self._loaded = None
        import torch

        gc.collect()  # a model is full of references in circles
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text as this model's tokenizer cuts it, special tokens not counted. Loads no model."""
        tokenizer, control = self._tokenizer
        encodings = tokenizer.encode_batch([control.broken(text) for text in texts], add_special_tokens=False)
        return [len(encoding.ids) for encoding in encodings]

    def generate(self, prompts: Sequence[Prompt], params: GenerationParams) -> Iterator[tuple[int, Generation]]:
        """Yields `(position in prompts, Generation)` batch by batch, not in the order of `prompts`.

        Raises PromptError before anything is generated where a prompt has more images than the model reads, and
        later where one is too long; OutOfMemory; and what `load` raises.
        """
        self._check(prompts)
        yield from self._by_batch(prompts, lambda batch: self._answer(batch, params))

    def stream(self, prompt: Prompt, params: GenerationParams) -> Generator[str | Generation, None, None]:
        """Yields the answer's text piece by piece and, last, its Generation. Closing it stops the model.

        The pieces together are the Generation's text, white space around it aside. Raises what `generate` does.
        """
        self._check([prompt])
        loaded = self.load()
        from vlm.streaming import pieces

        try:
            yield from pieces(loaded.tokenizer, lambda options: self._answer([prompt], params, options)[0])
        except MemoryError as error:
            self._halved(1, error)

    def score(
        self, prompts: Sequence[Prompt], labels: Sequence[str], one_pass: bool = False
    ) -> Iterator[tuple[int, LabelScores]]:
        """Yields `(position in prompts, LabelScores)` batch by batch, not in the order of `prompts`.

        A label's probability is that of its tokens and then an end token, teacher-forced after the prompt, to the
        power of 1 / `label_temperature` of the model's configuration, divided by the sum over all labels:
        `softmax(sum of log-probabilities / label_temperature)`, in the order of `labels`. Texts are scored without
        white space around them, as answers are given. The mass is untempered. It takes a forward pass a label.
        With `one_pass` it is that of the label's first token alone, behind what all of them begin with, however it is
        written (`ways_to_write`): one forward pass for all labels.

        Raises PromptError before anything is scored for fewer than two labels, for one that is empty or twice there,
        with `one_pass` for labels that begin alike and for a prompt with more images than the model reads, and later
        where a prompt is too long; OutOfMemory; and what `load` raises.
        """
        self._check(prompts)
        texts = checked_labels(labels)
        if one_pass and not self.told_apart_at_once(texts):
            raise PromptError(f"labels {', '.join(texts)} begin with the same token of {self.model}. Score them whole")
        yield from self._by_batch(prompts, lambda batch: self._score(batch, texts, one_pass))

    def logprob(self, prompts: Sequence[Prompt], text: str, begun: str = "") -> Iterator[tuple[int, float]]:
        """Yields `(position in prompts, log-probability)` batch by batch, not in the order of `prompts`.

        It is the sum of those of the tokens of `text`, in nats, teacher-forced after the prompt and the answer `begun`
        before it; whether the answer ends there is not asked. A prompt's schema does not count. Closing the iterator
        leaves the batches undone that are not begun.

        Raises PromptError before anything is scored for a text without a token and for a prompt with more images than
        the model reads, and later where a prompt is too long; OutOfMemory; and what `load` raises.
        """
        self._check(prompts)
        before, ids = self._answer_ids([begun.rstrip(), f"{begun}{text}".strip()])
        given = shared_head([before, ids]) if begun.strip() else 0
        if not text.strip() or given == len(ids):
            raise PromptError(f"{text[:40]!r} has no token of {self.model} to be scored. Give it a text")
        yield from self._by_batch(prompts, lambda batch: self._logprob(batch, ids, given))

    def told_apart_at_once(self, labels: Sequence[str]) -> bool:
        """Whether the labels differ in the first token in which any do, so that `score` may be asked for one pass.

        Loads no model.
        """
        return told_apart(self._first_tokens(checked_labels(labels))[1])

    def read_already(self, prompt: Prompt) -> bool:
        """Whether another model has read all its images by the same trunk; then this one does not read them again."""
        if not prompt.images or not any(image.features for image in prompt.images):
            return False
        return self.trunk is not None and all(self.trunk in image.features for image in prompt.images)

    @cached_property
    def _folder(self) -> Path:
        return find_files(self._config)

    @cached_property
    def _tokenizer(self) -> tuple[Tokenizer, ControlTokens]:
        """The tokenizer alone: quick to load, and with no need of torch."""
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_file(str(self._folder / "tokenizer.json"))
        tokenizer.no_truncation()
        tokenizer.no_padding()
        return tokenizer, ControlTokens(tokenizer.get_added_tokens_decoder().values())

    def _check(self, prompts: Sequence[Prompt]) -> None:
        """Raises PromptError for what shows before anything is loaded."""
        if any(prompt.schema for prompt in prompts) and not self._config.how.follows_instructions:
            raise PromptError(f"{self.model} writes captions and no JSON. Take --model smolvlm-500m")
        most = max((len(prompt.images) for prompt in prompts), default=0)
        if self.max_images is not None and most > self.max_images:
            raise PromptError(f"a prompt with {most} images, {reads_fewer(self.model, self.max_images)}")

    def _by_batch(
        self, prompts: Sequence[Prompt], work: Callable[[Sequence[Prompt]], list[T]]
    ) -> Iterator[tuple[int, T]]:
        """Yields `(position, result)` of `work` over batches of like prompts, smaller ones where memory is short."""
        pending = self._batches(prompts)
        while pending:
            positions = pending.pop(0)
            try:
                results = work([prompts[position] for position in positions])
            except MemoryError as error:
                size = self._halved(len(positions), error)
                pending = [many[i : i + size] for many in [positions, *pending] for i in range(0, len(many), size)]
                continue
            yield from zip(positions, results, strict=True)

    def _batches(self, prompts: Sequence[Prompt]) -> list[list[int]]:
        """Positions in groups of like prompts, the longest first, so that what does not fit shows at once."""
        texts = [
            "".join(part for message in prompt.messages for part in message.parts if isinstance(part, str))
            for prompt in prompts
        ]
        likes = [(len(prompt.images), self.read_already(prompt)) for prompt in prompts]
        sizes = list(zip(likes, self.count_tokens(texts), strict=True))
        batches: list[list[int]] = []
        for position in sorted(range(len(prompts)), key=lambda p: sizes[p], reverse=True):
            last = batches[-1] if batches else None
            if last and len(last) < self._batch_size and sizes[last[0]][0] == sizes[position][0]:
                last.append(position)
            else:
                batches.append([position])
        return batches

    def _answer(
        self, batch: Sequence[Prompt], params: GenerationParams, options: Mapping[str, Any] = MappingProxyType({})
    ) -> list[Generation]:
        """One batch through the model; `options` go to its `generate`. Raises MemoryError where the GPU is full."""
        loaded = self.load()
        from vlm.decoding import LogprobMeter, processors
        from vlm.last_row import last_row_alone
        from vlm.shared_head import read_once

        started = time.perf_counter()
        with self._at_work(loaded.model), last_row_alone():
            inputs: Mapping[str, Any] = self._encode(batch, params.max_new_tokens, loaded)
            if self._config.how.shares_head:
                inputs, seen = read_once(loaded.model, inputs)
                options = options if seen is None else {**options, "past_key_values": seen}
            length = inputs["input_ids"].shape[1]
            meter = LogprobMeter(len(batch), loaded.stop_ids, loaded.device)
            guides = self._guides(batch, params.max_new_tokens)
            steps = processors(params, meter, length, guides)
            ids = self._config.how.generate(
                loaded.model,
                inputs,
                max_new_tokens=params.max_new_tokens,
                max_time=params.time_limit_s,
                do_sample=False,
                logits_processor=steps,
                **options,
            )
            meter.finish(ids[:, -1])
        seconds = (time.perf_counter() - started) / len(batch)
        texts = loaded.tokenizer.batch_decode(ids[:, length:], skip_special_tokens=True)
        return [
            Generation(
                text=text.strip(),
                prompt_tokens=int(prompt_tokens),
                new_tokens=new_tokens,
                stop=_why(ended, new_tokens >= params.max_new_tokens, guide),
                seconds=seconds,
                mean_logprob=mean,
                min_logprob=least,
            )
            for text, prompt_tokens, new_tokens, ended, mean, least, guide in zip(
                texts,
                inputs["attention_mask"].sum(dim=1),
                meter.new_tokens,
                meter.ended,
                meter.mean_logprobs,
                meter.min_logprobs,
                guides,
                strict=True,
            )
        ]

    def _score(self, batch: Sequence[Prompt], labels: Sequence[str], one_pass: bool) -> list[LabelScores]:
        """One batch through the model. Raises MemoryError where the GPU is full."""
        loaded = self.load()
        from vlm.scoring import answer_logprobs, first_token_logprobs

        answers = self._answer_ids(labels)
        how = self._config.how
        with self._at_work(loaded.model):
            inputs = self._encode(batch, 1 if one_pass else max(map(len, answers)) + 1, loaded)
            if one_pass:
                logprobs = first_token_logprobs(how, loaded.model, inputs, *self._first_tokens(labels))
            else:
                logprobs = answer_logprobs(how, loaded.model, inputs, answers, loaded.stop_ids)
            masses = logprobs.logsumexp(dim=1).exp().tolist()
            temperature = self._config.label_temperature_with(self._adapter is not None or self._in_training)
            rows = (logprobs / temperature).softmax(dim=1).tolist()
            return [LabelScores(tuple(row), mass) for row, mass in zip(rows, masses, strict=True)]

    def _logprob(self, batch: Sequence[Prompt], answer: Sequence[int], begun: int) -> list[float]:
        """One batch through the model. Raises MemoryError where the GPU is full."""
        loaded = self.load()
        from vlm.scoring import continued_logprobs

        with self._at_work(loaded.model):
            inputs = self._encode(batch, len(answer), loaded)
            logprobs: list[float] = continued_logprobs(self._config.how, loaded.model, inputs, answer, begun).tolist()
            return logprobs

    def _guides(self, batch: Sequence[Prompt], max_new_tokens: int) -> list[Guide | None]:
        """The grammar of each prompt's schema, None for one without. Raises UnsupportedSchema."""
        if not any(prompt.schema for prompt in batch):
            return [None] * len(batch)
        from vlm.constrain import Guide

        return [
            None if prompt.schema is None else Guide(self._vocabulary, prompt.schema, max_new_tokens)
            for prompt in batch
        ]

    @cached_property
    def _vocabulary(self) -> Vocabulary:
        """The tokens as grammars see them."""
        loaded = self.load()
        from vlm.constrain import Vocabulary

        scores = loaded.model.get_output_embeddings()
        return Vocabulary(loaded.tokenizer, loaded.stop_ids, scores.out_features)

    def _first_tokens(self, labels: Sequence[str]) -> tuple[list[int], list[set[int]]]:
        return first_tokens(self._config.how, self._tokenizer[1], self._cut, labels)

    def _answer_ids(self, answers: Sequence[str]) -> list[list[int]]:
        return answer_ids(self._config.how, self._tokenizer[1], self._cut, answers)

    def _cut(self, texts: list[str]) -> list[list[int]]:
        return [encoding.ids for encoding in self._tokenizer[0].encode_batch(texts, add_special_tokens=False)]

    def _encode(self, batch: Sequence[Prompt], new_tokens: int, loaded: Loaded) -> Any:
        """The model's inputs on its device. Raises PromptError where no `new_tokens` more would fit."""
        inputs = self._config.how.encode(loaded.processor, batch, loaded.control)
        if self.trunk is not None and self.read_already(batch[0]):
            import torch

            features = [image.features[self.trunk] for prompt in batch for image in prompt.images]
            inputs["pixel_values"] = torch.stack(features)
        if loaded.virtual_tokens:
            from vlm.soft_prompt import make_room

            inputs = type(inputs)(make_room(inputs, loaded.virtual_tokens))
        length = inputs["input_ids"].shape[1]
        if length + new_tokens > loaded.context:
            raise PromptError(
                f"a prompt of {length} tokens, images counted, and {new_tokens} new ones are more than the "
                f"{loaded.context} that {self.model} reads. Shorten the question, or ask for less evidence (--k)"
            )
        return inputs.to(loaded.device, loaded.model.dtype)

    @contextmanager
    def _at_work(self, model: Any) -> Iterator[None]:
        """Around the model's work: no gradients, no chatter, and a full GPU as a MemoryError."""
        import torch

        from vlm.borrowed import answering
        from vlm.quiet import quiet

        try:
            with answering(model) if self._in_training else torch.inference_mode(), quiet():
                yield
        except torch.OutOfMemoryError as error:
            raise MemoryError(str(error)) from error

    def _halved(self, size: int, error: MemoryError) -> int:
        """Half a batch, for this run and the next ones. Raises OutOfMemory for a batch of one."""
        if size == 1:
            raise OutOfMemory(
                f"{self.model} does not fit in memory, even with one prompt. Quantise it with "
                f"--set model.quantisation=nf4, or take a smaller model"
            ) from error
        import torch

        torch.cuda.empty_cache()
        self._batch_size = (size + 1) // 2
        log.warning("%s: out of memory with %d prompts together; going on with %d", self.model, size, self._batch_size)
        return self._batch_size


def open_engine(config: ModelConfig, adapter: Path | None = None, batch_size: int = 8) -> Engine:
    """An engine for the model that `config` describes, with a LoRA adapter's folder or without. Loads nothing yet.

    Raises AdapterMismatch for an adapter beside a model of a server, which has its own.
    """
    if config.server is None:
        return TransformersEngine(config, adapter, batch_size)
    if adapter is not None:
        raise AdapterMismatch(f"model {config.name} is a server's; an adapter is given to the server, not to --adapter")
    from vlm.server import ServerEngine

    return ServerEngine(config)


def _why(ended: bool, full: bool, guide: Guide | None) -> StopReason:
    """Why an answer is over. One that had to be brought to its end was cut, though its JSON is whole."""
    if ended and not (guide is not None and guide.hurried):
        return "end"
    return "length" if ended or full else "time"
