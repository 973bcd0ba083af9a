"""What the killed builds are of: two generations of drawn images and real captions, and what an index answers.

Generation 1 has a third of it; generation 2 adds the rest, changes some captions and lacks the first few records of
either kind. Everything here goes through the index's public interface and knows nothing of its files.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import machine  # noqa: F401 - first: it puts the house's packages on the path
import numpy as np
import yaml
from PIL import Image

from indexer import Evidence, Index, Query, load_embedder, open_index
from pocket.render import RenderKind, render

DRAWN: tuple[RenderKind, ...] = ("smear", "fluorescence", "tissue", "radiograph", "slice", "closeup")
LACKING = 12
Verdict = Literal["right", "right, in another order by words", "wrong"]
PROBES = 32
"""Directions in which every vector is measured: two vectors that agree to six decimals in all of them are the same."""


def write(work: Path, data: Path, images: int, passages: int) -> None:
    """Draws `images` and takes `passages` captions of the shared data, in the records of two generations."""
    folder = work / "pictures"
    folder.mkdir(parents=True, exist_ok=True)
    pictures = [_picture(folder, number) for number in range(images)]
    with (data / "text" / "roco_captions.jsonl").open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    chosen = random.Random(0).sample(rows, passages)
    texts = [{"id": row["id"], "text": row["caption"], "article": row["pmc"]} for row in chosen]
    for name, records in (("pictures", pictures), ("texts", texts)):
        first = records[: len(records) // 3]
        second = [_changed(record) if not n % 9 else record for n, record in enumerate(records)][LACKING:]
        for generation, kept in ((1, first), (2, second)):
            lines_ = "".join(json.dumps(record) + "\n" for record in kept)
            (work / name).mkdir(exist_ok=True)
            (work / name / f"records-{generation}.jsonl").write_text(lines_, encoding="utf-8")


def _picture(folder: Path, number: int) -> dict[str, Any]:
    kind = DRAWN[number % len(DRAWN)]
    file = folder / f"{number}.png"
    said = folder / f"{number}.txt"
    if not said.exists():
        drawn = render(kind, number)
        Image.fromarray(drawn.pixels).save(file)
        said.write_text(drawn.caption, encoding="utf-8")
    caption = said.read_text(encoding="utf-8")
    return {"id": f"drawn-{number}", "image": file.name, "caption": caption, "modality": kind}


def _changed(record: dict[str, Any]) -> dict[str, Any]:
    said = "caption" if "caption" in record else "text"
    return {**record, said: f"{record[said]} Seen again."}


def config(work: Path, generation: int, out: Path) -> Path:
    """The file of the configuration that builds a generation into the folder `out`."""
    fields = {"id": "id", "image": "image", "caption": "caption", "modality": "modality"}
    records = f"records-{generation}.jsonl"
    pictures = {"kind": "folder", "path": str(work / "pictures"), "records": records, "fields": fields}
    texts = {"kind": "jsonl", "path": str(work / "texts" / records), "fields": {"article": "article"}}
    file = out.with_suffix(f".{generation}.yaml")
    sources = [pictures, {**texts, "source": "captions"}]
    file.write_text(yaml.safe_dump({"out": str(out), "sources": sources}), encoding="utf-8")
    return file


def write_questions(file: Path) -> None:
    """Questions in both spaces, by vector alone and with their words, with their vectors."""
    asked = ("a chest radiograph with an effusion", "red cells", "a mass in the liver", "axial slice of the brain")
    found = []
    for space, name in (("images", "pocket-clip"), ("passages", "minilm")):
        for text, vector in zip(asked, load_embedder(name).embed_texts(asked).tolist(), strict=True):
            found += [{"space": space, "vector": vector, "text": words} for words in ("", text)]
    file.write_text(json.dumps(found), encoding="utf-8")


def read_questions(file: Path) -> list[Query]:
    """What `write_questions` wrote."""
    rows = json.loads(file.read_text(encoding="utf-8"))
    return [Query(row["space"], np.array(row["vector"], np.float32), 10, text=row["text"]) for row in rows]


def answers(index: Index, asked: list[Query]) -> list[list[list[Any]]]:
    """What an index finds for each question, as JSON: id, score and a hash of the record of each."""
    return [[[e.id, e.score, hash_of(_said(e))] for e in found] for found in index.search(asked)]


def expected(index: Index, asked: list[Query]) -> dict[str, Any]:
    """The answers of an index, and for each question all that it holds: id to score and hash."""
    everything = [dataclasses.replace(query, k=len(index) + 1) for query in asked]
    held = [{id_: [score, hash_] for id_, score, hash_ in found} for found in answers(index, everything)]
    return {"answers": answers(index, asked), "held": held}


def judged(found: list[list[list[Any]]], right: dict[str, Any] | None, asked: list[Query]) -> Verdict:
    """Answers of an index against those of its generation, `right`.

    By vectors they must be the same. By words, too, they may come in another order while a build is under way, because
    BM25 counts words in what the build has added; but each must be a record of the generation, and as many.
    """
    if right is None:
        return "wrong"
    if found == right["answers"]:
        return "right"
    for query, now, then, held in zip(asked, found, right["answers"], right["held"], strict=True):
        known = all(held.get(id_) == [score, hash_] for id_, score, hash_ in now)
        if now != then and not (query.text and known and len(now) == len(then)):
            return "wrong"
    return "right, in another order by words"


def content_hash(folder: Path) -> str:
    """SHA-256 of all records with every field, and of their vectors as PROBES directions see them to six decimals.

    By id: the numbers of rows, the order of vectors and the times of building are not in it.
    """
    digest = hashlib.sha256()
    with open_index(folder) as index:
        for space in sorted(index.spaces):
            for line in sorted(_lines(index, space)):
                digest.update(line.encode())
    return digest.hexdigest()


def _lines(index: Index, space: str) -> Iterator[str]:
    probes = np.random.default_rng(7).normal(size=(PROBES, index.manifest.spaces[space].dim))
    said: dict[str, str] = {}
    scores: dict[str, list[float]] = {}
    for probe in probes / np.linalg.norm(probes, axis=1, keepdims=True):
        for found in index.search([Query(space, probe.astype(np.float32), len(index) + 1)])[0]:
            said[found.id] = _said(found)
            scores.setdefault(found.id, []).append(found.score)
    for id_, measured in scores.items():
        if len(measured) != PROBES:
            raise AssertionError(f"{index.path}: {id_} was found by {len(measured)} of {PROBES} probes")
        yield f"{space} {said[id_]} {measured}\n"


def _said(found: Evidence) -> str:
    return repr(sorted(dataclasses.asdict(found.record).items()))


def hash_of(text: str) -> str:
    """The first 16 hex digits of a text's SHA-256."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]
