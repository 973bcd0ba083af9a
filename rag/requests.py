"""What a person typed -> requests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rag.errors import RequestError
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


def ask_request(images: Sequence[str], question: str, article: str | None = None) -> Request:
    """One request about all the images together. Raises RequestError for an empty question."""
    if not question.strip():
        raise RequestError("--question is empty")
    return Request(Path(images[0]).stem, tuple(images), "ask", question.strip(), article)
