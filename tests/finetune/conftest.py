"""The tiny models of tests/vlm, and runs over them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from finetune.config import FinetuneConfig
from tests.vlm import tiny
from tests.vlm.conftest import config_of, folder_of

__all__ = ["config_of", "folder_of"]


@pytest.fixture(scope="session")
def run_of(folder_of: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Callable[..., FinetuneConfig]:
    """A run over a tiny model, in fp32, with what is given in place of its own values."""
    root = tmp_path_factory.mktemp("configs")

    def make(kind: str, method: str, **changes: Any) -> FinetuneConfig:
        file = root / f"tiny-{kind}.yaml"
        model = {
            "family": tiny.FAMILY_OF.get(kind, kind),
            "path": str(folder_of(kind)),
            "prompt_tokens": 128,
            "caption_prompt": "zero_shot",
            "license": "Apache-2.0",
            "parameters": 200_000,
            "generation": {"max_new_tokens": 12},
            "dtype": "fp32",
        }
        file.write_text(yaml.safe_dump(model))
        data = {"name": "tiny", "model": str(file), "data": {"folder": root}, "method": method}
        return FinetuneConfig.model_validate({**data, **changes})

    return make
