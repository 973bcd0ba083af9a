"""A run: what was said of the images of a set under one configuration, in a folder that says how it was made.

`run.json` holds the recipe, `descriptions.jsonl` the records as `caption --json` prints them, `failures.jsonl` why
others have none, `images.jsonl` what a person said of each image and where it lies, so that a run can be scored, rated
and shown without the set it came from, `prompts/` the templates as they were. Run it again and it goes on; under
another configuration it refuses.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from evaluation.errors import RunError
from evaluation.lines import mend, read_lines, write_lines
from evaluation.sets import Case, EvaluationSet
from evaluation.spending import Spent, spending
from indexer.manifest import hash_json
from rag.config import Settings
from rag.content import Content, compiled
from rag.differing import changes
from rag.opening import open_pipeline
from rag.pipeline import Pipeline
from rag.prompt_versions import keep
from rag.recipe import recipe
from rag.recorded import text_of
from rag.types import Description, Failure

RUN, DESCRIPTIONS, FAILURES, IMAGES = "run.json", "descriptions.jsonl", "failures.jsonl", "images.jsonl"
COSTS = "costs.jsonl"
"""A line for each time that images were described: seconds, peak memory, energy."""
CHUNK_BATCHES = 4
"""Batches of the engine that are prepared together."""

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Run:
    """A run that was read from its folder.

    `key` is a hash of what decides what is said: settings, model, index, prompt, images. `made` is `run.json`; `cases`
    are the images in the set's order; `records` are descriptions by id, `failures` the reason by id. An image is in one
    of the two, in neither where the run was stopped before it.
    """

    folder: Path
    key: str
    made: Mapping[str, Any]
    cases: tuple[Case, ...]
    records: Mapping[str, Mapping[str, Any]]
    failures: Mapping[str, str]

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.folder.name

    @property
    def content(self) -> Content | None:
        """The word lists that its texts are read by; None where the run does not say them."""
        lists = self.made["set"].get("lists")
        if lists is None:
            return None
        name, _, hash_ = str(self.made["set"]["content"]).partition("@")
        return Content(
            name,
            hash_,
            {key: {value: compiled(p) for value, p in of.items()} for key, of in lists.items()},
        )

    def text(self, id_: str) -> str:
        """The caption, answer or fields (as JSON) of an image; empty where it has none."""
        return text_of(self.records[id_]) if id_ in self.records else ""


def describe_set(
    settings: Settings,
    images: EvaluationSet,
    folder: Path,
    tell: Tell,
    pipeline: Pipeline | None = None,
    first: int | None = None,
) -> Run:
    """Describes what the folder has no description of yet; failures are tried again. A batch is kept once it is done.

    What is true of the images, their splits and word lists are those of the set as it is given now: they decide what
    the texts are judged by, not what is said. `pipeline` is one for these settings that is open already, so that runs
    share models. `first` stops after so many images of the set; the run goes on from there another time.

    Raises RunError where the folder holds a run of another configuration, and what opening the pipeline raises.
    """
    pipeline = pipeline or open_pipeline(settings, [case.request() for case in images.cases], tell)
    key = run_key(pipeline, images)
    before = read_run(folder) if (folder / RUN).is_file() else None
    if before is not None and before.key != key:
        raise RunError(f"{folder} holds a run of {_differences(before.made, pipeline, images)}. Give another folder")
    if before is None:
        _begin(folder, pipeline, images, key)
    elif before.cases != images.cases or before.made["set"] != _about(images):
        _keep_set(folder, images, before.made)
    done = set() if before is None else set(before.records)
    left = [case for case in images.cases[:first] if case.id not in done]
    if left:
        pipeline.load()  # before the clock starts: images a second are those of a model that is loaded
        with spending(folder / COSTS) as spent:
            _describe(left, pipeline, folder, spent)
    return read_run(folder)


def run_key(pipeline: Pipeline, images: EvaluationSet) -> str:
    """Hash of what decides what is said of a set."""
    return hash_json({**_inputs(pipeline), "set": set_hash(images)})[:16]


def read_run(folder: Path) -> Run:
    """A run of `describe_set`. Raises RunError where the folder holds none, or one that cannot be read."""
    if not (folder / RUN).is_file():
        raise RunError(f"{folder} holds no run: it has no {RUN}. Make one: python cli.py evaluate run --out {folder}")
    try:
        made = json.loads((folder / RUN).read_text(encoding="utf-8"))
        key = str(made["key"])
        cases = tuple(Case(**row | {"concepts": tuple(row.get("concepts", ()))}) for row in read_lines(folder / IMAGES))
        records = {row["id"]: row for row in read_lines(folder / DESCRIPTIONS)}
        failures = {row["id"]: row["reason"] for row in read_lines(folder / FAILURES)}
    except (ValueError, TypeError, KeyError) as error:
        raise RunError(f"{folder} cannot be read as a run: {error}") from error
    return Run(folder, key, made, cases, records, {id_: why for id_, why in failures.items() if id_ not in records})


def _begin(folder: Path, pipeline: Pipeline, images: EvaluationSet, key: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for template in pipeline.templates.values():
        keep(template, folder)
    _keep_set(folder, images, {"key": key, **recipe(), "set": None, **_inputs(pipeline)})


def _keep_set(folder: Path, images: EvaluationSet, made: Mapping[str, Any]) -> None:
    """Writes the images and `made`, with what is said of the set in it."""
    write_lines(folder / IMAGES, [asdict(case) for case in images.cases])
    # Last: a folder with this file has all that a run begins with.
    text = json.dumps({**made, "set": _about(images)}, indent=1, ensure_ascii=False)
    (folder / RUN).write_text(text + "\n", encoding="utf-8")


def _about(images: EvaluationSet) -> dict[str, Any]:
    """What `run.json` says of the set."""
    return {
        "name": images.name,
        "hash": set_hash(images),
        "images": len(images.cases),
        "articles": len({case.group for case in images.cases}),
        "content": f"{images.content.name}@{images.content.hash[:8]}",
        "lists": {
            name: {value: pattern.pattern for value, pattern in values.items()}
            for name, values in images.content.lists.items()
        },
        "truth": images.truth_from,
        "unusable": list(images.failures),
    }


def _describe(cases: Sequence[Case], pipeline: Pipeline, folder: Path, spent: Spent) -> None:
    chunk = CHUNK_BATCHES * pipeline.settings.batch_size
    mend(folder / DESCRIPTIONS)
    with (
        (folder / DESCRIPTIONS).open("a", encoding="utf-8") as records,
        (folder / FAILURES).open("w", encoding="utf-8") as failures,
        tqdm(total=len(cases), desc=folder.name, leave=False, disable=None) as bar,
    ):
        for start in range(0, len(cases), chunk):
            for outcome in pipeline.run([case.request() for case in cases[start : start + chunk]]):
                match outcome:
                    case Description():
                        records.write(json.dumps(outcome.to_json(), ensure_ascii=False) + "\n")
                    case Failure():
                        line = {"id": outcome.request.id, "reason": outcome.reason}
                        failures.write(json.dumps(line, ensure_ascii=False) + "\n")
                spent.images += 1
                bar.update()
            records.flush()
            failures.flush()


def _inputs(pipeline: Pipeline) -> dict[str, Any]:
    """What decides what a pipeline says of an image."""
    speaker, settings = pipeline.speaker, pipeline.settings.model_dump(mode="json")
    return {
        "settings": settings,
        "model": f"{speaker.engine.model}@{speaker.engine.fingerprint[:8]}",
        "adapter": speaker.engine.adapter,
        "prompt": {task: template.version for task, template in pipeline.templates.items()},
        "index": f"{settings['retrieval']['index']}@{pipeline.retriever.version}" if pipeline.retriever else None,
        "params": asdict(speaker.params),
    }


def set_hash(images: EvaluationSet) -> str:
    """Hash of what is asked of which images, and of what a person said, in their order."""
    return hash_json(
        [[case.id, case.image, case.caption, case.article, case.question, case.schema] for case in images.cases]
    )[:16]


def _differences(made: Mapping[str, Any], pipeline: Pipeline, images: EvaluationSet) -> str:
    """The inputs that differ, each as it was there and as it is now."""
    was = {**{name: made.get(name) for name in _inputs(pipeline)}, "set": made["set"]["hash"]}
    differing = changes(was, {**_inputs(pipeline), "set": set_hash(images)})
    return f"another configuration: {'; '.join(map(str, differing[:3]))}"
