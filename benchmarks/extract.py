"""Fields of documents: how often the answer validates, and how many of the fields are right.

    python benchmarks/extract.py --model pocket --documents 200

Documents are drawn by `documents.py`: five kinds, each with a schema of its own that no model here was trained with.
Each document is a run of the pipeline, as `cli.py extract` makes it. Reported beside the model held to the schema:

- `free`: the same model and prompt, held to nothing: how often what it says is JSON that validates.
- `constant`: for each kind the commonest value of each field among 500 other documents: what to say without looking.

A field is a path and a value: `medications[].dose = 50`. Field F1 is over all fields of all documents (micro), texts
compared in lower case with single blanks, numbers as numbers; a document that does not validate has no fields found.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from time import perf_counter
from typing import Any

from documents import KINDS, Document, document
from machine import save

from rag import open_pipeline
from rag.config import resolve
from rag.errors import AnswerError
from rag.fields import read_fields
from rag.types import Description, Failure, Prepared, Request

OTHERS = 10_000
"""Documents from this number on are those that the constant answer is learned from."""
Fields = Counter[tuple[str, str]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="pocket")
    parser.add_argument("--documents", type=int, default=200)
    parser.add_argument("--tokens", type=int, help="new tokens of an answer (default: as the model's config says)")
    args = parser.parse_args()
    documents = [document(number) for number in range(args.documents)]
    requests = [
        Request(f"{n}", (each.image,), "extract", schema=json.dumps(each.schema, separators=(",", ":")))
        for n, each in enumerate(documents)
    ]
    allow = [] if args.tokens is None else [f"generation.max_new_tokens={args.tokens}"]
    pipeline = open_pipeline(resolve(assignments=[f"model.name={args.model}", *allow]), requests)
    pipeline.load()
    prepared = pipeline.prepare(requests)
    started = perf_counter()
    outcomes = {outcome.request.id: outcome for outcome in pipeline.describe(prepared)}
    seconds = perf_counter() - started
    outcomes |= {failure.request.id: failure for failure in prepared.failures}
    held = [outcomes[request.id] for request in requests]
    free_started = perf_counter()
    free = said_freely(pipeline, prepared)
    free_seconds = perf_counter() - free_started
    constants = constant_answers()
    answers = {
        "held to the schema": [o.fields if isinstance(o, Description) else None for o in held],
        "free": [valid(text, each) for text, each in zip(free, documents, strict=True)],
        "constant": [constants[each.kind] for each in documents],
    }
    results = {
        "model": args.model,
        "documents": len(documents),
        "kinds": list(KINDS),
        "max_new_tokens": pipeline.speaker.params.max_new_tokens,
        "validate": {name: share(value is not None for value in said) for name, said in answers.items()},
        "field_f1": {name: round(f1(said, documents), 4) for name, said in answers.items()},
        "field_f1_by_kind": {
            name: {kind: round(f1(*of_kind(kind, said, documents)), 4) for kind in KINDS}
            for name, said in answers.items()
        },
        "warned": {
            "fields the model finds unlikely": warned(held, "finds these fields unlikely"),
            "brought to its end": warned(held, "was cut off"),
            "abstained": share(isinstance(o, Description) and o.abstained for o in held),
        },
        "seconds_a_document": {"held to the schema": round(seconds / len(held), 3),
                               "free": round(free_seconds / len(held), 3)},
        "new_tokens_mean": round(sum(o.tokens.new or 0 for o in held if isinstance(o, Description)) / len(held), 1),
        "failures": [o.reason for o in held if isinstance(o, Failure)][:5],
    }  # fmt: skip
    for key in ("validate", "field_f1", "warned", "seconds_a_document", "failures"):
        print(key, results[key])
    print(save(f"extract_{args.model}", results))


def said_freely(pipeline: Any, prepared: Prepared) -> list[str]:
    """What the model says to the same prompts, held to nothing."""
    prompts = [replace(item.prompt.prompt, schema=None) for item in prepared.items]
    said = dict(pipeline.speaker.engine.generate(prompts, pipeline.speaker.params))
    return [said[position].text for position in range(len(prompts))]


def valid(text: str, asked: Document) -> Any:
    try:
        return read_fields(text, json.dumps(asked.schema))
    except AnswerError:
        return None


def constant_answers() -> dict[str, Any]:
    """For each kind the commonest value of each field, and of a list's length and each place in it."""
    seen: dict[str, list[Any]] = {kind: [] for kind in KINDS}
    for number in range(OTHERS, OTHERS + 500):
        other = document(number)
        seen[other.kind].append(other.fields)
    return {kind: commonest(values) for kind, values in seen.items()}


def commonest(values: Sequence[Any]) -> Any:
    if isinstance(values[0], dict):
        return {key: commonest([value[key] for value in values]) for key in values[0]}
    if isinstance(values[0], list):
        flat = [item for value in values for item in value]
        if isinstance(flat[0], dict):
            return [commonest(flat)]
        count = round(sum(map(len, values)) / len(values))
        return [item for item, _ in Counter(flat).most_common(count)]
    return Counter(values).most_common(1)[0][0]


def f1(said: Sequence[Any], documents: Sequence[Document]) -> float:
    right = given = wanted = 0
    for value, each in zip(said, documents, strict=True):
        found, truth = Counter(paths(value)) if value is not None else Fields(), Counter(paths(each.fields))
        right += (found & truth).total()
        given += found.total()
        wanted += truth.total()
    return 2 * right / (given + wanted) if given + wanted else 0.0


def paths(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Every field of a JSON value as (path, value), places in lists not told apart."""
    if isinstance(value, dict):
        for key, inside in value.items():
            yield from paths(inside, f"{path}.{key}")
    elif isinstance(value, list):
        for inside in value:
            yield from paths(inside, f"{path}[]")
    elif isinstance(value, bool) or not isinstance(value, int | float):
        yield path, " ".join(str(value).lower().split())
    else:
        yield path, f"{float(value):g}"


def of_kind(kind: str, said: Sequence[Any], documents: Sequence[Document]) -> tuple[list[Any], list[Document]]:
    chosen = [n for n, each in enumerate(documents) if each.kind == kind]
    return [said[n] for n in chosen], [documents[n] for n in chosen]


def share(these: Any) -> float:
    marks = list(these)
    return round(sum(marks) / len(marks), 4)


def warned(outcomes: Sequence[Description | Failure], of: str) -> float:
    return share(isinstance(o, Description) and any(of in warning for warning in o.warnings) for o in outcomes)


if __name__ == "__main__":
    main()
