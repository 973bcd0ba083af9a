"""What a prepared folder holds, in numbers, as report.json keeps it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from pydantic import ValidationError

from configs import StrictModel
from finetune.errors import RecordsError
from finetune.prepare.found import LeftOut
from finetune.prepare.leaks import Leak, Placed
from finetune.prepare.splits import in_order
from finetune.records import REPORT
from indexer.licenses import is_stated, license_of

FORMAT = 1
NOT_STATED = "not stated"
_SHOWN = 5


class Request(StrictModel):
    """What a folder is made from: the options, and a hash over the source's records and the stamps of their images."""

    format: int
    source: str
    options: dict[str, Any]
    records: str

    def differs(self, other: Request) -> str:
        """What of this is otherwise in the other, in words; empty where it is the same but for the source's name."""
        for key in sorted({*self.options, *other.options}):
            mine, theirs = self.options.get(key), other.options.get(key)
            if mine != theirs:
                return f"{key} was {theirs if theirs is not None else 'not given'}"
        if self.format != other.format:
            return f"its format is {other.format}"
        if self.records == other.records:
            return ""
        return "its source had other records" if self.source == other.source else f"its source was {other.source}"


class Words(StrictModel):
    """Lengths of texts in words: the median, what 95 % do not exceed, the longest."""

    median: float
    p95: int
    longest: int


class Split(StrictModel):
    """What a split holds. `images` are counted once each; `images_a_record` is the most that one record has."""

    records: int
    images: int
    groups: int
    tasks: dict[str, int]
    kinds: dict[str, int]
    images_a_record: int
    question_words: Words | None
    answer_words: Words


class SharedBy(StrictModel):
    """So many records of the first split share something with the second; `examples` are pairs of their ids."""

    kind: str
    splits: tuple[str, str]
    records: int
    examples: tuple[tuple[str, str], ...]


class Lost(StrictModel):
    """A record that is in no split."""

    id: str
    why: str
    reason: str


class Report(StrictModel):
    """All of it. `licenses` counts records; `copies` are pairs of pictures of which one is a copy of the other;
    `repeated` are records that say what an earlier one says, `several_answers` those that answer the same otherwise."""

    request: Request
    splits: dict[str, Split]
    images: int
    groups: int
    largest_group: int
    copies: int
    licenses: dict[str, int]
    leaks: tuple[SharedBy, ...]
    leaks_kept: bool
    repeated: int
    several_answers: int
    left_out: dict[str, int]
    left_out_examples: tuple[Lost, ...]
    notes: tuple[str, ...]


def make_report(
    request: Request,
    placed: Sequence[Placed],
    left: Sequence[LeftOut],
    leaks: Sequence[Leak],
    copies: int,
    notes: Sequence[str],
) -> Report:
    """The report of the records that are in a split, and of those that are not."""
    by_split: dict[str, list[Placed]] = {}
    for one in placed:
        by_split.setdefault(one.split, []).append(one)
    sizes = Counter(one.group for one in placed)
    licenses = Counter(_license(one) for one in placed)
    repeated, several = _again(placed)
    return Report(
        request=request,
        splits={name: _split(by_split[name]) for name in in_order(by_split)},
        images=len({file for one in placed for file in one.files}),
        groups=len(sizes),
        largest_group=max(sizes.values(), default=0),
        copies=copies,
        licenses=dict(licenses.most_common()),
        leaks=tuple(SharedBy(kind=k.kind, splits=k.splits, records=k.records, examples=k.examples) for k in leaks),
        leaks_kept=bool(leaks) and not any(one.why == "leak" for one in left),
        repeated=repeated,
        several_answers=several,
        left_out=dict(Counter(one.why for one in left).most_common()),
        left_out_examples=_examples(left),
        notes=(*notes, *_license_notes(licenses), *_group_notes(sizes, len(placed))),
    )


def read_report(folder: Path) -> Report | None:
    """The report of a folder that is whole, None where it has none. Raises RecordsError where it is not ours."""
    file = folder / REPORT
    try:
        return Report.model_validate_json(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError, ValidationError) as error:
        first = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error
        raise RecordsError(f"{file} is no report of `finetune prepare` ({first}); give another --out") from error


def words_of(texts: Sequence[str]) -> Words:
    """Lengths in words, of at least one text."""
    counts = sorted(len(text.split()) for text in texts)
    return Words(median=median(counts), p95=counts[math.ceil(0.95 * len(counts)) - 1], longest=counts[-1])


def _split(placed: Sequence[Placed]) -> Split:
    questions = [one.record.question for one in placed if one.record.question]
    return Split(
        records=len(placed),
        images=len({file for one in placed for file in one.files}),
        groups=len({one.group for one in placed}),
        tasks=dict(Counter(str(one.record.task) for one in placed).most_common()),
        kinds=dict(Counter(one.record.kind for one in placed if one.record.kind).most_common()),
        images_a_record=max(len(one.files) for one in placed),
        question_words=words_of(questions) if questions else None,
        answer_words=words_of([one.record.answer for one in placed]),
    )


def _again(placed: Sequence[Placed]) -> tuple[int, int]:
    """How many records say what an earlier one says, and how many answer otherwise what an earlier one answers."""
    answers: dict[tuple[object, ...], set[str]] = {}
    repeated = several = 0
    for one in placed:
        asked = (one.record.task, one.pixels, one.record.question.casefold())
        known = answers.setdefault(asked, set())
        answer = one.record.answer.casefold()
        repeated += answer in known
        several += bool(known) and answer not in known
        known.add(answer)
    return repeated, several


def _examples(left: Sequence[LeftOut]) -> tuple[Lost, ...]:
    """The first few of each reason."""
    seen: Counter[str] = Counter()
    found = []
    for one in left:
        seen[one.why] += 1
        if seen[one.why] <= _SHOWN:
            found.append(Lost(id=one.id, why=one.why, reason=one.reason))
    return tuple(found)


def _license(one: Placed) -> str:
    return one.record.license if is_stated(one.record.license) else NOT_STATED


def _license_notes(licenses: Mapping[str, int]) -> list[str]:
    """What the licences forbid of weights that are made from the records."""
    notes = []
    if count := licenses.get(NOT_STATED):
        notes.append(
            f"{count:,} records state no licence: tune and measure on them, but ship nothing made from them, weights "
            "included"
        )
    terms: dict[str, list[str]] = {}
    for name in licenses:
        known = license_of(name)
        for term in () if name == NOT_STATED else ("unknown",) if known is None else known.terms:
            terms.setdefault(term, []).append(name)
    if names := terms.get("unknown"):
        notes.append(f"read these licences before weights made from them are shipped: {'; '.join(names)}")
    bound = [term for term in ("non-commercial", "no derivatives", "share alike") if term in terms]
    notes += [
        f"{term}: {', '.join(terms[term])}. Weights made from them are bound by it, or may not be shipped"
        for term in bound
    ]
    return notes


def _group_notes(sizes: Mapping[str, int], records: int) -> list[str]:
    if not sizes or max(sizes.values()) * 10 <= records or len(sizes) == 1:
        return []
    name = max(sizes, key=lambda group: sizes[group])
    return [f"one group holds {sizes[name]:,} of {records:,} records ({name}): splits cannot have the shares asked for"]
