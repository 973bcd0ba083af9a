"""Every configuration that is shipped can be used, and says what it needs."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import configs
from finetune.config import load_finetune_config
from indexer.datasets.registry import SETS
from rag.opening import model_config
from rag.prompts import PromptTemplate
from vlm.families import FAMILIES

ROOT = Path(__file__).parents[2]
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
    asked = re.findall(r"python cli.py finetune prepare (\S+)", said)
    assert asked
    assert all(source in {*SETS, *configs.names("sets")} or source.endswith(".csv") for source in asked)


@pytest.mark.parametrize("name", NAMES)
def test_what_it_says_of_memory_is_what_was_reckoned(name: str) -> None:
    ways = json.loads((ROOT / "benchmarks/finetune_memory.json").read_text())["gib"][name]
    reckoned = [f"{terms['all']:.1f}" for terms in ways.values()]
    said = (configs.ROOT / "finetune" / f"{name}.yaml").read_text().partition("# Memory")[2].partition("\nmodel:")[0]
    assert re.findall(r"\d+\.\d", said) == list(dict.fromkeys(reckoned))
    row = re.search(rf"^\| `{re.escape(name)}` \|(.*)", (ROOT / "docs/finetuning.md").read_text(), re.MULTILINE)
    assert (row is None) == name.startswith("pocket")
    assert row is None or re.findall(r"\d+\.\d", row[1]) == reckoned
