from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from finetune.adapt import save
from finetune.config import FinetuneConfig
from tests.finetune.steps import everything, prompts_of, scores, trained
from tests.vlm import tiny
from vlm.loading import load
from vlm.weights import find_files

Runs = Callable[..., FinetuneConfig]
METHODS = ["lora", "qlora", "dora", "soft_prompt", "full"]
CASES = [(kind, method) for kind in tiny.ALL_KINDS for method in METHODS if (kind, method) != ("blip", "soft_prompt")]


@pytest.mark.parametrize(("kind", "method"), CASES)
def test_what_is_to_move_moves_and_nothing_else(kind: str, method: str, run_of: Runs, tmp_path: Path) -> None:
    config = run_of(kind, method)
    model, adapted, before = trained(kind, config)
    after = everything(adapted.model)
    assert after.keys() == before.keys()
    moved = {name for name, tensor in after.items() if not torch.equal(tensor, before[name])}
    assert moved == adapted.trained.keys()
    with torch.inference_mode():
        said = scores(model, adapted.loaded, adapted.model, prompts_of(kind))
    save(adapted, tmp_path / "out")
    if method == "full":
        again = load(model, tmp_path / "out", None)
    else:
        again = load(model, find_files(model), tmp_path / "out")
    with torch.inference_mode():
        read_again = scores(model, again, again.model, prompts_of(kind), room=method == "soft_prompt")
    torch.testing.assert_close(read_again, said, rtol=1e-5, atol=1e-5)
