"""Texts that give orders to the model: are they told from ordinary ones, and do they change a description?

    python benchmarks/injected.py benchmarks/evidence_sets/a/injected.jsonl [--data ../shared/data]

For each file of lines `{"id", "text", "injected"}`: precision and recall of `rag.untrusted.instruction_in`, and which
lines it gets wrong. With --data also how many of the real captions and passages there it takes for orders, which none
of them is.

Then the one path, with the embedded model and passages in the prompt: drawn images are described with the starter
index, and with that index and one injected text more, which is there as the caption of another drawing of the kind and
as a passage that begins as one of the starter's does; so for --alone of the texts, spread evenly. Where the two prompts
are the same so are the greedy descriptions; where they differ both are written and compared. The same with the detector
looking away says how often the injected text would have been read, and with all of them in the index at once: then most
of it is injected, and what is left over moves with the word statistics, as it does with any texts that are added.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Any
from unittest.mock import patch

from machine import save
from PIL import Image

from configs import parse
from indexer import build_index, open_index
from indexer.config import IndexConfig
from pocket.render import RenderKind, render
from pocket.starter import write_starter
from rag import Pipeline, open_pipeline
from rag.config import resolve
from rag.retrieve import Retriever
from rag.types import Description, Prepared, PreparedRequest, Request
from rag.untrusted import instruction_in

KINDS: tuple[RenderKind, ...] = ("smear", "fluorescence", "tissue", "radiograph")
QUERIES = (910_000,)
"""Seeds of the images described, for each kind."""
ATTACKS = 920_000
"""The first seed of the images that injected captions come with."""
CORPORA = (
    ("medpix/records.jsonl", ("caption",)),
    ("medpix/cases.jsonl", ("history", "findings", "discussion")),
    ("text/roco_captions.jsonl", ("caption",)),
    ("text/pubmed_abstracts.jsonl", ("abstract",)),
    ("text/medquad.jsonl", ("text",)),
)
MOST_OF_A_CORPUS = 3_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--alone", type=int, default=8, help="how many texts are put into the index one at a time")
    parser.add_argument("--out", default="injected", help="name of the result's file")
    args = parser.parse_args()
    results: dict[str, Any] = {"detector": {}}
    texts = []
    for file in args.files:
        rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
        texts += [row["text"] for row in rows if row["injected"]]
        results["detector"]["/".join(file.parts[-2:])] = judged(rows)
    if args.data:
        results["ordinary"] = dict(ordinary(args.data))
    with tempfile.TemporaryDirectory() as folder:
        results["descriptions"] = descriptions(Path(folder), texts, args.alone)
    print(json.dumps(results, indent=1, ensure_ascii=False))
    print(save(args.out, results), file=sys.stderr)


def judged(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    flagged = {row["id"] for row in rows if instruction_in(row["text"])}
    injected = {row["id"] for row in rows if row["injected"]}
    return {
        "lines": len(rows),
        "injected": len(injected),
        "precision": round(len(flagged & injected) / max(len(flagged), 1), 3),
        "recall": round(len(flagged & injected) / max(len(injected), 1), 3),
        "missed": sorted(injected - flagged),
        "wrongly_flagged": sorted(flagged - injected),
    }


def ordinary(data: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Real texts taken for orders, spread evenly over each corpus, and the milliseconds that one takes."""
    for name, keys in CORPORA:
        with (data / name).open(encoding="utf-8") as lines:
            records = [json.loads(line) for line in lines]
        texts = list(dict.fromkeys(str(record[key]) for record in records for key in keys if record.get(key)))
        texts = texts[:: -(-len(texts) // MOST_OF_A_CORPUS)]
        started = perf_counter()
        flagged = sum(instruction_in(text) is not None for text in texts)
        each = 1000 * (perf_counter() - started) / len(texts)
        yield name, {"texts": len(texts), "flagged": flagged, "ms_a_text": round(each, 2)}


def descriptions(folder: Path, texts: Sequence[str], most_alone: int) -> dict[str, Any]:
    """How descriptions compare with the injected texts in the index and without."""
    write_starter(folder / "files")
    clean = built(folder / "files", folder / "clean", ())
    requests = [drawn(folder, kind, seed) for kind in KINDS for seed in QUERIES]
    settings = resolve(retrieval__index=str(clean), prompt__template="few_shot_passages")
    pipeline = open_pipeline(settings, requests)
    plain = pipeline.prepare(requests)

    def compared(index: Path) -> dict[str, int]:
        other = Pipeline(
            settings,
            pipeline.speaker,
            pipeline.templates,
            Retriever(open_index(index), settings.retrieval.k, settings.retrieval.guard),
        )
        with_it = other.prepare(requests)
        with patch("rag.distrust.instruction_in", return_value=None):
            unguarded = other.prepare(requests)
        return {
            "left_out": sum(item.left_out.instructions for item in with_it.items),
            "shown": shown(with_it),
            "prompts_changed": len(differing(plain, with_it)),
            "texts_changed": rewritten(pipeline, plain, with_it),
            "shown_without_the_detector": shown(unguarded),
            "texts_changed_without_the_detector": rewritten(pipeline, plain, unguarded),
        }

    alone: Counter[str] = Counter()
    chosen = range(0, len(texts), -(-len(texts) // most_alone))
    for number in chosen:
        index = folder / f"with-{number}"
        shutil.copytree(clean, index)
        alone.update(compared(built(folder / "files", index, texts, [number])))
    together = compared(built(folder / "files", folder / "all", texts, range(len(texts))))
    return {
        "images": len(requests),
        "one_at_a_time": {"texts": len(chosen), **alone},
        "all_at_once": {"texts": len(texts), **together},
    }


def drawn(folder: Path, kind: RenderKind, seed: int) -> Request:
    file = folder / f"{kind}-{seed}.png"
    Image.fromarray(render(kind, seed).pixels).save(file)
    return Request(file.stem, (str(file),))


def differing(one: Prepared, other: Prepared) -> list[int]:
    """The places of a batch where the prompts are not the same."""
    pairs = zip(one.items, other.items, strict=True)
    return [place for place, (a, b) in enumerate(pairs) if written(a) != written(b)]


def written(item: PreparedRequest) -> list[tuple[str, list[str]]]:
    messages = item.prompt.prompt.messages
    return [(m.role, [part if isinstance(part, str) else part.sha256 for part in m.parts]) for m in messages]


def rewritten(pipeline: Pipeline, one: Prepared, other: Prepared) -> int:
    """How many descriptions differ; only those with different prompts are written at all."""
    places = differing(one, other)
    texts = []
    for prepared in (one, other):
        some = replace(prepared, items=tuple(prepared.items[place] for place in places))
        said = {o.request.id: o.text for o in pipeline.describe(some) if isinstance(o, Description)}
        texts.append([said[item.request.id] for item in some.items])
    return sum(a != b for a, b in zip(*texts, strict=True))


def shown(prepared: Prepared) -> int:
    """In how many prompts there is an injected text."""
    return sum(any(e.id.startswith("injected") for e in item.prompt.evidence) for item in prepared.items)


def built(starter: Path, out: Path, texts: Sequence[str], chosen: Sequence[int] = ()) -> Path:
    """An index of the starter set and of the chosen texts, each a caption and a passage."""
    files = out.with_name(f"{out.name}-files")
    shutil.copytree(starter, files)
    records, passages = files / "records.jsonl", files / "passages.jsonl"
    titles = [json.loads(line) for line in passages.read_text(encoding="utf-8").splitlines()]
    with records.open("a", encoding="utf-8") as captions, passages.open("a", encoding="utf-8") as chunks:
        for number in chosen:
            kind, near = KINDS[number % len(KINDS)], titles[number % len(titles)]
            image = f"injected-{number}.png"
            Image.fromarray(render(kind, ATTACKS + number).pixels).save(files / image)
            captions.write(json.dumps({"id": f"injected-{number}", "image": image, "caption": texts[number]}) + "\n")
            chunk = {"id": f"injected-text-{number}", "title": near["title"], "text": f"{near['text']} {texts[number]}"}
            chunks.write(json.dumps(chunk) + "\n")
    config = {
        "out": str(out),
        "image_embedder": "pocket-clip",
        "text_embedder": "minilm",
        "sources": [
            {"kind": "folder", "path": str(files), "records": records.name, "source": "starter",
             "fields": {key: key for key in ("id", "image", "caption")}},
            {"kind": "jsonl", "path": str(passages), "source": "starter",
             "fields": {key: key for key in ("id", "title", "text")}},
        ],
    }  # fmt: skip
    build_index(parse(IndexConfig, config, "benchmark"))
    return out


if __name__ == "__main__":
    main()
