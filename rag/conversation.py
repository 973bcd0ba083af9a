"""Several questions about the same images, each put with what was said before it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from rag.pipeline import Pipeline
from rag.prompts import Exchange
from rag.types import Description, Failure, Request


def converse(pipeline: Pipeline, first: Request, questions: Iterable[str]) -> Iterator[Description | Failure]:
    """Yields the answer to each of `questions`, asked about the images of `first`, as they come.

    The next question is taken when its answer is wanted. Evidence is looked up for each; what could not be answered
    is forgotten. Ids are those of `first` with the question's number.
    """
    history: tuple[Exchange, ...] = ()
    images = first.images
    for number, question in enumerate(questions, start=1):
        request = replace(first, id=f"{first.id}-{number}", images=images, question=question, history=history)
        for outcome in pipeline.run([request]):
            if isinstance(outcome, Description):
                history = (*history, Exchange(question, outcome.text))
                images = outcome.images  # decoded once
            yield outcome
