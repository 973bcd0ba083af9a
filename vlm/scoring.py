"""How likely given answers are: teacher-forced log-probabilities. Knows nothing of prompts or texts, only of tokens.

Imports torch; import it where a model is at hand, not before.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import torch

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
    longer = answered(family, family.seen(model, inputs), [begun] * len(inputs["input_ids"]))
    logits = family.logits(model, longer, 1)[:, -1]
    logprobs = torch.log_softmax(logits.float(), dim=-1).double()  # (n, vocabulary)
    return torch.stack([logprobs[:, sorted(several)].logsumexp(dim=1) for several in tokens], dim=1)


def continued_logprobs(
    family: Family, model: Any, inputs: Mapping[str, torch.Tensor], answer: Sequence[int], begun: int
) -> torch.Tensor:
    """float64 `(n,)`: the log-probability of `answer` from its token number `begun` on, in nats, after each prompt.

    The tokens before it are given. Scores are worked out row by row: those of a long answer fill more memory than the
    model does.
    """
    longer = answered(family, family.seen(model, inputs), [answer] * len(inputs["input_ids"]))
    tokens = torch.tensor(answer[begun:], device=longer["input_ids"].device)  # (k,)
    states = family.states(model, longer, len(tokens) + 1)[:, :-1]  # (n, k, width)
    rows = [family.scores(model, state).float().log_softmax(dim=-1) for state in states]  # n of (k, vocabulary)
    return torch.stack([row.gather(1, tokens[:, None]).double().sum() for row in rows])


def _answer_logprob(
    family: Family, model: Any, inputs: Mapping[str, Any], answer: Sequence[int], stop_ids: Sequence[int]
) -> torch.Tensor:
    """float64 `(n,)`. All rows get the same answer, so that nothing is padded on the right."""
    longer = answered(family, inputs, [answer] * len(inputs["input_ids"]))
    tokens = longer["input_ids"][:, inputs["input_ids"].shape[1] :]  # (n, k)
    logits = family.logits(model, longer, len(answer) + 1)
    logprobs = torch.log_softmax(logits.float(), dim=-1).double()  # (n, k + 1, vocabulary)
    said = logprobs[:, :-1].gather(2, tokens[:, :, None]).sum(dim=(1, 2))
    ended = logprobs[:, -1, list(stop_ids)].logsumexp(dim=1)
    return said + ended


def answered(
    family: Family, inputs: Mapping[str, Any], answers: Sequence[Sequence[int]], padding: int = 0
) -> dict[str, Any]:
    """`inputs` with each row's own answer behind its prompt, all ending together: `input_ids` `(n, longer)`.

    What a shorter row lacks stands before it, token `padding` not looked at; where all rows have some, it is cut off.
    """
    ids = inputs["input_ids"]
    tokens = [ids.new_tensor(answer) for answer in answers]
    longer = {**inputs, "input_ids": _behind(ids, tokens, padding)}
    for name, value in family.answer_inputs.items():
        if name in inputs:
            ends = [_end(row, len(answer), value) for row, answer in zip(inputs[name], answers, strict=True)]
            longer[name] = _behind(inputs[name], ends, 0)
    if len(set(map(len, answers))) == 1:  # then a row without padding has none now
        return longer
    spare = int((longer["attention_mask"] != 0).any(dim=0).int().argmax())
    return longer | {name: longer[name][:, spare:] for name in ("input_ids", *family.answer_inputs) if name in longer}


def _end(row: torch.Tensor, tokens: int, value: int | None) -> torch.Tensor:
    """What `tokens` more have of an input `(length, ...)`: `value`, or for None what its last one has."""
    shape = (tokens, *row.shape[1:])
    return row[-1:].expand(shape) if value is None else row.new_full(shape, value)


def _behind(rows: torch.Tensor, ends: Sequence[torch.Tensor], fill: int) -> torch.Tensor:
    """`(n, length + longest end, ...)`: each of `(n, length, ...)` rows with `fill` before it and its end behind it."""
    most = max(map(len, ends))
    pads = [row.new_full((most - len(end), *row.shape[1:]), fill) for row, end in zip(rows, ends, strict=True)]
    return torch.stack([torch.cat(parts) for parts in zip(pads, rows, ends, strict=True)])
