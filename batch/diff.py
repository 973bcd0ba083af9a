"""Where two runs differ: in how they were made, in what was done, in what was said, on what evidence, how fast."""

from __future__ import annotations

import hashlib
import heapq
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from difflib import SequenceMatcher
from itertools import islice
from statistics import fmean, median
from typing import Any, Literal

from batch.run_folder import BatchRun, FailedRow
from batch.shards import Result
from rag.differing import Change, changes

Outcome = Literal["described", "abstained", "failed", "waiting"]
Pair = tuple[Outcome, Outcome]
"""What came of an image in A, and in B. `waiting` is what was not tried yet."""

CIRCUMSTANCES = frozenset({"key", "name", "date", "command", "machine", "versions"})
"""Keys of run.json that do not shape what is said, or are the hash of what does."""
_EXAMPLES, _REASONS = 5, 5
"""How many are kept to be shown."""


@dataclass(frozen=True)
class Side:
    """One of the runs.

    What came of its input by outcome; its failures by kind; words of a text (mean, without abstentions); seconds of an
    image by stage (mean, its share of a batch).
    """

    folder: str
    name: str
    images: int
    outcomes: Mapping[Outcome, int]
    failures: Mapping[str, int]
    words: float
    seconds: Mapping[str, float]


@dataclass(frozen=True)
class Only:
    """Ids that only one of them has: how many, and the first."""

    count: int
    first: str | None


@dataclass(frozen=True)
class Words:
    """Of texts that differ: the share of words that were changed, taken away or added, among those of both texts.

    `longest` is the longest run of words that changed in one place, in the text of `longest_id`.
    """

    mean: float
    median: float
    longest: int
    longest_id: str


@dataclass(frozen=True)
class Example:
    """Texts that differ, and the share of their words that changed."""

    id: str
    share: float
    a: str
    b: str


@dataclass(frozen=True)
class FailedInOne:
    """What has a failure in one run and none in the other."""

    id: str
    run: Literal["a", "b"]
    kind: str
    reason: str


@dataclass(frozen=True)
class Diff:
    """Two runs beside each other. The images in `both` are those whose ids both inputs have.

    `outcomes` counts these by what came of them, `same` and `different` those with a text in both. `other_images` are
    images that are not the same under one id. `failed_in_one` are the first few. Of what has a record in both,
    `other_evidence` counts where other evidence stood in the prompt, `other_order` where the same did in another order.
    `examples` are the most changed.
    """

    a: Side
    b: Side
    changed: tuple[Change, ...]
    circumstances: tuple[Change, ...]
    both: int
    only_a: Only
    only_b: Only
    outcomes: Mapping[Pair, int]
    same: int
    different: int
    other_images: int
    failed_in_one: tuple[FailedInOne, ...]
    other_evidence: int
    other_order: int
    words: Words | None
    examples: tuple[Example, ...]

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values; outcomes as a list, each with what came of it in A and in B."""
        pairs = [{"a": a, "b": b, "images": count} for (a, b), count in self.outcomes.items()]
        return asdict(self) | {"outcomes": pairs}


@dataclass(frozen=True)
class _Said:
    """What is kept of a description: its text; of its image and evidence that they are the same or not."""

    text: str
    abstained: bool
    image: bytes
    evidence: bytes
    evidence_in_any_order: bytes


@dataclass
class _Reading:
    """Sums over one run."""

    words: int = 0
    texts: int = 0
    records: int = 0
    seconds: Counter[str] = field(default_factory=Counter)

    def said(self, run: BatchRun) -> Iterator[tuple[str, _Said]]:
        """Each description of the run with its id, added to the sums."""
        for result in run.descriptions():
            record = json.loads(result.record)
            self.records += 1
            self.texts += not result.abstained
            self.words += 0 if result.abstained else len(result.text.split())
            self.seconds.update(record.get("timings_s", {}))
            yield result.id, _said(result, record)

    def side(self, run: BatchRun, outcomes: Mapping[str, Outcome]) -> Side:
        return Side(
            folder=str(run.folder),
            name=run.name,
            images=len(run.plan),
            outcomes=dict(Counter(outcomes.values())),
            failures=dict(Counter(row.kind for row in run.failures)),
            words=self.words / self.texts if self.texts else 0.0,
            seconds={stage: seconds / self.records for stage, seconds in self.seconds.items()},
        )


@dataclass
class _Comparing:
    """What has been compared so far; grows with what differs, by eight bytes an image."""

    same: int = 0
    other_images: int = 0
    other_evidence: int = 0
    other_order: int = 0
    shares: list[float] = field(default_factory=list)
    longest: tuple[int, str] = (0, "")
    most: list[tuple[float, int, Example]] = field(default_factory=list)

    def add(self, id_: str, a: _Said, b: _Said) -> None:
        self.other_images += a.image != b.image
        self.other_evidence += a.evidence_in_any_order != b.evidence_in_any_order
        self.other_order += a.evidence_in_any_order == b.evidence_in_any_order and a.evidence != b.evidence
        if a.abstained or b.abstained:
            return
        if a.text == b.text:
            self.same += 1
            return
        share, run = words_changed(a.text, b.text)
        self.longest = max(self.longest, (run, id_), key=lambda found: found[0])
        heapq.heappush(self.most, (share, -len(self.shares), Example(id_, share, a.text, b.text)))
        if len(self.most) > _EXAMPLES:
            heapq.heappop(self.most)
        self.shares.append(share)


def diff(a: BatchRun, b: BatchRun) -> Diff:
    """Compares two runs by the ids of their inputs. In memory are the texts of A, about 500 bytes an image."""
    of_a, of_b, compared = _Reading(), _Reading(), _Comparing()
    before = dict(of_a.said(a))
    abstained_b: set[str] = set()
    for id_, said in of_b.said(b):
        if said.abstained:
            abstained_b.add(id_)
        if id_ in before:
            compared.add(id_, before[id_], said)
    outcomes_a = _outcomes(a, {id_ for id_, said in before.items() if said.abstained})
    outcomes_b = _outcomes(b, abstained_b)
    both = [id_ for id_ in outcomes_a if id_ in outcomes_b]
    made = changes(a.made, b.made)
    return Diff(
        a=of_a.side(a, outcomes_a),
        b=of_b.side(b, outcomes_b),
        changed=tuple(change for change in made if _top(change) not in CIRCUMSTANCES),
        circumstances=tuple(change for change in made if _top(change) in CIRCUMSTANCES),
        both=len(both),
        only_a=_only(outcomes_a, outcomes_b),
        only_b=_only(outcomes_b, outcomes_a),
        outcomes=dict(Counter((outcomes_a[id_], outcomes_b[id_]) for id_ in both)),
        same=compared.same,
        different=len(compared.shares),
        other_images=compared.other_images,
        failed_in_one=(
            *_failed_in_one(a.failures, "a", outcomes_b),
            *_failed_in_one(b.failures, "b", outcomes_a),
        ),
        other_evidence=compared.other_evidence,
        other_order=compared.other_order,
        words=_words(compared),
        examples=tuple(example for *_, example in sorted(compared.most, reverse=True, key=lambda found: found[:2])),
    )


def words_changed(a: str, b: str) -> tuple[float, int]:
    """The share of the words of both texts that are not in a place that both have (1 - difflib's ratio over words),
    and the longest run of words in one place that differs."""
    matcher = SequenceMatcher(None, a.split(), b.split(), autojunk=False)
    runs = [max(i2 - i1, j2 - j1) for tag, i1, i2, j1, j2 in matcher.get_opcodes() if tag != "equal"]
    return 1 - matcher.ratio(), max(runs, default=0)


def _words(compared: _Comparing) -> Words | None:
    if not compared.shares:
        return None
    return Words(fmean(compared.shares), median(compared.shares), *compared.longest)


def _said(result: Result, record: Mapping[str, Any]) -> _Said:
    shown = [f"{item['kind']} {item['source']} {item['id']}" for item in record.get("evidence", ())]
    return _Said(result.text, result.abstained, _hash([result.image_sha256]), _hash(shown), _hash(sorted(shown)))


def _hash(texts: list[str]) -> bytes:
    return hashlib.sha256("\n".join(texts).encode()).digest()[:8]


def _outcomes(run: BatchRun, abstained: set[str]) -> dict[str, Outcome]:
    failed = {row.id for row in run.failures}

    def outcome(id_: str, done: bool) -> Outcome:
        if done:
            return "abstained" if id_ in abstained else "described"
        return "failed" if id_ in failed else "waiting"

    return {planned.id: outcome(planned.id, planned.key is not None) for planned in run.plan}


def _only(here: Mapping[str, Outcome], there: Mapping[str, Outcome]) -> Only:
    ids = [id_ for id_ in here if id_ not in there]
    return Only(len(ids), ids[0] if ids else None)


def _failed_in_one(
    failures: Sequence[FailedRow], run: Literal["a", "b"], other: Mapping[str, Outcome]
) -> Iterator[FailedInOne]:
    """The first few failures of a run that the other has a record of."""
    found = (row for row in failures if other.get(row.id) in ("described", "abstained"))
    return (FailedInOne(row.id, run, row.kind, row.reason) for row in islice(found, _REASONS))


def _top(change: Change) -> str:
    return change.key.partition(".")[0]
