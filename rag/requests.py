"""What a person typed -> requests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rag.errors import RequestError
from rag.fields import read_schema
from rag.prompts import Task
from rag.types import Request


def caption_requests(images: Sequence[str], article: str | None = None) -> list[Request]:
    """One request an image. Its id is the file's name without its ending, or the path where names are equal.

    Raises RequestError where the same file is named twice.
    """
    twice = [path for path, count in Counter(images).items() if count > 1]
    if twice:
        raise RequestError(f"--image {twice[0]} is given twice")
    stems = Counter(Path(path).stem for path in images)
    ids = [Path(path).stem if stems[Path(path).stem] == 1 else path for path in images]
    return [Request(id_, (path,), article=article) for id_, path in zip(ids, images, strict=True)]


def ask_request(
    images: Sequence[str], question: str, article: str | None = None, labels: Sequence[str] = ()
) -> Request:
    """One request about all the images together; with labels, the answers to choose from.

    Raises RequestError for an empty question and for labels that are no choice.
    """
    if not question.strip():
        raise RequestError("--question is empty")
    choices = tuple(label.strip() for label in labels)
    if choices and (len(choices) < 2 or "" in choices or len(set(choices)) < len(choices)):
        raise RequestError("--label: give two or more answers to choose from, each once, none empty")
    task: Task = "classify" if choices else "ask"
    return Request(Path(images[0]).stem, tuple(images), task, question.strip(), article, choices)


def extract_requests(images: Sequence[str], schema: Path) -> list[Request]:
    """One request a document. Raises RequestError where the schema is none, or a file is named twice."""
    asked = read_schema(schema)
    return [replace(request, task="extract", schema=asked) for request in caption_requests(images)]
