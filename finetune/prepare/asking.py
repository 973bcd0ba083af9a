"""What a source's words become: the task, the answer in its stated form, or the reason why there is none.

Answers that are yes or no, whatever their case and full stop ("Yes ", "NO."), are written `yes` and `no`. All others
keep their own words, without the space around them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from finetune.prepare.found import Found, Why
from finetune.prepare.options import Options
from indexer.sources.questions import answer_type
from rag.errors import AnswerError
from rag.fields import read_fields

YES_NO = ("yes", "no")


class NoUseError(ValueError):
    """A record that nothing can be learned from, and what it lacks."""

    def __init__(self, why: Why, reason: str) -> None:
        super().__init__(reason)
        self.why: Why = why


@dataclass(frozen=True)
class Asked:
    """What a record asks and answers, as it says it itself."""

    question: str | None
    answer: Any
    kind: str | None = None
    labels: tuple[str, ...] = ()
    text: str | None = None


def question_of(said: Asked, options: Options) -> str:
    """The question, after the text that it is about. Raises NoUseError where there is neither."""
    asked = options.question.strip() or (said.question or "").strip()
    if not asked:
        raise NoUseError("question", "its question is missing")
    return f"{said.text.strip()}\n\n{asked}" if said.text else asked


def answered(record: Found, said: Asked, options: Options) -> Found:
    """The record with its question, answer, labels, schema and kind. Raises NoUseError."""
    match record.task:
        case "caption":
            return replace(record, answer=_words(said.answer), kind=said.kind)
        case "ask":
            return _question(record, said, options)
        case "classify":
            labels = tuple(label.strip() for label in options.labels or said.labels)
            if not labels:
                raise NoUseError("question", "it has no labels to choose from")
            answer = one_of(labels, _words(said.answer))
            return replace(
                record, question=question_of(said, options), answer=answer, labels=labels, kind=said.kind or None
            )
        case "extract":
            schema = options.schema or record.schema or ""
            return replace(record, answer=fields_text(said.answer, schema), schema=schema, kind=said.kind)


def yes_or_no(answer: str) -> str:
    """`yes` or `no` where the answer is one of them; all else as it is."""
    return answer.strip().rstrip(".").casefold() if answer_type(answer) == "closed" else answer


def one_of(labels: Sequence[str], answer: str) -> str:
    """The label that an answer is, its case aside where only one differs in nothing else. Raises NoUseError."""
    if answer in labels:
        return answer
    folded = answer.rstrip(".").casefold()
    near = [label for label in labels if label.casefold() == folded]
    if len(near) != 1:
        raise NoUseError("answer", f"its answer {answer[:80]!r} is none of the labels")
    return near[0]


def fields_text(answer: Any, schema: str) -> str:
    """The right JSON as text, its keys in the schema's order, as a model that is held to it writes them.

    Raises NoUseError where it does not satisfy the schema.
    """
    if answer is None:
        raise NoUseError("answer", "its answer is missing")
    try:
        text = answer if isinstance(answer, str) else json.dumps(answer)
        value = read_fields(text, schema)
    except (AnswerError, TypeError) as error:
        raise NoUseError("answer", str(error)) from error
    return json.dumps(_ordered(value, json.loads(schema)), ensure_ascii=False)


def _question(record: Found, said: Asked, options: Options) -> Found:
    answer = yes_or_no(_words(said.answer))
    kind = (said.kind or "").casefold() or answer_type(answer)
    asked = replace(record, question=question_of(said, options), answer=answer, kind=kind)
    if options.closed_as_labels and answer in YES_NO:
        return replace(asked, task="classify", labels=YES_NO)
    return asked


def _words(answer: Any) -> str:
    if isinstance(answer, list | tuple | Mapping):
        raise NoUseError("answer", f"its answer is {type(answer).__name__} where a text should be")
    text = "" if answer is None else str(answer).strip()
    if not text:
        raise NoUseError("answer", "its answer is missing")
    return text


def _ordered(value: Any, schema: Any) -> Any:
    below = schema if isinstance(schema, dict) else {}
    if isinstance(value, dict):
        properties = below.get("properties", {})
        keys = [*(key for key in properties if key in value), *(key for key in value if key not in properties)]
        return {key: _ordered(value[key], properties.get(key)) for key in keys}
    if isinstance(value, list):
        return [_ordered(each, below.get("items")) for each in value]
    return value
