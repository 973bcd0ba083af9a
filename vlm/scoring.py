"""How likely given answers are: teacher-forced log-probabilities. Knows nothing of prompts or texts, only of tokens.

Imports torch; import it where a model is at hand, not before.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import torch
from torch.nn.functional import pad

from vlm.families import Family


def answer_logprobs(
    family: Family,
    model: Any,
    inputs: Mapping[str, torch.Tensor],
    answers: Sequence[Sequence[int]],
    stop_ids: Sequence[int],
) -> torch.Tensor:
    """float64 `(n, len(answers))`: the log-probability of each answer after each prompt, in nats.

    `inputs` are those of `family`, `input_ids` `(n, length)` left-padded. An answer is its tokens and then any of
    `stop_ids`, as `generate` would write it. Images are encoded once, whatever the number of answers.
    """
    seen = family.seen(model, inputs)
    columns = [_answer_logprob(family, model, seen, answer, stop_ids) for answer in answers]
    return torch.stack(columns, dim=1)


def first_token_logprobs(
    family: Family,
    model: Any,
    inputs: Mapping[str, torch.Tensor],
    begun: Sequence[int],
    tokens: Sequence[Collection[int]],
) -> torch.Tensor:
    """float64 `(n, len(tokens))`: the log-probability of any of each set of tokens, in nats, in one forward pass.

    They follow each prompt and an answer `begun` with these tokens.
    """
    logits = family.logits(model, _answered(family, family.seen(model, inputs), begun), 1)[:, -1]
    logprobs = torch.log_softmax(logits.float(), dim=-1).double()  # (n, vocabulary)
    return torch.stack([logprobs[:, sorted(several)].logsumexp(dim=1) for several in tokens], dim=1)


def _answer_logprob(
    family: Family, model: Any, inputs: Mapping[str, Any], answer: Sequence[int], stop_ids: Sequence[int]
) -> torch.Tensor:
    """float64 `(n,)`. All rows get the same answer, so that nothing is padded on the right."""
    longer = _answered(family, inputs, answer)
    tokens = longer["input_ids"][:, inputs["input_ids"].shape[1] :]  # (n, k)
    logits = family.logits(model, longer, len(answer) + 1)
    logprobs = torch.log_softmax(logits.float(), dim=-1).double()  # (n, k + 1, vocabulary)
    said = logprobs[:, :-1].gather(2, tokens[:, :, None]).sum(dim=(1, 2))
    ended = logprobs[:, -1, list(stop_ids)].logsumexp(dim=1)
    return said + ended


def _answered(family: Family, inputs: Mapping[str, Any], answer: Sequence[int]) -> dict[str, Any]:
    """`inputs` with the tokens of an answer behind each prompt."""
    prompt = inputs["input_ids"]
    tokens = torch.tensor(answer, device=prompt.device, dtype=prompt.dtype).expand(len(prompt), -1)  # (n, k)
    longer = {**inputs, "input_ids": torch.cat([prompt, tokens], dim=1)}
    for name, value in family.answer_inputs.items():
        if name in inputs:
            longer[name] = pad(inputs[name], (0, len(answer)), value=value)
    return longer
