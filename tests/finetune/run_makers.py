"""A prepared folder, a tiny model and a run's file, so that a whole run takes a second."""

from __future__ import annotations

import json
import os
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from batch.stopping import Stop
from finetune.config import FinetuneConfig, load_finetune_config
from finetune.train import Trained, train
from tests.vlm.conftest import picture

SMALL = {
    "method": "lora",
    "lora": {"rank": 2, "dropout": 0.1},
    "training": {
        "max_steps": 6, "batch_size": 2, "accumulation": 2, "learning_rate": 0.01, "gradient_checkpointing": False,
    },
    "checking": {"every_steps": 2, "texts": 2},
    "settings": {"retrieval": {"enabled": False}, "generation": {"max_new_tokens": 4}},
}  # fmt: skip
WORDS = ["axial scan of the chest", "a blood smear", "a radiograph", "no finding at all"]


def make_data(folder: Path, train_records: int = 10, dev_records: int = 3, **more: Any) -> Path:
    """Captions of random pictures; `more` goes into every record."""
    (folder / "images").mkdir(parents=True)
    number = 0
    for split, count in (("train", train_records), ("dev", dev_records)):
        lines = []
        for _ in range(count):
            picture(number).picture.save(folder / f"images/{number}.png")
            record = {"id": f"r{number}", "task": "caption", "images": [f"images/{number}.png"]}
            lines.append({**record, "answer": WORDS[number % len(WORDS)], "source": "made", **more})
            number += 1
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def make_config(folder: Path, data: Path, model: Path, family: str, **changes: Any) -> Path:
    """The file of a run over a tiny model, `SMALL` with changes by dotted names."""
    folder.mkdir(parents=True, exist_ok=True)
    of_model = {
        "family": family, "path": str(model), "prompt_tokens": 128, "caption_prompt": "zero_shot",
        "license": "Apache-2.0", "parameters": 200_000,
    }  # fmt: skip
    (folder / "tiny.yaml").write_text(yaml.safe_dump(of_model))
    file = folder / "small.yaml"
    file.write_text(
        yaml.safe_dump({**SMALL, "model": str(folder / "tiny.yaml"), "data": {"folder": str(data)}, **changes})
    )
    return file


def config_of(file: Path, *assignments: str) -> FinetuneConfig:
    return load_finetune_config(str(file), assignments)


def run(file: Path, out: Path, *assignments: str, tell: Callable[[str], None] = lambda _: None) -> Trained:
    return train(config_of(file, *assignments), out, tell, Stop())


def in_child(work: Callable[[], None], **environment: str) -> int:
    """Starts a process that has all this one has imported, and does `work`; returns its id."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        os.environ.update(environment)
        work()
        code = 0
    except BaseException:  # noqa: BLE001 - nothing of this process may go on into the test that it was copied from
        traceback.print_exc()
    finally:
        os._exit(code)


def ended(child: int) -> int:
    """How a child ended: its exit code, or minus the signal that killed it."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
