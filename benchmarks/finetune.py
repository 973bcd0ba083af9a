"""What fine-tuning adds to the embedded model on two CPU cores: captions of `medpix`, questions of `vqa_rad`.

    python cli.py finetune prepare medpix --out data/finetune/medpix
    python cli.py finetune prepare vqa_rad --out data/finetune/vqa_rad
    python cli.py index build configs/indexes/medpix.yaml
    python benchmarks/finetune.py medpix --work .scratch/finetune
    python benchmarks/finetune.py vqa_rad --work .scratch/finetune

It trains by `finetune run` and describes by `evaluate run --adapter`, as a user would. Parts are kept under --work: run
it again and it goes on. `--quick` tries every part on a handful of records and writes no result.

`medpix`: LoRA, QLoRA and all weights with evidence in training, each described with evidence and without. Dev loss is
of the right captions; which look's adapter is kept is chosen by it, on the same dev split, as a user's run does.
Beside them the nearest image's caption and one sentence for all images, the best there is on train. Margins were set
before anything was measured: 0.02 of ROUGE-1, and 0.03 nats a token.

`vqa_rad`: closed and open accuracy and BLEU before and after, beside what the words of a question say of its answer.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from machine import ROOT, save

from benchmarks import finetune_parts as parts
from benchmarks import foils
from benchmarks.finetune_parts import Work
from evaluation.metrics.answers import normalise
from evaluation.metrics.score import asked_of
from evaluation.metrics.scored import NEAREST
from evaluation.rouge import Bag
from evaluation.sets import Case
from finetune.records import TrainingRecord, read_split

INDEX = "data/indexes/medpix"
CAPTION_METRICS = "rouge1,imageclef_rouge1,content"
ANSWER_METRICS = "accuracy,bleu1,bleu2,bleu3,bleu4"
MARGINS = {"imageclef_rouge1": 0.02, "loss": 0.03}
CANDIDATES = 1_000
WITH, WITHOUT = ("--index", INDEX), ("--no-rag",)
ADAPTERS: dict[str, tuple[str, ...]] = {
    "lora": (),
    "qlora": ("method=qlora",),
    "full": ("method=full", "training.learning_rate=2e-3", "training.epochs=2"),
}
"""What is trained, and how it differs from configs/finetune/pocket-medpix.yaml."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["medpix", "vqa_rad"])
    parser.add_argument("--work", type=Path, required=True, help="runs, descriptions and figures are kept here")
    parser.add_argument("--data", type=Path, default=ROOT / "data" / "finetune", help="folders of finetune prepare")
    parser.add_argument("--quick", action="store_true", help="a few records and steps, to see that it works")
    args = parser.parse_args()
    folder = (args.work / f"{args.what}{'-quick' if args.quick else ''}").absolute()
    found = {"medpix": medpix, "vqa_rad": vqa_rad}[args.what](Work(folder, args.data, args.quick))
    if args.quick:
        print(found)
        return
    (ROOT / "benchmarks" / "finetune").mkdir(exist_ok=True)
    print(save(f"finetune/{args.what}", found))


def medpix(work: Work) -> dict[str, Any]:
    """Captions."""
    data = f"data.folder={work.prepared('medpix')}"
    runs = {
        name: work.part(f"run {name}", lambda n=name, c=changes: work.trained("pocket-medpix", slug(n), data, *c))
        for name, changes in ADAPTERS.items()
    }
    scored, losses = {}, {}
    for name in ("before", *ADAPTERS):
        tuned = None if name == "before" else runs[name]
        for how, options in (("with evidence", WITH), ("without", WITHOUT)):
            key = f"{name}, {how}"
            scored[key] = work.described("medpix", slug(key), CAPTION_METRICS, *options, *taken(tuned))
            losses[key] = work.part(f"loss {key}", lambda t=tuned, h=how: loss(work, t, h, data))
    asked = asked_of(work.run(slug("before, with evidence")))
    train = read_split(work.prepared("medpix"), "train")
    constant = best_constant([record.answer for record in train])
    rivals = {
        "one sentence for all, the best on train": parts.of_texts(
            "constant", [constant] * len(asked.ids), asked, CAPTION_METRICS.split(",")
        )
    }
    nearest = scored["before, with evidence"].foils[NEAREST]
    return {
        "records": {"train": len(train), "dev": len(asked.ids), "cases": len(set(asked.groups))},
        "training": {name: told(run) for name, run in runs.items()},
        "loss": {
            key: parts.loss_figures(found, losses[f"before, {key.rpartition(', ')[2]}"])
            for key, found in losses.items()
        },
        "captions": {key: parts.figures(found) for key, found in scored.items()},
        "rivals": {name: parts.figures(found) for name, found in rivals.items()}
        | {"nearest image's caption": {m: round(float(v[v == v].mean()), 4) for m, v in nearest.items()}},
        "words_of_the_one_sentence": len(constant.split()),  # not the sentence: it is made of captions of the set
        "compared": {
            f"{second} minus {first}": {
                metric: parts.compared(either(first), either(second), metric, MARGINS.get(metric))
                for metric in ("imageclef_rouge1", "content.modality", "content.plane", "content.location")
            }
            for either in [lambda key: scored.get(key) or rivals[key]]
            for first, second in pairs(rivals)
        },
        "loss_compared": {
            f"{second} minus {first}": parts.loss_compared(losses[first], losses[second], MARGINS["loss"])
            for first, second in pairs({})
        },
    }


def pairs(rivals: dict[str, Any]) -> list[tuple[str, str]]:
    """What is held against what: the second against the first."""
    tuned = "lora, with evidence"
    return [
        ("before, with evidence", tuned),
        ("before, with evidence", "full, with evidence"),
        ("before, without", "lora, without"),
        ("lora, without", tuned),
        *((f"lora, {how}", f"qlora, {how}") for how in ("with evidence", "without")),
        *((f"lora, {how}", f"full, {how}") for how in ("with evidence", "without")),
        *((rival, of) for rival in rivals for of in (tuned, "full, with evidence")),
    ]


def loss(work: Work, tuned: dict[str, Any] | None, how: str, data: str) -> dict[str, Any]:
    """Of each dev record the nats of its caption."""
    evidence = f"settings.retrieval.enabled={'true' if how == 'with evidence' else 'false'}"
    folder = work.folder / "losses" / ("with" if how == "with evidence" else "without")
    method, changed = (tuned or {}).get("method"), []
    if method == "qlora":
        changed.append("settings.model.quantisation=nf4")
    elif method == "full":
        changed.append(f"path={tuned['adapter']}")
    adapter = Path(tuned["adapter"]) if tuned and method != "full" else None
    return parts.losses("pocket-medpix", adapter, folder, data, evidence, "evidence.dropout=0", *changed)


def taken(tuned: dict[str, Any] | None) -> tuple[str, ...]:
    """The options with which a run's result describes: over its base as it was trained."""
    if tuned is None:
        return ()
    if tuned["method"] == "full":
        return ("--set", f"model.path={tuned['adapter']}")
    base = ("--set", "model.quantisation=nf4") if tuned["method"] == "qlora" else ()
    return ("--adapter", tuned["adapter"], *base)


def best_constant(captions: Sequence[str]) -> str:
    """One sentence for all images: the caption of train that is best on train, its words improved by climbing."""
    bag = Bag(captions)
    tried = list(captions)[:: max(len(captions) // CANDIDATES, 1)]
    return bag.climb(tried[int(bag.scores(tried).mean(axis=1).argmax())])


def vqa_rad(work: Work) -> dict[str, Any]:
    """Questions."""
    data = f"data.folder={work.prepared('vqa_rad')}"
    run = work.part("run lora", lambda: work.trained("pocket-vqa-rad", "lora", data))
    options = ("--no-rag", "--set", "prompt.length=short")
    scored = {
        "before": work.described("vqa_rad", "before", ANSWER_METRICS, *options),
        "after": work.described("vqa_rad", "after", ANSWER_METRICS, *options, "--adapter", run["adapter"]),
    }
    before = work.run("before")
    asked = asked_of(before)
    train = read_split(work.data / "vqa_rad", "train")
    rivals = {
        name: parts.of_texts(name, texts, asked, ANSWER_METRICS.split(","))
        for name, texts in by_words(train, before.cases).items()
    }
    best = {
        kind: max(rivals, key=lambda name, k=kind: rivals[name].estimate(f"accuracy.{k}").value)  # type: ignore[union-attr]
        for kind in ("closed", "open")
    }
    metrics = ("accuracy.closed", "accuracy.open", "accuracy.open_recall", "bleu1")
    return {
        "questions": {"train": len(train), "dev": len(asked.ids), "images": len(set(asked.groups))},
        "training": told(run),
        "answers": {name: parts.figures(found) for name, found in scored.items()},
        "question_alone": {name: parts.figures(found) for name, found in rivals.items()},
        "compared": {
            "after minus before": {m: parts.compared(scored["before"], scored["after"], m) for m in metrics},
            **{
                f"after minus {name}, which sees the question alone and is best on dev, {kind}": {
                    f"accuracy.{kind}": parts.compared(rivals[name], scored["after"], f"accuracy.{kind}")
                }
                for kind, name in best.items()
            },
        },
    }


def by_words(train: Sequence[TrainingRecord], asked: Sequence[Case]) -> dict[str, list[str]]:
    """What each model of a question's words answers, closed and open questions learned apart; the nearest question's
    answer is one more."""
    answers: dict[str, list[str]] = {}
    for kind in ("closed", "open"):
        known = [record for record in train if (record.kind or "").casefold() == kind]
        rows = [n for n, case in enumerate(asked) if case.answer_type == kind]
        texts = [record.question for record in known]
        right = [normalise(record.answer) for record in known]
        wanted = [asked[row].question for row in rows]
        said = foils.question_foils(texts, right, [record.group for record in known], wanted)
        said["nearest question"] = nearest_question(texts, right, wanted)
        for name, several in said.items():
            for row, text in zip(rows, several, strict=True):
                answers.setdefault(name, [""] * len(asked))[row] = text
    return answers


def nearest_question(known: Sequence[str], answers: Sequence[str], asked: Sequence[str]) -> list[str]:
    """The answer of the question with the most like words (tf-idf, cosine)."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True).fit(known)
    return [answers[n] for n in (words.transform(asked) @ words.transform(known).T).toarray().argmax(axis=1)]


def told(run: dict[str, Any]) -> dict[str, Any]:
    """What is kept of a run's figures: none of its paths."""
    kept = "method steps best_step before after last trained frozen records left_out seconds peak_mib"
    return {key: run[key] for key in kept.split()} | {"changes": run["changes"][1:]}


def slug(name: str) -> str:
    return name.replace(", ", "-").replace(" ", "-")


if __name__ == "__main__":
    main()
