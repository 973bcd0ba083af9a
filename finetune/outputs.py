"""What a run leaves in its folder beside the adapter: configuration, data, environment, figures, card."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from finetune.card import CARD, card
from finetune.config import FinetuneConfig
from finetune.records import REPORT, TrainingRecord
from finetune.run_folder import ADAPTER, CONFIG, DATA, ENVIRONMENT, RESULT, read_json, write_json
from indexer.licenses import is_stated
from rag.recipe import recipe
from vlm.config import ModelConfig
from vlm.cost.machine import versions

_PACKAGES = ("accelerate", "bitsandbytes", "peft", "safetensors")
NOT_STATED = "not stated"


def data_of(
    config: FinetuneConfig, splits: Mapping[str, Sequence[TrainingRecord]], fingerprints: Mapping[str, str]
) -> dict[str, Any]:
    """data.json: where the data is, its splits with their fingerprints, licences by records, prepare's report."""
    records = [record for split in splits.values() for record in split]
    licenses = Counter(record.license or NOT_STATED for record in records)
    report = config.data.folder / REPORT
    return {
        "folder": str(config.data.folder),
        "splits": {
            name: {"records": len(split), "fingerprint": fingerprints[f"data.{name}"], "tasks": _tasks(split)}
            for name, split in splits.items()
        },
        "sources": sorted({record.source for record in records} - {""}),
        "licenses": dict(licenses.most_common()),
        "unstated": sum(not is_stated(record.license) for record in records),
        "report": read_json(report) if report.is_file() else None,
    }


def write_beginning(home: Path, config: FinetuneConfig, data: Mapping[str, Any]) -> None:
    """What is known before the first step."""
    settings = config.model_dump(mode="json") | {"settings": config.resolved_settings().model_dump(mode="json")}
    (home / CONFIG).write_text(yaml.safe_dump(settings, sort_keys=False, allow_unicode=True), encoding="utf-8")
    write_json(home / DATA, data)
    made_with = recipe()
    write_json(home / ENVIRONMENT, made_with | {"versions": made_with["versions"] | versions(_PACKAGES), **_gpu()})


def write_end(home: Path, config: FinetuneConfig, base: ModelConfig, result: Mapping[str, Any]) -> None:
    """The card and, last of all, the figures, which make the run a finished one."""
    (home / ADAPTER / CARD).write_text(card(config, base, read_json(home / DATA), result), encoding="utf-8")
    write_json(home / RESULT, result)


def _tasks(split: Iterable[TrainingRecord]) -> dict[str, int]:
    return dict(Counter(record.task for record in split).most_common())


def _gpu() -> dict[str, Any]:
    import torch

    if not torch.cuda.is_available():
        return {}
    return {"gpus": [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]}
