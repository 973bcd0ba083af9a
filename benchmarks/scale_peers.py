"""This project's index beside `langchain_community`'s FAISS store and autofaiss: build, open, ask, memory, a kill.

    python benchmarks/scale_peers.py --data ../shared/data --work .scratch/scale --passages 250000

The same vectors, texts and queries for all, made by `scale_made.py` and `peer_inputs.py` in the work folder; each
step of each store in a fresh process of its own, one at a time (`peers/`). Each peer lives in a virtual environment
in the work folder, made by uv; where that or a step fails, its result is "not measured" with the reason. What is
settled in a peer's favour: LangChain's store is made of NumPy rows, in one call, and also opened memory-mapped;
autofaiss is also made as an index that can be mapped, and asked with ever more effort from the fastest on, until it
reaches the recall that our own lists are made for. All files were written just before, so every store's are in the
disk's cache. The whole of `build` is timed, from files of vectors and texts to a store that survives a power cut;
`open` from the call to the first answer, the best of three, imports not counted; `ask` is 200 queries for ten, one
after the other.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from machine import save
from peer_inputs import made, recall
from peer_runs import CONTENDERS, Contender, NotMeasuredError, Place, cited, interpreter
from scale_made import Speech, mixtures, real_texts, wider

from indexer.approximate import TARGET_RECALL

OPENED = 3
FEW = 2_000
EFFORTS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
NOTES = (
    "langchain searches by vectors only; its BM25Retriever is a list of its own, in memory, from another package",
    "autofaiss holds vectors only: it answers with row numbers, and keeping the texts is the caller's",
    "langchain and autofaiss do not make their files durable; the fsync that build does for them is fsync_s of it",
    "autofaiss chooses its effort by trying (tuning_s of build) and times the index it has made (metrics_s of build)",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--passages", type=int, default=250_000)
    parser.add_argument("--images", type=int, default=79_789, help="vectors of 512 without texts; 0 for none")
    args = parser.parse_args()
    results = measured(args.work, args.data, args.passages, args.images)
    print(json.dumps(results, indent=1))
    print(save("scale_peers", results), file=sys.stderr)


def measured(work: Path, data: Path, passages: int = 250_000, images: int = 79_789) -> dict[str, Any]:
    """Everything of this script by name. Needs about 17 KB of disk a passage under `work`, and leaves it there."""
    work = work.resolve() / "peers"
    work.mkdir(parents=True, exist_ok=True)
    speech, real = Speech.of(real_texts(data / "text")), mixtures(data, work)
    places = [(c, interpreter(work, c.environment)) for c in CONTENDERS]
    found: dict[str, Any] = {"notes": NOTES, "sources": list(cited(work))}
    inputs = made(work / f"passages-{passages}", real.real, passages, speech)
    found[f"{passages} passages of {real.dim}"] = {c.name: of_one(Place(c, p, inputs)) for c, p in places}
    if images:
        inputs = made(work / f"images-{images}", wider(real, 512).real, images, None)
        found[f"{images} images of 512, no texts"] = {c.name: of_one(Place(wordless(c), p, inputs)) for c, p in places}
    few = made(work / f"passages-{FEW}", real.real, FEW, speech)
    found["killed while saving again"] = {c.name: killed(Place(c, p, few)) for c, p in places if not c.build}
    return found


def wordless(contender: Contender) -> Contender:
    """The same, not searched by words."""
    opened, asked_with = (tuple(s for s in settings if s != "words") for settings in (contender.open, contender.ask))
    return dataclasses.replace(contender, open=opened, ask=asked_with)


def of_one(place: Place) -> dict[str, Any]:
    """One store, step by step; where a step fails, what there is until then and the reason."""
    found: dict[str, Any] = {}
    try:
        found["imports only"] = {step: place.run("imports", step) for step in ("build", "open")}
        found["build"] = place.run("build", place.contender.build)
        for setting in place.contender.open:
            runs = [place.run("open", setting) for _ in range(OPENED)]
            found[f"open {setting}".strip()] = min(runs, key=lambda one: one["seconds"])
        for setting in place.contender.ask:
            found[f"ask {setting}".strip()] = asked(place, setting)
        if place.contender.effort:
            found["ask, least effort first"] = list(by_effort(place))
    except NotMeasuredError as error:
        found["not measured"] = str(error)
    return found


def by_effort(place: Place) -> Iterator[dict[str, Any]]:
    """Answers with more and more effort, until our own target of recall is reached."""
    for effort in EFFORTS:
        setting = f"{place.contender.effort}={effort}"
        said = {"setting": setting, **asked(place, setting)}
        yield said
        if said["recall_at_10"] >= TARGET_RECALL:
            return


def asked(place: Place, setting: str) -> dict[str, Any]:
    """All queries; of those by vectors alone, recall of the exact ten nearest."""
    said = place.run("ask", setting)
    ids = said.pop("ids")
    return said if setting == "words" else {**said, "recall_at_10": recall(ids, place.inputs)}


def killed(place: Place) -> str:
    """What a store of `FEW` answers after half of it was saved over it, killed half-way through the vectors' file."""
    try:
        place.run("build", place.contender.build)
        before = asked(place, "")["recall_at_10"]
        try:
            place.run("save")
        except NotMeasuredError as error:
            if "signal 9" not in str(error):
                raise
    except NotMeasuredError as error:
        return f"not measured: {error}"
    try:
        after = asked(place, "")["recall_at_10"]
    except NotMeasuredError as error:
        return f"cannot be opened: {error}"
    return f"opens: recall@10 {after} of what was saved first, {before} before it was killed"


if __name__ == "__main__":
    main()
