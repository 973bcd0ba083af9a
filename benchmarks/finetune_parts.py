"""Parts of `finetune.py`: what is trained, described and measured, each kept in a folder and made once."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from machine import ROOT

from batch.shards import put
from evaluation.metrics.measures import Asked
from evaluation.metrics.score import score_texts
from evaluation.metrics.scored import Scored, read_scores
from evaluation.runs import Run, read_run
from evaluation.statistics.compare import Comparison, compare
from evaluation.statistics.intervals import Estimate, Numbers, estimate
from finetune.answers import sample
from finetune.config import load_finetune_config
from finetune.encode import IGNORED, Encoder
from finetune.lessons import open_lessons
from finetune.loss import answer_loss
from finetune.records import read_split, write_split
from rag.opening import model_config
from vlm.engine import TransformersEngine

QUICK_RECORDS, QUICK_STEPS, QUICK_IMAGES = 24, 3, 12


@dataclass(frozen=True)
class Work:
    """Where parts are kept; `data` has the folders of `finetune prepare`. `quick` tries everything on a little."""

    folder: Path
    data: Path
    quick: bool

    def part(self, name: str, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """What `make` gave, now or before."""
        file = self.folder / "parts" / f"{name}.json"
        if not file.is_file():
            file.parent.mkdir(parents=True, exist_ok=True)
            made = make()
            put(f"{json.dumps(made, indent=1)}\n".encode(), file)
        found: dict[str, Any] = json.loads(file.read_text())
        return found

    def trained(self, config: str, name: str, *changes: str) -> dict[str, Any]:
        """`finetune run CONFIG`: the figures that it ends with, and its folder."""
        out = self.folder / "runs" / name
        quick = [f"training.max_steps={QUICK_STEPS}", "checking.every_steps=2"]
        asked = [*changes, *(quick if self.quick else [])]
        said = _cli("finetune", "run", config, "--out", str(out), "--json", *_sets(asked))
        return {**json.loads(said), "changes": list(changes)}

    def described(self, set_: str, name: str, metrics: str, *options: str) -> Scored:
        """`evaluate run` of a set: its scores, image by image."""
        out = self.folder / "described" / name
        some = [f"--where=id={record.id}" for record in read_split(self.prepared(set_), "dev")] if self.quick else []
        _cli("evaluate", "run", "--set", set_, "--out", str(out), "--metrics", metrics, *some, *options)
        return read_scores(out)

    def run(self, name: str) -> Run:
        """What was `described`."""
        return read_run(self.folder / "described" / name)

    def prepared(self, set_: str) -> Path:
        """The folder of `finetune prepare`; to try things, one with a few of its records."""
        whole = (self.data / set_).absolute()
        if not self.quick:
            return whole
        few = self.folder / "data" / set_
        if not (few / "dev.jsonl").is_file():
            few.mkdir(parents=True, exist_ok=True)
            (few / "images").symlink_to(whole / "images")
            for split, count in (("train", QUICK_RECORDS), ("dev", QUICK_IMAGES)):
                records = read_split(whole, split)
                write_split(few, split, [records[place] for place in sample(len(records), count)])
        return few


def losses(config: str, adapter: Path | None, folder: Path, *changes: str) -> dict[str, Any]:
    """Of each dev record the nats of its answer and its tokens, as training reckons them; with no adapter the base."""
    import torch

    resolved = load_finetune_config(config, changes)
    records = read_split(resolved.data.folder, resolved.data.dev)
    folder.mkdir(parents=True, exist_ok=True)
    lessons = open_lessons(resolved, records, folder, training=False, tell=print)
    model = model_config(resolved.resolved_settings().model)
    loaded = TransformersEngine(model, adapter).load()
    parts = (loaded.processor, loaded.tokenizer, loaded.control, loaded.stop_ids)
    encoder = Encoder(model.how, *parts, resolved.training.max_tokens)
    nats, tokens = [], []
    with torch.no_grad():
        for place in range(len(lessons)):
            batch = encoder([lessons[place]])
            nats.append(float(answer_loss(model.how, loaded.model, batch, 1)))
            tokens.append(int((batch["labels"] != IGNORED).sum()))
    return {"groups": [r.group for r in records], "nats": nats, "tokens": tokens}


def loss_figures(found: dict[str, Any], before: dict[str, Any] | None = None) -> dict[str, Any]:
    """Nats a token over all tokens; and of records' own means the interval, and how it differs from another's."""
    own = _a_token(found)
    figures: dict[str, Any] = {
        "nats_a_token": round(sum(found["nats"]) / sum(found["tokens"]), 4),
        "mean_of_records": _rounded(estimate(own, found["groups"])),
    }
    if before is not None:
        figures["minus_before"] = _rounded(estimate(own - _a_token(before), found["groups"]))
    return figures


def loss_compared(first: dict[str, Any], second: dict[str, Any], margin: float) -> dict[str, Any]:
    """Second minus first, nats a token, records paired and cases whole: a verdict within a margin."""
    found = compare(_a_token(first), _a_token(second), first["groups"], margin=margin, lower_is_better=True)
    return judged(found)


def compared(first: Scored, second: Scored, metric: str, margin: float | None = None) -> dict[str, Any]:
    """Second minus first, images paired and cases whole."""
    if first.ids != second.ids:
        raise ValueError(f"{first.name} and {second.name} are of other images")
    return judged(compare(first.values[metric], second.values[metric], first.groups, margin=margin))


def judged(found: Comparison) -> dict[str, Any]:
    return {
        "difference": _rounded(found.difference),
        "p": float(f"{found.p:.3g}"),
        "margin": found.margin,
        "p_equivalent": None if found.p_equivalent is None else float(f"{found.p_equivalent:.3g}"),
        "smallest_detectable": round(found.smallest_detectable, 4),
        "test": found.test,
        "verdict": found.verdict,
    }


def figures(scored: Scored) -> dict[str, Any]:
    """Every metric's mean with its interval, and those of all texts together."""
    own = {metric: _rounded(found) for metric in scored.values if (found := scored.estimate(metric)) is not None}
    return own | {f"{metric} (corpus)": round(found.value, 4) for metric, found in scored.corpus.items()}


def of_texts(name: str, texts: Sequence[str], asked: Asked, metrics: Sequence[str]) -> Scored:
    """Texts that no model wrote, judged as a run's are."""
    return score_texts(name, list(texts), asked, metrics, foils=())


def _a_token(found: dict[str, Any]) -> Numbers:
    return np.asarray(found["nats"]) / np.asarray(found["tokens"])


def _rounded(found: Estimate) -> dict[str, float]:
    return {key: round(value, 4) for key, value in asdict(found).items() if value is not None}


def _sets(assignments: Sequence[str]) -> list[str]:
    return [part for assignment in assignments for part in ("--set", assignment)]


def _cli(*arguments: str) -> str:
    """What a command of the program printed; raises where it failed."""
    command = [sys.executable, str(ROOT / "cli.py"), *arguments]
    print("$", " ".join(["python cli.py", *arguments]), flush=True)
    return subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
