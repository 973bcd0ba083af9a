"""Describes the images of a set in one arm after the other, by the one path, and keeps what was said.

What is kept is found again by a second run if it would say the same: the file of an arm is named by a hash of the
settings, the index's and the model's content, the prompt, and every image and evidence shown.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from importlib import metadata
from pathlib import Path
from time import perf_counter

from PIL import Image
from tqdm import tqdm

from evaluation.ablation.arms import Arm
from evaluation.ablation.evidence import Planned
from evaluation.lines import mend, read_lines
from evaluation.runs import CHUNK_BATCHES
from evaluation.sets import Case
from imaging import LoadedImage, decode
from indexer.manifest import hash_json
from rag import Pipeline, open_pipeline
from rag.config import Settings
from rag.opening import Shared
from rag.prompts import EvidenceOrder
from rag.types import Description, Failure, Request

GREY = 128
ORDERS: tuple[EvidenceOrder, ...] = ("best_first", "best_last")
"""The orders that a prompt can show its examples in."""


@dataclass(frozen=True)
class Said:
    """What was said of one image; `failed` is why nothing was."""

    id: str
    text: str
    abstained: bool
    failed: str | None = None


class Describer:
    """Describes with the models of one pipeline, whatever the evidence. Loads nothing before it must."""

    def __init__(self, settings: Settings, folder: Path, tell: Callable[[str], None]) -> None:
        self.settings = settings
        self._shared = Shared()
        self.pipeline = open_pipeline(settings, [Request("any", ())], tell, shared=self._shared)
        self._folder = folder
        self._tell = tell

    @property
    def chunk(self) -> int:
        """How many images are prepared together."""
        return CHUNK_BATCHES * self.settings.batch_size

    @property
    def order(self) -> EvidenceOrder:
        """The order that the settings and the model ask for."""
        return self.pipeline.speaker.evidence_order

    def said(self, arm: Arm, cases: Sequence[Case], planned: Planned) -> list[Said]:
        """What is said of each case in an arm, in their order; read from the arm's file as far as it goes."""
        pipeline = self._pipeline(arm, planned)
        requests = [_request(case, arm, planned) for case in cases]
        file = (
            self._folder / f"{arm.name.replace(', ', '_').replace(' ', '-')}-{self._key(pipeline, arm, planned)}.jsonl"
        )
        kept = _read(file)
        started, old = perf_counter(), sum(case.id in kept for case in cases)
        left = [request for request in requests if request.id not in kept]
        with file.open("a", encoding="utf-8") as lines, tqdm(
            total=len(left), desc=arm.name, leave=False, disable=None
        ) as bar:  # fmt: skip
            for start in range(0, len(left), self.chunk):
                several = _described(pipeline, left[start : start + self.chunk])
                lines.writelines(json.dumps(asdict(one)) + "\n" for one in several)
                lines.flush()
                kept |= {one.id: one for one in several}
                bar.update(len(several))
        before = f", {old} of them in an earlier run" if old else ""
        self._tell(f"{arm.name}: {len(cases)} images{before}, {perf_counter() - started:.0f} s")
        return [kept[case.id] for case in cases]

    def _pipeline(self, arm: Arm, planned: Planned) -> Pipeline:
        """The pipeline of an arm: the models of this one, the arm's order and its evidence."""
        settings, finder = self.settings, planned.finder(arm)
        if arm.order is not None:
            prompt = settings.prompt.model_copy(update={"evidence_order": arm.order})
            settings = settings.model_copy(update={"prompt": prompt})
        if finder is None:
            without = settings.retrieval.model_copy(update={"enabled": False})
            settings = settings.model_copy(update={"retrieval": without})
        return open_pipeline(settings, [Request("any", ())], finder=finder, shared=self._shared)

    def _key(self, pipeline: Pipeline, arm: Arm, planned: Planned) -> str:
        speaker = pipeline.speaker
        shown = {
            id_: [
                planned.chosen[planned.partners[id_].id].sha256 if arm.picture == "swapped" else chosen.sha256,
                *([e.id, e.text] for e in chosen.found(arm).evidence),
            ]
            for id_, chosen in planned.chosen.items()
        }
        return hash_json(
            {
                "program": metadata.version("lumenscribe"),
                "settings": pipeline.settings.model_dump(mode="json"),
                "index": planned.version,
                "model": [speaker.engine.model, speaker.engine.fingerprint, speaker.engine.adapter],
                "params": asdict(speaker.params),
                "prompt": [pipeline.templates["caption"].hash, speaker.prompt_tokens],
                "arm": asdict(arm),
                "shown": shown,
            }
        )[:12]


@cache
def grey_image() -> LoadedImage:
    """A grey image with nothing in it."""
    buffer = io.BytesIO()
    Image.new("RGB", (256, 256), (GREY, GREY, GREY)).save(buffer, "PNG")
    return decode(buffer.getvalue(), "grey.png")


def _request(case: Case, arm: Arm, planned: Planned) -> Request:
    request = case.request()
    if arm.picture == "blank":
        return replace(request, images=(grey_image(),))
    if arm.picture == "swapped":
        return replace(request, images=(planned.partners[case.id].image,))
    return request


def _described(pipeline: Pipeline, requests: Sequence[Request]) -> list[Said]:
    outcomes = {outcome.request.id: outcome for outcome in pipeline.run(requests)}
    return [_said(request.id, outcomes[request.id]) for request in requests]


def _said(id_: str, outcome: Description | Failure) -> Said:
    if isinstance(outcome, Description):
        return Said(id_, outcome.text, outcome.abstained)
    return Said(id_, "", True, outcome.reason)


def _read(file: Path) -> dict[str, Said]:
    """What an arm's file holds, by id. A last line that a stopped run left unfinished is taken off it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    mend(file)
    return {row["id"]: Said(**row) for row in read_lines(file)}
