"""Every configuration that is shipped can be used, and says what it needs."""

from __future__ import annotations

import re

import pytest

import configs
from finetune.config import load_finetune_config
from rag.opening import model_config
from rag.prompts import PromptTemplate
from vlm.families import FAMILIES

NAMES = configs.names("finetune")


def test_the_promised_ones_are_there() -> None:
    promised = (
        "paligemma-rocov2 smolvlm-rocov2 qwen2-vl-rocov2 smolvlm-pathvqa qwen2-vl-vqa-rad llama-3.2-vision-vqa-rad "
        "qwen2.5-vl-mtsamples"
    )
    assert set(promised.split()) <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_it_resolves(name: str) -> None:
    config = load_finetune_config(name)
    settings = config.resolved_settings()
    model = model_config(settings.model)
    assert model.family in FAMILIES
    template = PromptTemplate.load(settings.prompt.template or model.caption_prompt)
    shown = settings.retrieval.enabled and bool(template.kinds)
    assert shown or not (config.evidence.dropout or config.evidence.distract), "there is no evidence to leave out"


@pytest.mark.parametrize("name", NAMES)
def test_it_says_what_it_is_for_and_what_memory_it_needs(name: str) -> None:
    said = (configs.ROOT / "finetune" / f"{name}.yaml").read_text()
    assert re.match(r"# \w.*\n", said)
    assert re.search(r"# Memory, reckoned by vlm/cost/memory\.py, not measured: \d+\.\d GiB", said)
    assert "python cli.py finetune prepare" in said
