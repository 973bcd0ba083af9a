"""The input, cut into blocks: by the input alone, so that a run that goes on forms the same ones.

Of a block only what has no result yet is worked on. What failed counts as done until it is asked for again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from batch.keys import key_of, mark_of
from batch.ledger import Ledger
from batch.stopping import Stop
from batch.types import Block, Item, Unusable
from imaging import ImageError
from indexer.images import image_ref
from rag.starter import Tell
from rag.types import Request

_TOLD_FROM, _MARKED_AT_ONCE = 1000, 1000
"""Images that are read again without a word; those that a kill meanwhile costs."""


@dataclass(frozen=True)
class PlanRow:
    """A record of the input: what it is asked for by (`mark`), or why it cannot be described."""

    id: str
    image: str
    article: str | None
    mark: str | None
    unusable: str | None


@dataclass(frozen=True)
class Plan:
    """Everything of the input in its order; `marks` are of the items, by id."""

    run: str
    rows: Sequence[Item | Unusable]
    marks: Mapping[str, str]

    @property
    def items(self) -> Iterator[Item]:
        """What can be described."""
        return (row for row in self.rows if isinstance(row, Item))

    @property
    def unusable(self) -> list[Unusable]:
        """What cannot."""
        return [row for row in self.rows if isinstance(row, Unusable)]

    def examples(self) -> list[Request]:
        """One request of each task that there is, for a pipeline to be opened with."""
        return list({item.request.task: item.request for item in self.items}.values())

    def blocks(self, size: int, done: Collection[str]) -> Iterator[Block]:
        """Blocks of `size` items, without those whose mark is in `done`; none that would be empty."""
        number, requests = 0, []
        for place, item in enumerate(self.items, start=1):
            if self.marks[item.request.id] not in done:
                requests.append(item.request)
            if place % size == 0:
                if requests:
                    yield Block(number, tuple(requests))
                number, requests = number + 1, []
        if requests:
            yield Block(number, tuple(requests))

    def kept(self) -> list[PlanRow]:
        """The plan as it is kept beside the results."""
        return [self._row(row) for row in self.rows]

    def _row(self, row: Item | Unusable) -> PlanRow:
        if isinstance(row, Unusable):
            return PlanRow(row.id, row.image, row.article, None, row.reason)
        request = row.request
        images = " ".join(map(str, request.images))
        return PlanRow(request.id, images, request.article, self.marks[request.id], None)


def plan_of(run: str, rows: Sequence[Item | Unusable]) -> Plan:
    """The plan of a run over these records."""
    return Plan(run, rows, {row.request.id: mark_of(run, row) for row in rows if isinstance(row, Item)})


def recognise(plan: Plan, ledger: Ledger, tell: Tell, stop: Stop) -> None:
    """Finds results of files that were moved or touched: read again, their bytes are the same. What was found before
    somebody wants to stop is kept."""
    known, ids = {*ledger.keys(), *ledger.failures()}, ledger.ids()
    changed = [item for item in plan.items if plan.marks[item.request.id] not in known and item.request.id in ids]
    if len(changed) >= _TOLD_FROM:
        tell(f"{len(changed):,} images were moved or touched since they were described: they are read anew")
    found = []
    for item in stop.until_asked(iter(changed)):
        try:
            key = key_of(plan.run, item.request, [image_ref(str(image)).sha256() for image in item.request.images])
        except (ImageError, OSError):
            continue  # it is tried like any other, and fails with its reason
        if ledger.has(key):
            found.append((plan.marks[item.request.id], key))
        if len(found) == _MARKED_AT_ONCE:
            ledger.mark(found)
            found.clear()
    ledger.mark(found)
