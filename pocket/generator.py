"""The generator: FastVLM over the tuned trunk with a small Qwen2, trained on cached features."""

from __future__ import annotations

import csv
import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import nn
from tqdm import tqdm
from transformers import (
    CLIPImageProcessor,
    FastVlmConfig,
    FastVlmForConditionalGeneration,
    GenerationConfig,
    LlavaProcessor,
    PreTrainedTokenizerFast,
    Qwen2Config,
    TimmWrapperConfig,
)

from pocket.corpus import Sample
from pocket.facts import COUNTS
from pocket.tokenizer import CHAT_TEMPLATE, END, IMAGE, PAD, VOCAB_SIZE, number_ids, save_for_generator, token_id
from pocket.trunk import ARCHITECTURE, FIELD_SIZE, GRID, MEAN, STD, TOKENS, WIDTH, device_of

HIDDEN, LAYERS, HEADS, KV_HEADS, MLP = 256, 4, 4, 2, 768
MAX_TOKENS = 640
NUMBERS_SEED = 1
_CHECKPOINT_STEPS = 250
_NUMBER_SCALE, _COUNT_SPREAD = 0.2, 0.1
"""How far apart numbers are alike, as a share of them; and how wide around a count its neighbours are wanted too."""
Gather = Callable[[Sequence[int]], NDArray[np.float16]]


@dataclass(frozen=True)
class Schedule:
    """How long and how fast: steps, peak learning rate, tokens in a batch (padding counted), steps of warm-up."""

    steps: int
    learning_rate: float
    batch_tokens: int = 3_600
    warmup: int = 60


def build(tokenizer: Tokenizer, trunk: nn.Module) -> FastVlmForConditionalGeneration:
    """A new generator whose vision tower is the given trunk, frozen; the rest random. On the trunk's device."""
    text = Qwen2Config(
        vocab_size=VOCAB_SIZE,
        hidden_size=HIDDEN,
        intermediate_size=MLP,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        num_key_value_heads=KV_HEADS,
        max_position_embeddings=2048,
        tie_word_embeddings=True,
        pad_token_id=token_id(tokenizer, PAD),
        eos_token_id=token_id(tokenizer, END),
        bos_token_id=None,
    )
    vision = TimmWrapperConfig(  # type: ignore[call-arg]
        architecture=ARCHITECTURE, num_labels=0, do_pooling=False, hidden_size=WIDTH, model_args={"global_pool": ""}
    )
    config = FastVlmConfig(  # type: ignore[call-arg]
        vision_config=vision,
        text_config=text,
        image_token_index=token_id(tokenizer, IMAGE),
        image_seq_length=TOKENS,
        tie_word_embeddings=True,
        pad_token_id=token_id(tokenizer, PAD),
        eos_token_id=token_id(tokenizer, END),
    )
    model = FastVlmForConditionalGeneration(config)
    start_numbers(model, number_ids(tokenizer), NUMBERS_SEED)
    tower = model.model.vision_tower.timm_model
    tower.load_state_dict(trunk.state_dict())
    model.model.vision_tower.requires_grad_(False)
    nn.Module.to(model, device_of(trunk))
    return model


def start_projector(
    model: FastVlmForConditionalGeneration, tokens: NDArray[np.float16], readings: NDArray[np.float32]
) -> None:
    """Sets the projector's first layer: readings of each token in both signs, then whitened principal components.

    `tokens` is `(n, 1280)` and `readings` `(r, 1280)`, the weights of linear heads. Without them the language model
    takes very long to find what it must count.
    """
    sample = tokens.astype(np.float32)
    mean = sample.mean(axis=0)
    covariance = np.cov(sample - mean, rowvar=False)
    values, vectors = np.linalg.eigh(covariance)
    floor = 1e-3 * values.max()
    scaled = readings * (2 / np.sqrt(np.einsum("rw,wv,rv->r", readings, covariance, readings)))[:, None]
    order = np.argsort(-values)[: HIDDEN - 2 * len(scaled)]
    components = (vectors[:, order] / np.sqrt(values[order] + floor)).T
    matrix = np.concatenate([scaled, -scaled, components]).astype(np.float32)
    with torch.no_grad():
        model.model.multi_modal_projector.linear_1.weight.copy_(torch.from_numpy(matrix))
        model.model.multi_modal_projector.linear_1.bias.copy_(torch.from_numpy(-matrix @ mean))


def start_numbers(model: FastVlmForConditionalGeneration, ids: Mapping[int, int], seed: int) -> None:
    """Embeds numbers so that those close to each other are alike: what is learned of 14 then holds for 15.

    Each dimension is a random wave over the logarithm of the number (random Fourier features of a Gaussian kernel).
    """
    source = torch.Generator().manual_seed(seed)
    frequency = torch.randn(HIDDEN, generator=source) / _NUMBER_SCALE
    phase = 2 * math.pi * torch.rand(HIDDEN, generator=source)
    place = torch.tensor(list(ids)).float().log1p()
    table = model.get_parameter("model.language_model.embed_tokens.weight")
    with torch.no_grad():
        waves = torch.cos(place[:, None] * frequency + phase)
        table[list(ids.values())] = table.std() * math.sqrt(2) * waves


def save(model: FastVlmForConditionalGeneration, tokenizer: Tokenizer, folder: Path) -> None:
    """The model in fp16 with its processor, generation settings and chat template, as the Auto classes read it."""
    folder.mkdir(parents=True, exist_ok=True)
    save_for_generator(tokenizer, folder)
    images = CLIPImageProcessor(
        do_resize=True,
        size={"height": FIELD_SIZE, "width": FIELD_SIZE},
        resample=3,
        do_center_crop=False,
        crop_size={"height": FIELD_SIZE, "width": FIELD_SIZE},
        do_rescale=True,
        do_normalize=True,
        image_mean=list(MEAN),
        image_std=list(STD),
        do_convert_rgb=True,
    )
    processor = LlavaProcessor(
        image_processor=images,
        tokenizer=PreTrainedTokenizerFast.from_pretrained(folder),
        patch_size=FIELD_SIZE // GRID,
        vision_feature_select_strategy="full",
        chat_template=CHAT_TEMPLATE,
        image_token=IMAGE,
    )
    processor.save_pretrained(folder)
    model.generation_config = GenerationConfig(
        do_sample=False,
        max_new_tokens=64,
        eos_token_id=token_id(tokenizer, END),
        pad_token_id=token_id(tokenizer, PAD),
        bad_words_ids=never_written(tokenizer),
    )
    half = FastVlmForConditionalGeneration(model.config)
    half.load_state_dict(model.state_dict())
    half.generation_config = model.generation_config
    half.half().save_pretrained(folder)


def never_written(tokenizer: Tokenizer) -> list[list[int]]:
    """Sequences of tokens that the generator must not write: a yes or no where a caption is to name a body part.

    Where it does not know one, the word it writes most often of all came next: "Axial CT of theYes.", in five of 1,850.
    """
    the, *answers = (tokenizer.encode(text, add_special_tokens=False).ids for text in (" the", "Yes", "No"))
    return [[*the, *answer] for answer in answers]


@dataclass(frozen=True, eq=False)
class _Coded:
    """Tokens of an opening and its turns, one behind the other. `turn` is 0 in the opening and counts from 1;
    `place` goes on from the opening in each turn; `wanted` marks the answers, `doubt` how much
    the opposite of a yes or no is wanted."""

    ids: list[int]
    turn: list[int]
    place: list[int]
    wanted: list[bool]
    doubt: list[float]
    view: int | None


def encode(samples: Sequence[Sample], tokenizer: Tokenizer) -> list[_Coded]:
    """Token ids of opening, turns and ends; turns past `MAX_TOKENS` are left out."""
    openings = tokenizer.encode_batch([s.opening for s in samples], add_special_tokens=False)
    turns = [turn for s in samples for turn in s.turns]
    asked = iter(tokenizer.encode_batch([turn.asked for turn in turns], add_special_tokens=False))
    answers = iter(tokenizer.encode_batch([turn.answer + END for turn in turns], add_special_tokens=False))
    coded = []
    for sample, begun in zip(samples, openings, strict=True):
        ids, start = list(begun.ids), len(begun.ids)
        made = _Coded(ids, [0] * start, list(range(start)), [False] * start, [0.0] * start, sample.view)
        for number, turn in enumerate(sample.turns, start=1):
            question, answer = next(asked).ids, next(answers).ids
            if len(ids) + len(question) + len(answer) > MAX_TOKENS:
                continue
            length = len(question) + len(answer)
            ids += question + answer
            made.turn.extend([number] * length)
            made.place.extend(range(start, start + length))
            made.wanted.extend([False] * len(question) + [True] * len(answer))
            made.doubt.extend([0.0] * len(question) + [turn.doubt] * len(answer))
        if any(made.wanted):
            coded.append(made)
    return coded


def batches(coded: list[_Coded], batch_tokens: int, rng: random.Random) -> Iterator[list[_Coded]]:
    """Batches of like length, in random order, image samples apart from text alone."""
    made: list[list[_Coded]] = []
    for part in ([c for c in coded if c.view is not None], [c for c in coded if c.view is None]):
        part.sort(key=lambda c: len(c.ids) + rng.randint(0, 12))
        current: list[_Coded] = []
        for item in part:
            if current and (len(current) + 1) * max(len(item.ids), len(current[-1].ids)) > batch_tokens:
                made.append(current)
                current = []
            current.append(item)
        if current:
            made.append(current)
    rng.shuffle(made)
    yield from made


class Objective:
    """Mean cross-entropy of the answers' tokens; the prompt, the image and the padding are not trained on.

    Where a yes or no is in doubt, so much of its opposite is wanted. A count's own token is wanted most and its
    neighbours' somewhat, within about a tenth of it: the greedy answer is then the middle of what is likely, and not
    the count most often seen.
    """

    def __init__(self, tokenizer: Tokenizer, on: torch.device | str = "cpu") -> None:
        self._device = on
        numbers = number_ids(tokenizer)
        self._opposite = torch.arange(VOCAB_SIZE)
        yes, no = (tokenizer.encode(answer, add_special_tokens=False).ids[0] for answer in ("Yes", "No"))
        self._opposite[[yes, no]] = torch.tensor([no, yes])
        self._opposite = self._opposite.to(on)
        values = torch.tensor(COUNTS).float()
        width = (_COUNT_SPREAD * values).clamp(min=0.5)
        near = torch.exp(-((values[None, :] - values[:, None]) ** 2) / (2 * width[:, None] ** 2))
        self._near = (near / near.sum(dim=1, keepdim=True)).to(on)
        self._ids = torch.tensor([numbers[count] for count in COUNTS], device=on)
        self._row = torch.full((VOCAB_SIZE,), -1, device=on)
        self._row[self._ids] = torch.arange(len(COUNTS), device=on)

    def loss(self, model: FastVlmForConditionalGeneration, batch: list[_Coded], gather: Gather | None) -> torch.Tensor:
        """The loss of a batch; `gather` gives the grids of its views."""
        ids, turn, place, wanted, doubt = (
            _padded([getattr(c, name) for c in batch]).to(self._device) for name in _FIELDS
        )
        seen = (turn[:, None, :] == turn[:, :, None]) | (turn[:, None, :] == 0)
        seen &= torch.ones(ids.shape[1], ids.shape[1], dtype=torch.bool, device=self._device).tril()
        views = [c.view for c in batch if c.view is not None]
        embedded = model.get_input_embeddings()(ids.clamp(min=0))
        if views and gather is not None:
            projected = model.model.multi_modal_projector(torch.from_numpy(gather(views)).to(self._device).float())
            mask = (ids == model.config.image_token_id).unsqueeze(-1)
            embedded = embedded.masked_scatter(mask, projected)
        hidden = model.model.language_model(
            inputs_embeds=embedded,
            attention_mask=seen[:, None],
            position_ids=place.clamp(min=0),
            use_cache=False,
        ).last_hidden_state
        chosen = wanted[:, 1:] == 1
        logits = model.lm_head(hidden[:, :-1][chosen])
        return self._cross_entropy(logits, ids[:, 1:][chosen], doubt[:, 1:][chosen])

    def _cross_entropy(self, logits: torch.Tensor, targets: torch.Tensor, doubt: torch.Tensor) -> torch.Tensor:
        rows = self._row[targets]
        counts = rows >= 0
        said, other = (
            nn.functional.cross_entropy(logits[~counts], meant[~counts], reduction="none")
            for meant in (targets, self._opposite[targets])
        )
        plain = ((1 - doubt[~counts]) * said + doubt[~counts] * other).sum()
        if not counts.any():
            return plain / len(targets)
        spoken = logits[counts].log_softmax(dim=1)[:, self._ids]
        wanted = self._near[rows[counts]]
        return (plain + nn.functional.kl_div(spoken, wanted, reduction="sum")) / len(targets)


_FIELDS = ("ids", "turn", "place", "wanted", "doubt")


def _padded(rows: Sequence[Sequence[float]]) -> torch.Tensor:
    """Rows of one length, -1 behind the shorter ones."""
    longest = max(len(row) for row in rows)
    return torch.tensor([[*row, *[-1] * (longest - len(row))] for row in rows])


def fit(
    model: FastVlmForConditionalGeneration,
    epochs: Iterator[list[Sample]],
    gather: Gather | None,
    tokenizer: Tokenizer,
    schedule: Schedule,
    log: Path,
    seed: int,
) -> None:
    """Trains all but the vision tower with cosine decay, on the model's device; goes on from the checkpoint beside
    `log`, if any.

    A batch is the same whatever was trained before, so a run that was stopped ends where an unbroken one does.
    """
    rng = random.Random(seed)
    objective = Objective(tokenizer, model.device)
    trained = [p for p in model.parameters() if p.requires_grad]
    optimisers = _optimisers(model, schedule.learning_rate)
    model.train()
    model.model.vision_tower.eval()
    log.parent.mkdir(parents=True, exist_ok=True)
    checkpoint = log.with_suffix(".checkpoint")
    recent: torch.Tensor | None = None  # on the device: asked for its number only now and then, which waits for it
    seen, begun = 0, _resume(checkpoint, model, optimisers)
    stream = (batch for samples in epochs for batch in batches(encode(samples, tokenizer), schedule.batch_tokens, rng))
    with log.open("a" if begun else "w", newline="") as file:
        writer = csv.writer(file)
        if not begun:
            writer.writerow(("step", "samples", "loss"))
        steps = zip(range(schedule.steps), stream, strict=False)
        for step, batch in tqdm(steps, log.stem, schedule.steps, unit="step", disable=None):
            seen += len(batch)
            if step < begun:
                continue
            rate = min(1.0, (step + 1) / schedule.warmup) * (
                0.03 + 0.97 * (1 + math.cos(math.pi * step / schedule.steps)) / 2
            )
            for group in (group for optimiser in optimisers for group in optimiser.param_groups):
                group["lr"] = schedule.learning_rate * rate
            loss = objective.loss(model, batch, gather)
            model.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(trained, 1.0)
            for optimiser in optimisers:
                optimiser.step()
            recent = loss.detach() if recent is None else 0.95 * recent + 0.05 * loss.detach()
            if (step + 1) % 20 == 0:
                writer.writerow((step + 1, seen, round(recent.item(), 4)))
                file.flush()
            if (step + 1) % _CHECKPOINT_STEPS == 0:
                part = checkpoint.with_suffix(".part")
                states = [optimiser.state_dict() for optimiser in optimisers]
                torch.save({"step": step + 1, "model": model.state_dict(), "optimisers": states}, part)
                part.rename(checkpoint)
    checkpoint.unlink(missing_ok=True)


def _optimisers(model: nn.Module, learning_rate: float) -> list[torch.optim.Optimizer]:
    """Muon for the matrices of the layers, AdamW for embeddings, projector and norms.

    In a trial of 150 steps on texts this reached after 120 of them what AdamW alone reached at the end.
    """
    matrices: list[nn.Parameter] = []
    rest: list[nn.Parameter] = []
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            (matrices if ".layers." in name and parameter.ndim == 2 else rest).append(parameter)
    return [
        torch.optim.Muon(matrices, lr=learning_rate, weight_decay=0.05, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(rest, lr=learning_rate, betas=(0.9, 0.95), weight_decay=0.05, fused=True),
    ]


def _resume(checkpoint: Path, model: nn.Module, optimisers: Sequence[torch.optim.Optimizer]) -> int:
    """The number of steps that the checkpoint has behind it, its state restored; 0 where there is none."""
    if not checkpoint.exists():
        return 0
    state = torch.load(checkpoint, weights_only=True, map_location="cpu")
    model.load_state_dict(state["model"])
    for optimiser, held in zip(optimisers, state["optimisers"], strict=True):
        optimiser.load_state_dict(held)
    return int(state["step"])
