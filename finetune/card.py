"""The model card beside an adapter: what it is, what it was made from, how good it is, and what may be done with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from finetune.config import FinetuneConfig
from vlm.config import ModelConfig

CARD = "README.md"
_METHODS = {
    "lora": "LoRA", "qlora": "QLoRA: LoRA over a base in NF4", "dora": "DoRA", "soft_prompt": "prompt tuning",
    "full": "full tuning: the model's own weights",
}  # fmt: skip


def card(config: FinetuneConfig, base: ModelConfig, data: Mapping[str, Any], result: Mapping[str, Any]) -> str:
    """Markdown with the front matter of the hub. `data` is data.json, `result` result.json."""
    full = config.method == "full"
    head = {
        "base_model": base.hub_id or base.name,
        "base_model_relation": "finetune" if full else "adapter",
        "library_name": "transformers" if full else "peft",
        "license": "other",
        "license_name": f"that of {base.name} ({base.license}), and those of the data below",
        "tags": ["lumenscribe", "biomedical", "image-to-text", config.method],
    }
    use = "--set model.path=FOLDER" if full else "--adapter FOLDER"
    # A file is named by its place on this machine, and the card goes out with the adapter.
    model = base.name if config.model.endswith((".yaml", ".yml")) else config.model
    sections = [
        f"---\n{yaml.safe_dump(head, sort_keys=False, allow_unicode=True)}---",
        f"# {config.name}",
        "For research only; not for diagnosis.",
        f"{config.notes}".strip(),
        f"```\npython cli.py caption --image IMAGE --model {model} {use}\n```",
        f"## Base\n\n{base.name}, {base.source if base.hub_id else 'of this program'}, licence {base.license}.",
        f"## Method\n\n{_method(config, result)}",
        f"## Data\n\n{_data(data)}",
        f"## Figures on dev\n\n{_figures(config, result)}",
        "## Limits\n\nIt may describe what is not there and miss what is, with confidence. The figures say how it does "
        "on data like that above and nothing about other hospitals, scanners or questions. Nothing that it writes may "
        "lead to a decision about a person.",
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _method(config: FinetuneConfig, result: Mapping[str, Any]) -> str:
    training, lora = config.training, config.lora
    said = [_METHODS[config.method]]
    if config.method in ("lora", "qlora", "dora"):
        said.append(f"rank {lora.rank}, alpha {lora.alpha:g}, dropout {lora.dropout:g}")
    if config.projector:
        said.append("the projector in full")
    said.append(f"vision tower {config.vision}")
    batch = training.batch_size * training.accumulation * int(result["processes"])
    steps = (
        f"{result['steps']} steps of {batch} records, learning rate {training.learning_rate:g} ({training.schedule}), "
        f"{result['precision']}, seed {training.seed}"
    )
    rag = "with retrieved evidence in the prompt" if result["evidence"] else "without evidence in the prompt"
    return (
        f"{'; '.join(said)}: {result['trained']:,} of {result['trained'] + result['frozen']:,} numbers trained. "
        f"{steps}; {rag}. Only answers were learned, no token of a prompt. Kept is step {result['best_step']}, the "
        f"best on dev by {config.checking.best}."
    )


def _data(data: Mapping[str, Any]) -> str:
    splits = ", ".join(f"{name} {split['records']:,} records" for name, split in data["splits"].items())
    sources = ", ".join(data["sources"]) or "a source that is not stated"
    licenses = ", ".join(f"{name} ({count:,})" for name, count in data["licenses"].items())
    lines = [f"From {sources}: {splits}. Licences, by records: {licenses}."]
    if data["unstated"]:
        lines.append(
            f"**{data['unstated']:,} records have no stated licence: weights made from them are not to be shipped.**"
        )
    return "\n\n".join(lines)


def _figures(config: FinetuneConfig, result: Mapping[str, Any]) -> str:
    before, after = result["before"], result["after"]
    rows = [f"| {name} | {_number(before.get(name))} | {_number(after[name])} |" for name in after]
    others = f"; the others are of answers to {min(config.checking.texts, result['dev_records'])} of them"
    about = (
        f"`loss` is in nats a token of the answer over {result['dev_records']:,} records"
        f"{others if len(after) > 1 else ''}. They chose the step that was kept, so they flatter it a little."
    )
    return "\n".join(["| | before | after |", "|---|---|---|", *rows]) + f"\n\n{about}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
