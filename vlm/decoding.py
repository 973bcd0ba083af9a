"""Decoding as GenerationParams describe it, so that an answer depends on its prompt and seed and on nothing else.

Tokens are always chosen as the best score; sampling adds Gumbel noise to the scores first, which draws from the same
distribution (Gumbel-max trick: Maddison, Tarlow and Minka 2014). The noise is of a generator of its own, so that
global random state neither matters nor changes, and it is the same for each row, so that a prompt is answered alike
alone and in any batch.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from transformers import (
    LogitsProcessor,
    LogitsProcessorList,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopPLogitsWarper,
)

from vlm.constrain import Guide, SchemaEnd, SchemaMask
from vlm.types import GenerationParams


class LogprobMeter(LogitsProcessor):
    """Takes the model's log-probability of each chosen token, keeping one step's scores and not all of them.

    Must come first, to see the scores as the model gave them. After the last step call `finish`.
    """

    def __init__(self, rows: int, stop_ids: tuple[int, ...], device: torch.device) -> None:
        self._stop_ids = torch.tensor(stop_ids, device=device, dtype=torch.long)
        self._logprobs: torch.Tensor | None = None  # (rows, vocabulary), of the step just scored
        self._sum = torch.zeros(rows, device=device, dtype=torch.float64)
        self._least = torch.zeros(rows, device=device, dtype=torch.float64)
        self._count = torch.zeros(rows, device=device, dtype=torch.long)
        self._ended = torch.zeros(rows, device=device, dtype=torch.bool)

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        self._take(input_ids[:, -1])
        self._logprobs = torch.log_softmax(scores.float(), dim=-1)
        return scores

    def finish(self, last: torch.Tensor) -> None:
        """Takes the tokens of the last step, `(rows,)`."""
        self._take(last)
        self._logprobs = None

    def _take(self, tokens: torch.Tensor) -> None:
        if self._logprobs is None:  # before the first step there is only the prompt
            return
        chosen = self._logprobs.gather(1, tokens[:, None]).squeeze(1)
        counted = torch.where(self._ended, 0.0, chosen.double())
        self._sum += counted
        self._least = torch.minimum(self._least, counted)
        self._count += ~self._ended
        self._ended |= torch.isin(tokens, self._stop_ids)

    @property
    def new_tokens(self) -> list[int]:
        """Tokens of each answer, the one that ended it counted."""
        return [int(n) for n in self._count]

    @property
    def ended(self) -> list[bool]:
        """Whether each answer ended itself; where not, it was cut at the length asked for."""
        return [bool(e) for e in self._ended]

    @property
    def mean_logprobs(self) -> list[float]:
        """Mean log-probability of each answer's tokens, in nats."""
        return [float(m) for m in self._sum / self._count.clamp(min=1)]

    @property
    def min_logprobs(self) -> list[float]:
        """Log-probability of the least likely of each answer's tokens, in nats."""
        return [float(m) for m in self._least]


class GumbelNoise(LogitsProcessor):
    """Adds the noise that makes the best score a sample. Draws `(vocabulary,)` numbers a step, on the CPU."""

    def __init__(self, seed: int) -> None:
        self._generator = torch.Generator().manual_seed(seed)

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:  # noqa: ARG002 - the protocol
        exponential = torch.empty(scores.shape[-1]).exponential_(generator=self._generator)
        return scores - exponential.log().to(scores.device)


def processors(
    params: GenerationParams, meter: LogprobMeter, prompt_length: int, guides: Sequence[Guide | None]
) -> LogitsProcessorList:
    """The steps between the model's scores and the choice of a token. `guides` has a row's grammar, or None.

    The repetition penalty counts the answer's tokens only: over the prompt it would punish the use of evidence, and
    over padding it would make an answer depend on its batch.
    """
    constrained = any(guides)
    steps = LogitsProcessorList([meter])
    if params.repetition_penalty != 1.0:
        steps.append(RepetitionPenaltyLogitsProcessor(params.repetition_penalty, prompt_ignore_length=prompt_length))
    if constrained:  # before the nucleus is cut, or it might hold nothing that is allowed
        steps.append(SchemaMask(guides, prompt_length))
    if params.temperature > 0.0:
        steps.append(TemperatureLogitsWarper(params.temperature))
        if params.top_p < 1.0:
            steps.append(TopPLogitsWarper(params.top_p))
        steps.append(GumbelNoise(params.seed))
    if constrained:
        steps.append(SchemaEnd(guides))
    return steps
