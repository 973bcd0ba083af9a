"""What tests of ratings are made with: runs without a model, tasks of them, raters who answer."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping
from pathlib import Path

from PIL import Image

from evaluation.ratings.making import Sample, make_task
from evaluation.ratings.session import Session
from evaluation.ratings.store import Store
from evaluation.ratings.types import PREFERENCES, Answer, Item, Kind
from evaluation.runs import Run
from evaluation.sets import Case

ARMS = ("zebra-arm", "walrus-arm")
"""Names that stand in no text."""
STANDARD = Sample()
EVIDENCE = {
    "number": 1, "kind": "example", "id": "e1", "source": "archive", "title": None, "text": "A known caption.",
    "score": 0.5, "rank": 1, "license": "CC BY", "url": "https://example.org/e1?token=s3cret&page=2",
}  # fmt: skip


def made_run(
    folder: Path, name: str, images: int = 30, texts: Mapping[int, str] | None = None, evidence: bool = True
) -> Run:
    """A run over images of which two share an article, one in three is MR, and each file is there."""
    folder.mkdir(exist_ok=True)
    cases, records = [], {}
    for number in range(images):
        file = folder / f"{number}.png"
        if not file.exists():
            Image.new("RGB", (8, 6), (number % 256, 0, 0)).save(file)
        modality = "MR" if number % 3 == 0 else "CT"
        cases.append(Case(f"r{number}", str(file), f"reference {number}", f"case {number // 2}", {}, modality))
        text = (
            f"Text {number} of {ARMS.index(name) if name in ARMS else len(name)}." if texts is None else texts[number]
        )
        records[f"r{number}"] = {
            "id": f"r{number}",
            "caption": text,
            "image_sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
            "evidence": [EVIDENCE] if evidence else [],
            "model": f"model of {name}",
            "adapter": None,
            "prompt": "few_shot@1",
            "index": None,
        }
    return Run(folder, f"key of {name}", {"set": {"name": "made"}}, tuple(cases), records, {})


def made_task(
    folder: Path, kind: Kind = "single", sample: Sample = STANDARD, gold: tuple[Item, ...] = (), images: int = 30,
    texts: Mapping[int, str] | None = None,
) -> Path:  # fmt: skip
    """The file of a task of two arms."""
    folder.mkdir(exist_ok=True)
    runs = {name: made_run(folder / "images", name, images, texts) for name in ARMS}
    out = folder / f"{kind}.sqlite"
    make_task(runs, out, kind, sample, gold)
    return out


def answer_of(kind: Kind, rng: random.Random) -> Answer:
    """Any answer; now and then with notes that files must keep, or skipped."""
    if rng.random() < 0.1:
        return Answer(skipped=True, comment=rng.choice(["", "blurred"]))
    comment = rng.choice(
        ["", "", 'says "left",\nshows right; \u00fc \u2192 \u5de6', " spaces around ", "=1+1", "a\r\nb"]
    )
    if kind == "pairwise":
        return Answer(preferred=rng.choice(PREFERENCES), comment=comment)
    scores = [rng.randint(1, 5) for _ in range(3)]
    return Answer(*scores, comment=comment, edited=rng.choice(["", "", "Better,\n\n'text'."]))


def rate_all(file: Path, raters: int = 3, few: int | None = None) -> None:
    """Lets raters answer all that they are given, or the first few of it."""
    with Store.open(file) as store:
        for number in range(raters):
            rng = random.Random(number)
            ticks = iter(range(0, 10**9, 7))
            session = Session(store, f"rater {number}", clock=lambda ticks=ticks: next(ticks) + 0.25)  # type: ignore[misc]
            for _ in store.plan(session.rater)[:few]:
                session.save(answer_of(store.task.kind, rng))
