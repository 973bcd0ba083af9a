"""The embedded models against the table of issue 3, through the house: every figure, its interval, its foils.

    python benchmarks/pocket.py --data ../shared/data --work .scratch/bench
    python benchmarks/pocket.py --data ../shared/data --work .scratch/bench --only bccd,wbc --most 40 --split dev

"With" has retrieval over the set's own train split (blank, noise and unrelated images: over a copy of the starter
set), "without" is `--no-rag`; all else is what a user gets by default. What a text says is read from it by
`pocket_words.py`; both or none counts as wrong. Class figures are means over classes, plain accuracy in brackets;
intervals are 95 % bootstrap by article (`intervals.py`). Foils (`foils.py`) see the encoder's vectors of the same
train split. A full run writes `pocket.json` and `pocket_reliability.png`; any other leaves them in the work folder.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import comb
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))  # `pocket` is the package there, not this file

from benchmarks import foils, pocket_sets, reliability, rouge
from benchmarks import pocket_words as words
from benchmarks.intervals import Estimate, estimate
from benchmarks.machine import ROOT, save
from benchmarks.pocket_house import BATCH, House, tell
from benchmarks.pocket_sets import read, sample
from benchmarks.pocket_table import Bar, Row, markdown
from pocket import scenes
from pocket.starter import write_starter
from rag.types import Description, Request

WEIGHTS = ROOT / "pocket" / "weights"
WHITE_CELL = "Is there a white blood cell in this image?"
PLATELETS = "Are there platelets in this image?"
NUCLEI = "How many nuclei are there?"
ORGAN = "Which part of the body does this image show?"
SMEAR_CAPTION = "Blood smear with {rbc} red cells, {wbc} white cells and {platelets} platelets."
MEDPIX_CAPTION = "{plane} {kind}, {location_category}. {caption}"
SPEED_IMAGES, SPEED_SINGLE = 128, 10

Said = Mapping[str, Sequence[Any]]
"""What is read from the texts, `without` evidence and `with` it, in the order of the images."""


@dataclass(frozen=True)
class Bench:
    """What every set's function needs. `most` images of a set are measured; `splits` are those of `bccd`."""

    house: House
    data: Path
    most: int | None
    splits: tuple[str, ...]

    def some(self, items: Sequence[Any]) -> list[Any]:
        return sample(items, self.most)

    def captions(self, images: Sequence[Path], index: Path, articles: Sequence[str] | None = None) -> Said:
        """Captions of the images, without the index and with it."""
        return {"without": self.said(images, None), "with": self.said(images, index, articles=articles)}

    def answers(self, images: Sequence[Path], questions: Sequence[str], index: Path) -> Said:
        """Answers to a question an image, without the index and with it."""
        return {"without": self.said(images, None, questions), "with": self.said(images, index, questions)}

    def said(
        self,
        images: Sequence[Path],
        index: Path | None,
        questions: Sequence[str] = (),
        articles: Sequence[str] | None = None,
    ) -> list[str]:
        """Captions, or answers where there are questions."""
        return [d.text for d in self.house.describe(index, requests(images, questions, articles))]

    def index(self, name: str, train: str = "records.jsonl", folder: str = "", **caption: Any) -> Path:
        """The index over the train split of a set."""
        path = str(self.data / (folder or name))
        return self.house.index(
            name, {"kind": "folder", "path": path, "records": train, "where": {"split": "train"}, **caption}
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("--most", type=int, help="images a set, drawn by a fixed seed (default: all)")
    parser.add_argument("--only", default=",".join(SECTIONS), help="sections, with commas between (default: all)")
    parser.add_argument("--split", default="test", help="splits of bccd: test, dev, or dev,test")
    parser.add_argument("--weights", type=Path, default=WEIGHTS, help="folder with clip and vlm")
    parser.add_argument("--k", type=int, help="how many examples are retrieved (default: as the settings say)")
    parser.add_argument("--work", type=Path, help="keep indexes, vectors and texts here, for a quick second run")
    args = parser.parse_args()
    names = args.only.split(",")
    if unknown := set(names) - set(SECTIONS):
        parser.error(f"--only {sorted(unknown)[0]}: the sections are {', '.join(SECTIONS)}")
    with tempfile.TemporaryDirectory(prefix="pocket-bench-") as temporary:
        work = args.work or Path(temporary)
        bench = Bench(House(args.weights, work, args.k), args.data, args.most, tuple(args.split.split(",")))
        rows, seconds = measure(bench, names)
        print(markdown(rows))
        full = args == parser.parse_args(["--data", str(args.data), *(["--work", str(args.work)] if args.work else [])])
        write(rows, seconds, None if full else work)


def measure(bench: Bench, names: Sequence[str]) -> tuple[list[Row], dict[str, float]]:
    """The rows of these sections, and the wall seconds of each."""
    rows: list[Row] = []
    seconds: dict[str, float] = {}
    for name in names:
        started = perf_counter()
        rows += SECTIONS[name](bench)
        seconds[name] = round(perf_counter() - started, 1)
        tell(f"{name}: {seconds[name]} s")
    return rows, seconds


def write(rows: Sequence[Row], seconds: Mapping[str, float], work: Path | None) -> None:
    """The result files: in `benchmarks/`, or in the work folder where not all was run."""
    curves = {f"{row.figure}, {name}": bins for row in rows for name, bins in row.curves.items()}
    results = {
        "seconds": dict(seconds),
        "threads": os.environ.get("OMP_NUM_THREADS", "all"),
        "load_average": [round(load, 2) for load in os.getloadavg()],
        "rows": [{**asdict(row), "met": row.met} for row in rows],
    }
    if curves:
        reliability.draw(curves, (work or ROOT / "benchmarks") / "pocket_reliability.png")
    if work is None:
        tell(str(save("pocket", results)))
    else:
        (work / "pocket.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
        tell(f"{work}/pocket.json; benchmarks/pocket.json is left as it is: not all was run as by default")


def requests(
    images: Sequence[Path], questions: Sequence[str] = (), articles: Sequence[str] | None = None
) -> list[Request]:
    """A request an image, named by its place."""
    return [
        Request(
            f"request-{n}",
            (str(image),),
            "ask" if questions else "caption",
            questions[n] if questions else "",
            articles[n] if articles else None,
        )
        for n, image in enumerate(images)
    ]


def figure(
    where: str,
    name: str,
    said: Said,
    truth: Sequence[Any],
    groups: Sequence[str],
    score: Callable[[Any, Any], float],
    others: Mapping[str, Sequence[Any]],
    *,
    bar: Bar | None = None,
    bar_with: Bar | None = None,
    classes: Sequence[str] | None = None,
    note: str = "",
) -> Row:
    """A row from what was said and what is true; `others` are the foils. `bar` is of both columns, or of `without`
    where `bar_with` is given."""

    def judged(answers: Sequence[Any]) -> Estimate:
        return estimate([score(a, t) for a, t in zip(answers, truth, strict=True)], groups, classes)

    return Row(
        set=where,
        figure=name,
        n=len(truth),
        without=judged(said["without"]) if "without" in said else None,
        with_=judged(said["with"]) if "with" in said else None,
        bar_without=bar,
        bar_with=bar_with or bar,
        foils={foil: judged(answers) for foil, answers in others.items()},
        note=note,
    )


def same(answer: Any, truth: Any) -> float:
    return float(answer == truth)


def error(answer: float, truth: float) -> float:
    return abs(answer - truth)


def within_quarter(answer: float | None, truth: float) -> float:
    return float(answer is not None and abs(answer - truth) <= 0.25 * truth)


def reading(texts: Said, read_: Callable[[str], Any]) -> dict[str, list[Any]]:
    """What a reader makes of every text."""
    return {column: [read_(text) for text in several] for column, several in texts.items()}


def images_of(folder: Path, records: Sequence[Mapping[str, Any]]) -> list[Path]:
    return [folder / record["image"] for record in records]


def column(records: Sequence[Mapping[str, Any]], key: str) -> list[Any]:
    return [record[key] for record in records]


def bccd(bench: Bench) -> list[Row]:
    return [row for split in bench.splits for row in (*white_cells(bench, split), *blood_counts(bench, split))]


def smear_index(bench: Bench) -> Path:
    return bench.index("bccd", caption_template=SMEAR_CAPTION)


def smear_crops(bench: Bench, split: str) -> list[pocket_sets.Crop]:
    folder = bench.data / "bccd"
    fields = read(folder / "records.jsonl", split)
    if split != "train":
        fields = bench.some(fields)
    return pocket_sets.white_cell_crops(folder, fields, bench.house.work / "crops" / split)


def white_cells(bench: Bench, split: str) -> list[Row]:
    """Is there a white cell in a crop: from the caption, and asked."""
    index, folder = smear_index(bench), bench.data / "bccd"
    train = read(folder / "records.jsonl", "train")
    crops, known = smear_crops(bench, split), smear_crops(bench, "train")
    images, truth, fields = [c.path for c in crops], [c.truth for c in crops], [c.field for c in crops]
    vectors = bench.house.vectors(images)
    whole = ["present" if record["wbc"] else "absent" for record in train]
    others = foils.votes(bench.house.vectors(images_of(folder, train)), whole, vectors)
    of_crops = foils.class_foils(
        bench.house.vectors([c.path for c in known]), [c.truth for c in known], [c.field for c in known], vectors
    )
    others |= {f"{name}, train crops": answers for name, answers in of_crops.items()}
    texts = {
        "caption": reading(bench.captions(images, index), lambda t: words.presence_said(t, words.WHITE_CELLS)),
        "asked": reading(bench.answers(images, [WHITE_CELL] * len(images), index), words.presence_answered),
    }
    return [
        figure(f"bccd ({split})", f"white cell present/absent, {crop_note}, {how}", said, truth, fields, same, others,
               bar=Bar(">=", 0.95), classes=truth)
        for crop_note in (f"{pocket_sets.CROP} px crops",) for how, said in texts.items()
    ]  # fmt: skip


def blood_counts(bench: Bench, split: str) -> list[Row]:
    """Red cells and platelets of whole fields."""
    index, folder, where = smear_index(bench), bench.data / "bccd", f"bccd ({split})"
    train, fields = read(folder / "records.jsonl", "train"), bench.some(read(folder / "records.jsonl", split))
    images, ids = images_of(folder, fields), column(fields, "id")
    known, vectors = bench.house.vectors(images_of(folder, train)), bench.house.vectors(images)
    captions = bench.captions(images, index)
    counts = reading(captions, lambda t: words.number_said(t, words.RED_CELLS))
    silent = {name: sum(count is None for count in several) for name, several in counts.items()}
    median = statistics.median(column(train, "rbc"))
    counts = {name: [median if c is None else c for c in several] for name, several in counts.items()}
    red = figure(
        where, "red cells, mean absolute error", counts, column(fields, "rbc"), ids, error,
        foils.count_foils(known, column(train, "rbc"), column(train, "id"), vectors),
        bar=Bar("<=", 2.2),
        note=f"captions with no number, taken as the median: {silent['without']} without, {silent['with']} with",
    )  # fmt: skip
    truth, labels = (
        ["present" if record["platelets"] else "absent" for record in several] for several in (fields, train)
    )
    others = foils.class_foils(known, labels, column(train, "id"), vectors)
    told = {
        "caption": reading(captions, lambda t: words.presence_said(t, words.PLATELETS)),
        "asked": reading(bench.answers(images, [PLATELETS] * len(images), index), words.presence_answered),
    }
    return [red] + [
        figure(where, f"platelets present/absent, {how}", said, truth, ids, same, others, bar=Bar(">=", 0.75),
               classes=truth)
        for how, said in told.items()
    ]  # fmt: skip


def nuclei(bench: Bench) -> list[Row]:
    """The look of `dsb2018` images, and how many nuclei they show."""
    index = bench.index("dsb2018", caption_template="{look} microscopy image with {nuclei} nuclei.")
    folder, where = bench.data / "dsb2018", "dsb2018 (dev)"
    train, dev = read(folder / "records.jsonl", "train"), bench.some(read(folder / "records.jsonl", "dev"))
    images, ids, looks = images_of(folder, dev), column(dev, "id"), column(dev, "look")
    known, vectors = bench.house.vectors(images_of(folder, train)), bench.house.vectors(images)
    captions = bench.captions(images, index)
    look = figure(
        where, "fluorescence / stained tissue / bright-field", reading(captions, lambda t: words.said(t, words.LOOKS)),
        looks, ids, same, foils.class_foils(known, column(train, "look"), column(train, "id"), vectors),
        bar=Bar(">=", 0.95), classes=looks,
    )  # fmt: skip
    counts = reading(captions, lambda t: words.number_said(t, words.NUCLEI))
    notes = []
    for name, evidence in (("without", None), ("with", index)):
        silent = [n for n, count in enumerate(counts[name]) if count is None]
        asked = bench.said([images[n] for n in silent], evidence, [NUCLEI] * len(silent)) if silent else []
        for n, answer in zip(silent, asked, strict=True):
            counts[name][n] = words.number_said(answer, words.NUCLEI)
        still = sum(count is None for count in counts[name])
        notes.append(f"{name}: {len(silent)} of {len(dev)} captions with no number, asked; {still} still with none")
    others = foils.count_foils(known, column(train, "nuclei"), column(train, "id"), vectors, log=True)
    rows = [look]
    for what, mine in (
        ("all looks", range(len(dev))),
        ("fluorescence", [n for n, name in enumerate(looks) if name == "fluorescence"]),
    ):
        pick = {name: [several[n] for n in mine] for name, several in counts.items()}
        rows.append(figure(
            where, f"nuclei within 25 %, {what}", pick, [dev[n]["nuclei"] for n in mine], [ids[n] for n in mine],
            within_quarter, {name: [several[n] for n in mine] for name, several in others.items()},
            bar=Bar(">=", 0.75) if what == "all looks" else None, note="; ".join(notes) if what == "all looks" else "",
        ))  # fmt: skip
    return rows


def radiology_index(bench: Bench) -> Path:
    records = pocket_sets.radiology_records(bench.data, "train", bench.house.work / "vqa_rad" / "records.jsonl")
    return bench.index("vqa_rad", train=str(records.absolute()), fields={"caption": "caption"})


def radiology(bench: Bench) -> list[Row]:
    return [organ(bench), *closed(bench)]


def organ(bench: Bench) -> Row:
    """The part of the body, asked of each image of `vqa_rad`."""
    names = {"head": "HEAD", "chest": "CHEST", "abdomen": "ABD"}
    train, dev = scenes.radiology(bench.data, "train"), bench.some(scenes.radiology(bench.data, "dev"))
    images = [scene.path for scene in dev]
    labels, truth = ([names[s.facts.organ or ""] for s in several] for several in (train, dev))
    others = foils.class_foils(
        bench.house.vectors([s.path for s in train]), labels, [s.group for s in train], bench.house.vectors(images)
    )
    answers = bench.answers(images, [ORGAN] * len(images), radiology_index(bench))
    return figure(
        "vqa_rad (dev)", "organ, asked", reading(answers, lambda t: words.said(t, words.ORGANS)), truth,
        [s.group for s in dev], same, others, bar=Bar(">=", 0.90), bar_with=Bar(">=", 0.92), classes=truth,
    )  # fmt: skip


def closed_dev(bench: Bench) -> list[pocket_sets.Closed]:
    """The closed questions of at most `most` dev images."""
    asked = pocket_sets.closed_questions(bench.data, "dev")
    kept = set(bench.some(sorted({question.image for question in asked})))
    return [question for question in asked if question.image in kept]


def closed(bench: Bench) -> list[Row]:
    """Closed questions: of their own image, of another one, of none."""
    index, where = radiology_index(bench), "vqa_rad (dev)"
    train, asked = pocket_sets.closed_questions(bench.data, "train"), closed_dev(bench)
    images, questions, groups = [q.path for q in asked], [q.question for q in asked], [q.image for q in asked]
    truth = [words.normal(q.answer) for q in asked]
    others = foils.question_foils(
        [q.question for q in train], [words.normal(q.answer) for q in train], [q.image for q in train], questions
    )
    grey = pocket_sets.grey_image(bench.house.work / "grey.png")
    others["own model, grey image"] = [words.normal(t) for t in bench.said([grey] * len(asked), None, questions)]
    own = reading(bench.answers(images, questions, index), words.normal)
    paths = {q.image: q.path for q in asked}
    swap = pocket_sets.derangement(list(paths))
    other = reading(bench.answers([paths[swap[q.image]] for q in asked], questions, index), words.normal)
    row = figure(where, "closed questions, accuracy", own, truth, groups, same, others)
    bar = Bar(">", max(row.foils[name].value for name in ("majority", "naive Bayes", "logistic")),
              "best question-only model")  # fmt: skip
    drops = {
        name: [same(o, t) - same(s, t) for o, s, t in zip(own[name], other[name], truth, strict=True)] for name in own
    }
    return [
        figure(where, row.figure, own, truth, groups, same, others, bar=bar),
        figure(where, "closed questions, lost by shuffling the images", drops, truth, groups, lambda drop, _: drop, {},
               bar=Bar(">=", 0.05)),
    ]  # fmt: skip


def medpix_index(bench: Bench) -> Path:
    return bench.index("medpix", fields={"article": "case"}, caption_template=MEDPIX_CAPTION)


def medpix(bench: Bench) -> list[Row]:
    """CT or MR, plane, part of the body and words of captions of `medpix`; and text-image retrieval."""
    folder = bench.data / "medpix"
    train, dev = read(folder / "records.jsonl", "train"), bench.some(read(folder / "records.jsonl", "dev"))
    images, cases = images_of(folder, dev), column(dev, "case")
    bare = bench.index("medpix-captions", folder="medpix", fields={"article": "case", "caption": "caption"})
    said = bench.captions(images, medpix_index(bench), cases)
    plain = {"without": said["without"], "with": bench.said(images, bare, articles=cases)}
    known, vectors = bench.house.vectors(images_of(folder, train)), bench.house.vectors(images)
    rows: list[Row] = []
    for key, lists, ks in (
        ("kind", words.MODALITIES, foils.ALL_K),
        ("plane", words.PLANES, (5,)),
        ("location_category", words.LOCATIONS, (3,)),
    ):
        mine, theirs = ([n for n, r in enumerate(some) if r[key] in lists] for some in (dev, train))
        labels = [train[n][key] for n in theirs]
        others = foils.class_foils(known[theirs], labels, [train[n]["case"] for n in theirs], vectors[mine], ks)
        for evidence, texts in (("", said), ("; evidence: captions alone", plain)):
            rows.append(medpix_classes(key, lists, [dev[n] for n in mine], {
                name: [several[n] for n in mine] for name, several in texts.items()
            }, others, evidence, len(dev) - len(mine)))  # fmt: skip
    near = foils.nearest(known, vectors, 1)[:, 0]
    nearest = [train[n]["caption"] for n in near]
    for evidence, texts in (("", said), ("; evidence: captions alone", plain)):
        rows += caption_words(dev, texts, nearest, evidence)
    return [*rows, *text_and_image(bench, dev, vectors)]


def medpix_classes(
    key: str,
    lists: Mapping[str, str],
    dev: Sequence[Mapping[str, Any]],
    texts: Said,
    others: Mapping[str, Sequence[str]],
    evidence: str,
    left_out: int,
) -> Row:
    names = {"kind": "CT or MR", "plane": "plane", "location_category": "location category"}
    truth, cases = column(dev, key), column(dev, "case")
    row = figure(
        "medpix (dev)", names[key] + evidence, reading(texts, lambda t: words.said(t, lists)), truth, cases, same,
        others, classes=truth, note=f"{left_out} images of other planes left out" if left_out else "",
    )  # fmt: skip
    if key == "kind":
        bars = Bar(">=", 0.85), Bar(">=", 0.95)
    else:
        rivals = [name for name in others if name != "majority"]
        bars = None, Bar(">", max(row.foils[name].value for name in rivals), "above " + " and ".join(rivals))
    return Row(**{**vars(row), "bar_without": bars[0], "bar_with": bars[1]})


def caption_words(dev: Sequence[Mapping[str, Any]], texts: Said, nearest: Sequence[str], evidence: str) -> list[Row]:
    """ROUGE-1 of own minus shuffled outputs, and the paired differences to `without` and to the nearest caption."""
    references, cases = column(dev, "caption"), column(dev, "case")
    gains = {
        name: np.asarray(rouge.above_shuffled(several, references, cases))
        for name, several in {**texts, "1-NN caption": nearest}.items()
    }
    name = f"ROUGE-1, own minus shuffled{evidence}"
    rows = [
        Row("medpix (dev)", name, len(dev), estimate(gains["without"], cases), estimate(gains["with"], cases),
            foils={"1-NN caption": estimate(gains["1-NN caption"], cases)})
    ]  # fmt: skip
    for other in ("without", "1-NN caption"):
        gain = estimate(gains["with"] - gains[other], cases, test=True)
        rows.append(
            Row("medpix (dev)", f"{name}: with, minus {other}", len(dev), with_=gain,
                bar_with=Bar(">", 0.0, "and p < 0.05"))
        )  # fmt: skip
    return rows


def text_and_image(bench: Bench, dev: Sequence[Mapping[str, Any]], images: np.ndarray) -> list[Row]:
    """Recall@10 among the dev pairs; any pair with the very same caption is right."""
    captions, cases = column(dev, "caption"), column(dev, "case")
    scores = bench.house.encoder.embed_texts(captions) @ images.T
    equal = np.asarray([[a == b for b in captions] for a in captions])
    k = min(10, len(dev))
    missed = comb(len(dev), k)
    chance = [1 - comb(len(dev) - int(right.sum()), k) / missed for right in equal]
    return [
        Row("medpix (dev)", f"{name}, recall@10", len(dev),
            with_=estimate(equal[np.arange(len(dev))[:, None], np.argsort(-order, axis=1)[:, :k]].any(axis=1), cases),
            foils={"chance": Estimate(float(np.mean(chance)))}, note="the encoder alone; no caption is generated")
        for name, order in (("text to image", scores), ("image to text", scores.T))
    ]  # fmt: skip


def white_cell_classes(bench: Bench) -> list[Row]:
    """The class of the single white cells of `wbc`."""
    index = bench.index("wbc", caption_template="Blood smear, one white cell: {cell}.")
    folder, where = bench.data / "wbc", "wbc (dev)"
    train, dev = read(folder / "records.jsonl", "train"), bench.some(read(folder / "records.jsonl", "dev"))
    images, ids, truth = images_of(folder, dev), column(dev, "id"), column(dev, "cell")
    others = foils.class_foils(
        bench.house.vectors(images_of(folder, train)), column(train, "cell"), column(train, "id"),
        bench.house.vectors(images), (1, 3, 5),
    )  # fmt: skip
    texts = bench.captions(images, index)
    cells = reading(texts, lambda t: words.said(t, words.CELLS))
    rows = []
    for name, classes in (("mean over classes", truth), ("plain", None)):
        row = figure(where, f"white-cell class, {name}", cells, truth, ids, same, others, classes=classes)
        bar = Bar(">=", row.foils["3-NN"].value, "not below 3-NN")
        rows.append(Row(**{**vars(row), "bar_with": bar}))
    unnamed = reading(texts, lambda t: not any(words.said(t, {c: p}) for c, p in words.CELLS.items()))
    silent = {name: [cell if cell else none for cell, none in zip(cells[name], unnamed[name], strict=True)]
              for name in cells}  # fmt: skip
    rows.append(figure(where, "names no class, or the right one", silent, truth, ids,
                       lambda cell, true: float(cell is True or cell == true), {}))  # fmt: skip
    return [*rows, figure(where, "names no class", unnamed, truth, ids, lambda none, _: float(none), {})]


def starter_index(bench: Bench) -> Path:
    """The starter set, embedded by these very weights."""
    files = bench.house.work / "starter"
    if not (files / "records.jsonl").is_file():
        write_starter(files)
    passages = {"kind": "jsonl", "path": str(files / "passages.jsonl")}
    images = {"kind": "folder", "path": str(files), "fields": {"caption": "caption", "article": "article"}}
    return bench.house.index("starter", images, passages)


def unrelated(bench: Bench) -> list[Row]:
    """Blank, noise, drawings, photographs: the share that the model says it cannot describe."""
    index = starter_index(bench)
    found = {k: bench.some(some) for k, some in pocket_sets.unrelated(bench.house.work / "unrelated").items()}
    images = [path for several in found.values() for _, path in several]
    sources = [f"{kind}/{source}" for kind, several in found.items() for source, _ in several]
    kinds = [kind for kind, several in found.items() for _ in several]
    said = {
        name: [d.abstained for d in bench.house.describe(evidence, requests(images))]
        for name, evidence in (("without", None), ("with", index))
    }
    rows = []
    for kind in ("all", *found):
        mine = [n for n, name in enumerate(kinds) if kind in ("all", name)]
        rows.append(figure(
            "blank, noise, unrelated", f"says it cannot describe, {kind}",
            {name: [several[n] for n in mine] for name, several in said.items()}, mine, [sources[n] for n in mine],
            lambda abstained, _: float(abstained), {}, bar=Bar(">=", 0.95),
            classes=kinds if kind == "all" else None,
            note="mean over the kinds below; with: the starter set's captions" if kind == "all" else "",
        ))  # fmt: skip
    return rows


def calibration(bench: Bench) -> list[Row]:
    """Expected calibration error of "white cell present" and of closed yes/no answers."""
    crops = smear_crops(bench, bench.splits[-1])
    yes_no = [q for q in closed_dev(bench) if words.normal(q.answer) in words.YES_NO]
    return [
        calibrated(
            bench, smear_index(bench), f"white cell present, {bench.splits[-1]} crops",
            requests([c.path for c in crops], [WHITE_CELL] * len(crops)), [c.white for c in crops],
            [c.field for c in crops],
        ),
        calibrated(
            bench, radiology_index(bench), "closed yes/no answers",
            requests([q.path for q in yes_no], [q.question for q in yes_no]),
            [words.normal(q.answer) == "yes" for q in yes_no], [q.image for q in yes_no],
        ),
    ]  # fmt: skip


def calibrated(
    bench: Bench, index: Path, name: str, asked: Sequence[Request], truth: Sequence[bool], groups: Sequence[str]
) -> Row:
    """ECE of the likelier of "Yes." and "No.", without evidence and with it."""
    errors, curves, shares = {}, {}, []
    for column_, evidence in (("without", None), ("with", index)):
        found = bench.house.probabilities(evidence, asked, ("Yes.", "No."))
        right = [(yes >= no) == true for (yes, no), true in zip(found, truth, strict=True)]
        errors[column_], curves[column_] = reliability.calibration_error([max(p) for p in found], right, groups)
        shares.append(f"{np.mean(right):.3f} {column_}")
    return Row(
        "calibration", f"expected calibration error, {name}", len(truth), errors["without"], errors["with"],
        Bar("<=", 0.08), Bar("<=", 0.08), note=f"accuracy {', '.join(shares)}", curves=curves,
    )  # fmt: skip


def speed(bench: Bench) -> list[Row]:
    """Images a second in batches, and seconds for one, models loaded."""
    folder = bench.data / "medpix"
    dev = bench.some(read(folder / "records.jsonl", "dev"))[:SPEED_IMAGES]
    asked = requests(images_of(folder, dev), articles=column(dev, "case"))
    rows = []
    for name, index in (("medpix", medpix_index(bench)), ("starter", starter_index(bench))):
        found = {column_: timed(bench, evidence, asked) for column_, evidence in (("without", None), ("with", index))}
        for n, (what, bar) in enumerate(
            ((f"images/s in batches of {BATCH}", Bar(">=", 8.0)), ("seconds for one image", Bar("<=", 0.4)))
        ):
            rows.append(
                Row("speed", f"{what}, {name} index", (len(dev), SPEED_SINGLE)[n], Estimate(found["without"][n]),
                    Estimate(found["with"][n]), bar_with=bar, note=f"load {os.getloadavg()[0]:.1f}")
            )  # fmt: skip
    return rows


def timed(bench: Bench, index: Path | None, asked: Sequence[Request]) -> tuple[float, float]:
    """Images a second of all in batches, and the median seconds of one at a time."""
    pipeline = bench.house.pipeline(index)
    pipeline.load()

    def seconds(some: Sequence[Request]) -> float:
        started = perf_counter()
        if not all(isinstance(outcome, Description) for outcome in pipeline.run(some)):
            sys.exit("speed: an image could not be described")
        return perf_counter() - started

    seconds(asked[:1])
    whole = sum(seconds(asked[start : start + BATCH]) for start in range(0, len(asked), BATCH))
    return len(asked) / whole, statistics.median(seconds([one]) for one in asked[:SPEED_SINGLE])


SECTIONS: dict[str, Callable[[Bench], list[Row]]] = {
    "bccd": bccd,
    "dsb2018": nuclei,
    "vqa_rad": radiology,
    "medpix": medpix,
    "wbc": white_cell_classes,
    "unrelated": unrelated,
    "calibration": calibration,
    "speed": speed,
}

if __name__ == "__main__":
    main()
