"""Some descriptions of a batch to look at: first abstentions, first with warnings, the rest evenly over the input."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from batch.ledger import Shard
from batch.run_folder import BatchRun
from batch.shards import Result
from evaluation.report.document import Gallery, Section, Shown, Words
from evaluation.report.gallery import MOST_EVIDENCE, data_uri, said_in
from evaluation.report.words import number
from imaging import ImageError
from indexer.images import image_ref

SHOWN, OF_A_KIND = 12, 2
"""Samples, and how many of them are the first abstentions, and the first with warnings."""


@dataclass(frozen=True)
class Sample:
    """A description, its place in the input from 1, and why it is shown."""

    place: int
    why: str
    result: Result

    @property
    def record(self) -> Mapping[str, Any]:
        """As `caption --json` prints it."""
        record: Mapping[str, Any] = json.loads(self.result.record)
        return record


def section(run: BatchRun, shards: Sequence[Shard], data: bool) -> Section | None:
    """None where nothing was described yet."""
    shown = [_show(sample, len(run.plan), data) for sample in samples(run, shards)]
    if not shown:
        return None
    note = Words("These were not chosen by how good they are.")
    return Section("Samples", [note, Gallery(shown)])


def samples(run: BatchRun, shards: Sequence[Shard]) -> list[Sample]:
    """In the input's order. Reads at most as many shards as there are samples. Raises RunDamaged."""
    read = _Reading(run)
    if not read.places:
        return []
    abstained = {shard.number for shard in shards if shard.sums.abstained}
    warned = {shard.number for shard in shards if shard.sums.warned}
    first = _first(read, abstained, _abstained, "abstentions")
    first += _first(read, warned, _warned, "descriptions with a warning")
    found = {sample.place: sample for sample in reversed(first)}
    spread = [read.places[(2 * n + 1) * len(read.places) // (2 * SHOWN)] for n in range(SHOWN)]
    for place in dict.fromkeys(spread):
        if len(found) < SHOWN:
            found.setdefault(place, Sample(place, "Drawn evenly", read.result(place)))
    return sorted(found.values(), key=lambda sample: sample.place)


@dataclass
class _Reading:
    """Shards of a run, each read once. `places` are those of the input that have a description, from 1."""

    run: BatchRun
    held: dict[int, Mapping[str, Result]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.places = [place for place, row in enumerate(self.run.plan, 1) if row.key is not None]

    def shard_of(self, place: int) -> int:
        return self.run.shard_of[self._key(place)]

    def result(self, place: int) -> Result:
        number = self.shard_of(place)
        if number not in self.held:
            self.held[number] = self.run.shard(number)
        return self.held[number][self._key(place)]

    def _key(self, place: int) -> str:
        key = self.run.plan[place - 1].key
        assert key is not None  # noqa: S101 - `places` has none of these
        return key


def _first(read: _Reading, numbers: set[int], is_one: Callable[[Sample], bool], what: str) -> list[Sample]:
    """The first of a kind, of the first shard that holds any."""
    among = [place for place in read.places if read.shard_of(place) in numbers]
    if not among:
        return []
    beside = (place for place in among if read.shard_of(place) == read.shard_of(among[0]))
    found = (Sample(place, f"Among the first {what}", read.result(place)) for place in beside)
    return [sample for sample, _ in zip(filter(is_one, found), range(OF_A_KIND), strict=False)]


def _abstained(sample: Sample) -> bool:
    return sample.result.abstained


def _warned(sample: Sample) -> bool:
    return bool(sample.record["warnings"]) and not sample.result.abstained


def _show(sample: Sample, of: int, data: bool) -> Shown:
    record = sample.record
    asked = f"Asked: {record['question']} " if record.get("question") and data else ""
    picture, reason = _picture(record) if data else (None, "")
    where = f"record {number(sample.place, 0)} of {number(of, 0)}"
    confidence = sample.result.confidence
    return Shown(
        id=sample.result.id if data else where.capitalize(),
        why=f"{asked}{sample.why}" + (f": {where}" if data else ""),
        picture=picture,
        no_picture=reason,
        reference=None,
        truth="",
        said=[
            said_in(
                str(record.get("task", "caption")),
                record,
                text_with_citations(record, sample.result.text),
                list(_pieces(record)),
                {} if confidence is None else {"confidence": confidence},
                data,
            )
        ],
    )


def text_with_citations(record: Mapping[str, Any], text: str) -> str:
    """The text, each sentence with the numbers of its evidence; as it stands where it has no sentences."""
    sentences = record.get("sentences", ())
    if record.get("abstained") or not sentences:
        return text
    return " ".join(
        f"{one['text']} [{', '.join(map(str, one['citations']))}]" if one["citations"] else str(one["text"])
        for one in sentences
    )


def _pieces(record: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The evidence that is cited and, where that is little, the first of the rest."""
    cited = {piece for sentence in record.get("sentences", ()) for piece in sentence["citations"]}
    room = max(0, MOST_EVIDENCE - len(cited))
    for piece in record.get("evidence", ()):
        if piece["number"] in cited:
            yield piece
        elif room:
            room -= 1
            yield piece


def _picture(record: Mapping[str, Any]) -> tuple[str | None, str]:
    """The first image of a record as an address that holds it, made from the file again; or None and why."""
    image = record["images"][0]
    try:
        loaded = image_ref(str(image["image"])).load()
    except ImageError as error:
        return None, f"The picture cannot be shown: {error}"
    if loaded.sha256 != image["sha256"]:
        return None, "The picture cannot be shown: its file is no longer the one that was described."
    return data_uri(loaded), ""
