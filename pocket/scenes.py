"""The images the models learn from and are measured on: where they lie, and what is true of them.

Reads `bccd`, `dsb2018` and `vqa_rad` of a data folder; knows nothing of augmentation or models.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from imaging.types import Pixels
from pocket.facts import Facts, Kind

HEAD_CT = frozenset({
    "synpic39757", "synpic57520", "synpic58261", "synpic54795", "synpic45914", "synpic46062", "synpic34922",
    "synpic53867", "synpic23631", "synpic42951",
})  # fmt: skip
"""Heads of `vqa_rad` train that are CT: named so by their questions, or seen to be by us. The others are MR."""

_LOOKS: dict[str, Kind] = {"fluorescence": "fluorescence", "histology": "tissue", "brightfield": "brightfield"}


@dataclass(frozen=True)
class Scene:
    """One source image: its group (views of one group never serve as evidence for each other) and its truth.

    `boxes` holds `(name, left, top, right, bottom)` in pixels, for smears only; `qa` the people's questions.
    """

    group: str
    path: Path
    facts: Facts
    boxes: tuple[tuple[str, int, int, int, int], ...] = ()
    qa: tuple[tuple[str, str, str], ...] = ()

    def pixels(self) -> Pixels:
        with Image.open(self.path) as image:
            return np.asarray(image.convert("RGB"))


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)


def smears(data: Path, split: str) -> list[Scene]:
    """Blood smears of `bccd`, counts and boxes as labelled."""
    return [
        Scene(
            group=f"bccd/{row['id']}",
            path=data / "bccd" / row["image"],
            facts=Facts("smear", red=row["rbc"], white=row["wbc"], platelets=row["platelets"]),
            boxes=tuple((b[0], *b[1:5]) for b in row["boxes"]),
        )
        for row in _lines(data / "bccd" / "records.jsonl")
        if row["split"] == split
    ]


def nuclei(data: Path, split: str) -> list[Scene]:
    """Nuclei of `dsb2018`, kind by its guessed look."""
    return [
        Scene(
            group=f"dsb2018/{row['id']}",
            path=data / "dsb2018" / row["image"],
            facts=Facts(_LOOKS[row["look"]], nuclei=row["nuclei"]),
        )
        for row in _lines(data / "dsb2018" / "records.jsonl")
        if row["split"] == split
    ]


def radiology(data: Path, split: str) -> list[Scene]:
    """Images of `vqa_rad`: abdomens are axial CT, chests frontal X-rays, heads axial CT (`HEAD_CT`) or axial MR."""
    rows: dict[str, list[dict[str, Any]]] = {}
    for row in _lines(data / "vqa_rad" / "qa.jsonl"):
        if row["split"] == split:
            rows.setdefault(row["image"], []).append(row)
    found = []
    for image, qas in rows.items():
        name = Path(image).stem
        organ = qas[0]["organ"]
        if organ == "CHEST":
            facts = Facts("xray", organ="chest", plane="frontal")
        elif organ == "ABD":
            facts = Facts("ct", organ="abdomen", plane="axial")
        else:
            facts = Facts("ct" if name in HEAD_CT else "mr", organ="head", plane="axial")
        asked = tuple((q["question"].strip(), q["answer"].strip(), q["answer_type"].strip()) for q in qas)
        found.append(Scene(f"vqa_rad/{name}", data / "vqa_rad" / image, facts, qa=asked))
    return found
