"""Folders of results as the commands write them, made up: of as many images and arms as a test asks for."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from evaluation.metrics.scored import Recipe, Scored, write_scores
from evaluation.sets import Case
from evaluation.statistics.compare import compare_all

ATTACK = '<script>alert("x")</script><img src="https://example.org/x.png">'
NAMES = ["plain", "a very long name of an arm that says all of its settings, k=12, best_last, look_first and more"]
RECIPES = {
    "rouge1": Recipe("ROUGE-1", "F, texts as they stand", "rouge-score 0.1.2", "Lin 2004"),
    "chrf": Recipe("chrF", "F2 of character n-grams", "sacrebleu 2.5"),
}
MISSING = {"bertscore": "the model microsoft/deberta-xlarge-mnli is not here: fetch it"}
MADE = {
    "command": "cli.py evaluate run --index https://user:secret@example.org/index",
    "date": "2026-11-25T12:00:00+00:00",
    "versions": {"torch": "2.15.0"},
    "machine": {"cpu": "made", "cores": 2},
    "settings": {"model": {"name": "pocket"}, "retrieval": {"k": 5, "enabled": True}},
    "model": "pocket@12345678",
    "adapter": None,
    "prompt": {"caption": "few_shot@caa69fd6"},
    "index": "data/indexes/made@1",
    "params": {"temperature": 0.0},
}


def record(id_: str, image: str, text: str, seconds: float, evidence: str = "A neighbour's caption.") -> dict[str, Any]:
    """A description as `caption --json` has it, no more of it than a report reads."""
    piece = {
        "number": 1,
        "kind": "example",
        "id": "n1",
        "source": "made",
        "text": evidence,
        "score": 0.5,
        "license": "CC0",
    }
    return {
        "id": id_, "image": image, "images": [{"image": image}], "image_sha256": id_,
        "task": "caption", "caption": text, "evidence": [piece],
        "warnings": [
            "evidence did not fit into 384 prompt tokens", f'conflict "{evidence}" and another',
            f"{image}: 16- or 32-bit values scaled to 8 bits by percentile",
            f"pictures/older-{id_}.dcm: from a record that does not say its image",
        ],
        "confidence": {"score": 1 / (1 + seconds), "signals": {}}, "abstained": False,
        "timings_s": {"generate": seconds, "total": seconds + 0.1}, "tokens": {"prompt": 300, "new": 12},
        "run": {"together": 8},
    }  # fmt: skip


def write_run(
    folder: Path, images: int = 12, caption: str = "Axial CT of the chest.", text: str = "CT.", failed: int = 1
) -> Path:
    """A run whose last images failed; pictures are there for all but the first."""
    folder.mkdir(parents=True)
    pictures = folder.parent / "pictures"
    pictures.mkdir(exist_ok=True)
    cases = []
    for number in range(images):
        file = pictures / f"{number}.png"
        if number:
            Image.new("RGB", (40, 30), (number * 5 % 256, 90, 120)).save(file)
        kind = ("CT", "MR")[number % 2]
        cases.append(
            Case(f"r{number}", str(file), f"{caption} {number}", f"case {number // 2}", {"modality": kind}, kind)
        )
    rows = [record(case.id, case.image, f"{text} {number}", 0.1 * (number + 1)) for number, case in enumerate(cases)]
    failures = [{"id": case.id, "reason": f"{case.image}: no such file"} for case in cases[images - failed :]]
    about = {
        "name": "made",
        "hash": "0" * 16,
        "images": images,
        "articles": (images + 1) // 2,
        "truth": "records",
        "unusable": ["x1: gone.png: no such file"],
    }
    _lines(folder / "images.jsonl", [asdict(case) for case in cases])
    _lines(folder / "descriptions.jsonl", rows[: images - failed])
    _lines(folder / "failures.jsonl", failures)
    (folder / "run.json").write_text(json.dumps({"key": "k" * 16, "set": about, **MADE}))
    return folder


def made_scores(name: str, images: int, seed: int = 0, gain: float = 0.1, constant: float = 0.9) -> Scored:
    """Scores of the first `images` of `write_run`; each text is better by `gain` than shuffled ones."""
    rng = np.random.default_rng(seed)
    shuffled = rng.uniform(0.1, 0.3, images)
    own = shuffled + gain + rng.normal(0, 0.02, images)
    chrf = own / 2
    chrf[0] = np.nan
    return Scored(
        name=name,
        ids=tuple(f"r{number}" for number in range(images)),
        groups=tuple(f"case {number // 2}" for number in range(images)),
        values={"rouge1": own, "chrf": chrf},
        recipes=RECIPES,
        splits={"modality": tuple(("CT", "MR")[number % 2] for number in range(images))},
        foils={"shuffled": {"rouge1": shuffled}, "constant": {"rouge1": np.full(images, constant)}},
        missing=MISSING,
    )


def write_experiment(folder: Path, arms: list[str], images: int = 12, **texts: Any) -> Path:
    """An experiment of arms that differ more and more from the first, judged."""
    scored = {}
    for place, arm in enumerate(arms):
        run = write_run(folder / "arms" / arm, images, **texts)
        scored[arm] = made_scores(arm, images - 1, seed=place, gain=0.1 + 0.05 * place)
        write_scores(scored[arm], run)
    first = scored[arms[0]]
    compared = {
        metric: compare_all(
            {arm: one.values[metric] for arm, one in scored.items()}, arms[0], first.groups, margin=0.01
        )
        for metric in RECIPES
    }
    results = {
        "name": folder.name,
        "note": "",
        **MADE,
        "set": {"name": "made", "images": images, "articles": images // 2, "left_out": 1},
        "baseline": arms[0],
        "primary": {"metric": "rouge1", "over": "none", "margin": 0.01, "name": "rouge1", "alpha": 0.05},
        "verdicts": {arm: one.verdict for arm, one in compared["rouge1"].items()},
        "arms": {arm: _arm(one, place) for place, (arm, one) in enumerate(scored.items())},
        "foils": {"constant": _figures({"rouge1": first.foil("constant", "rouge1")})},
        "comparisons": {metric: _figures(found) for metric, found in compared.items()},
        "pairs": [],
        "looks": None,
        "metrics": {name: asdict(how) for name, how in RECIPES.items()},
        "missing": MISSING,
    }
    (folder / "results.json").write_text(json.dumps(results))
    (folder / "experiment.json").write_text(json.dumps({"name": folder.name, "config": {}, "arms": {}, "decided": {}}))
    return folder


def _arm(one: Scored, place: int) -> dict[str, Any]:
    cost = {"images": 11, "seconds": 5.0 + place, "images_a_second": 2.2, "prompt_tokens": 3300, "new_tokens": 130}
    return {
        "changed": {"retrieval.k": place}, "settings_hash": f"{place:016x}", "model": "pocket@12345678", "n": 11,
        "failures": 1, "stopped_after": None, "figures": _figures({name: one.estimate(name) for name in RECIPES}),
        "gains_over_shuffled": _figures({"rouge1": one.gain("rouge1")}), "cost": {**cost, "peak_mib": None},
    }  # fmt: skip


def _figures(found: Any) -> dict[str, Any]:
    return {name: asdict(one) for name, one in found.items()}


def _lines(file: Path, rows: list[dict[str, Any]]) -> None:
    file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
