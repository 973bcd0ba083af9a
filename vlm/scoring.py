"""How likely given answers are: teacher-forced log-probabilities. Knows nothing of prompts or texts, only of tokens.

Imports torch; import it where a model is at hand, not before.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch.nn.functional import pad


def answer_logprobs(
    model: Any, inputs: Mapping[str, torch.Tensor], answers: Sequence[Sequence[int]], stop_ids: Sequence[int]
) -> torch.Tensor:
    """float64 `(n, len(answers))`: the log-probability of each answer after each prompt, in nats.

    `inputs` are those of a `Family`, `input_ids` `(n, length)` left-padded. An answer is its tokens and then any of
    `stop_ids`, as `generate` would write it. Images are encoded once, whatever the number of answers.
    """
    features = _image_features(model, inputs)
    columns = [_answer_logprob(model, {**inputs, **features}, answer, stop_ids) for answer in answers]
    return torch.stack(columns, dim=1)


def _image_features(model: Any, inputs: Mapping[str, torch.Tensor]) -> dict[str, Any]:
    """What stands in for the pixels in `inputs`; nothing where there are none."""
    if "pixel_values" not in inputs:
        return {}
    taken = inspect.signature(model.get_image_features).parameters.keys() & inputs.keys()
    features = model.get_image_features(**{name: inputs[name] for name in taken}, return_dict=True)
    return {"pixel_values": None, "mm_encoder_outputs": {"image": features}}


def _answer_logprob(
    model: Any, inputs: Mapping[str, Any], answer: Sequence[int], stop_ids: Sequence[int]
) -> torch.Tensor:
    """float64 `(n,)`. All rows get the same answer, so that nothing is padded on the right."""
    prompt = inputs["input_ids"]
    tokens = torch.tensor(answer, device=prompt.device).expand(len(prompt), -1)  # (n, k)
    longer = {**inputs, "input_ids": torch.cat([prompt, tokens], dim=1)}
    # Of token types, PaliGemma's are 1 for what is read causally; Qwen2-VL's are 0 for text.
    for name, value in (("attention_mask", 1), ("token_type_ids", 1), ("mm_token_type_ids", 0)):
        if name in inputs:
            longer[name] = pad(inputs[name], (0, len(answer)), value=value)
    logits = model(**longer, use_cache=False, logits_to_keep=len(answer) + 1).logits
    logprobs = torch.log_softmax(logits.float(), dim=-1).double()  # (n, k + 1, vocabulary)
    said = logprobs[:, :-1].gather(2, tokens[:, :, None]).sum(dim=(1, 2))
    ended = logprobs[:, -1, list(stop_ids)].logsumexp(dim=1)
    return said + ended
