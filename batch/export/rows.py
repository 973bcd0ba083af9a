"""A description as one flat row, under the same names and types in every table."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Literal

from batch.export.placing import placed_file
from batch.run_folder import BatchRun
from batch.shards import Result

Kind = Literal["string", "bool", "int64", "float64", "strings"]
"""What a column holds: a value, which may be missing, or a list of texts. All but the last are Arrow's own names."""

COLUMNS: Mapping[str, Kind] = {
    "id": "string",
    "article": "string",
    "image": "string",
    "image_sha256": "string",
    "task": "string",
    "question": "string",
    "text": "string",
    "abstained": "bool",
    "abstained_because": "string",
    "confidence": "float64",
    "cited": "strings",
    "evidence": "strings",
    "licenses": "strings",
    "warnings": "strings",
    "model": "string",
    "adapter": "string",
    "prompt": "string",
    "index": "string",
    "prompt_tokens": "int64",
    "new_tokens": "int64",
    "seconds": "float64",
}
"""`cited` and `evidence` are ids, of what the sentences cite and of all that stood in the prompt; `licenses` are those
of the evidence; `seconds` is the share of its batch's time."""
SEPARATOR = "; "


@dataclass(frozen=True)
class Row:
    """A description and its record, read."""

    result: Result
    record: Mapping[str, Any]

    @property
    def cited(self) -> list[int]:
        """The numbers of the evidence that the sentences cite, each once, in the order of the text."""
        sentences = self.record.get("sentences", ())
        return list(dict.fromkeys(chain.from_iterable(sentence["citations"] for sentence in sentences)))

    @property
    def evidence(self) -> list[Mapping[str, Any]]:
        """What stood in the prompt, in the order of its numbers."""
        return sorted(self.record.get("evidence", ()), key=lambda item: item["number"])

    @property
    def cited_ids(self) -> list[str]:
        """The ids of what is cited."""
        by_number = {item["number"]: item["id"] for item in self.evidence}
        return [by_number[number] for number in self.cited if number in by_number]

    def values(self) -> dict[str, Any]:
        """By the names of COLUMNS."""
        result, record = self.result, self.record
        tokens = record.get("tokens", {})
        return {
            "id": result.id,
            "article": result.article,
            "image": result.image,
            "image_sha256": result.image_sha256,
            "task": result.task,
            "question": record.get("question"),
            "text": result.text,
            "abstained": result.abstained,
            "abstained_because": record.get("abstained_because"),
            "confidence": result.confidence,
            "cited": self.cited_ids,
            "evidence": [item["id"] for item in self.evidence],
            "licenses": list(dict.fromkeys(item["license"] for item in self.evidence if item["license"])),
            "warnings": record.get("warnings", []),
            "model": record.get("model"),
            "adapter": record.get("adapter"),
            "prompt": record.get("prompt"),
            "index": record.get("index"),
            "prompt_tokens": tokens.get("prompt"),
            "new_tokens": tokens.get("new"),
            "seconds": record.get("timings_s", {}).get("total"),
        }


def rows(run: BatchRun) -> Iterator[Row]:
    """The descriptions of a run in the input's order, a few shards in memory at a time."""
    return (Row(result, json.loads(result.record)) for result in run.descriptions())


def write_csv(run: BatchRun, path: Path) -> int:
    """Writes COLUMNS, lists joined by `; `; returns how many rows. Raises ExportError."""
    count = 0
    with placed_file(path) as part, part.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for row in rows(run):
            values = row.values()
            writer.writerow(
                SEPARATOR.join(values[name]) if kind == "strings" else values[name] for name, kind in COLUMNS.items()
            )
            count += 1
    return count


def write_jsonl(run: BatchRun, path: Path) -> int:
    """Writes the records as `caption --json` prints them; returns how many. Raises ExportError."""
    count = 0
    with placed_file(path) as part, part.open("w", encoding="utf-8", newline="") as file:
        for result in run.descriptions():
            file.write(result.record + "\n")
            count += 1
    return count
