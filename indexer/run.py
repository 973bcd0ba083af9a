"""One pass of a build over its sources: what is new is embedded and committed, batch by batch."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from indexer.ledger import Changes, Ledger, Staged
from indexer.pipeline import MAX_HELD_BYTES, Prepared, Ready, Unchanged, prepare
from indexer.publish import SpaceEmbedder
from indexer.types import Example, Passage, Source, SourceFailure, SourceImage, Vectors

if TYPE_CHECKING:
    from tqdm import tqdm


class Run:
    """Takes sources into a ledger; afterwards says what came of it."""

    def __init__(
        self, ledger: Ledger, spaces: dict[str, SpaceEmbedder], batch_size: int, config_file: str | None
    ) -> None:
        self.failures: list[SourceFailure] = []
        self.unchanged = 0
        self.embedded = 0
        self.changes = Changes(0, 0, 0)
        self._ledger = ledger
        self._spaces = spaces
        self._batch_size = batch_size
        self._config_file = config_file
        self._batch: list[Ready] = []
        self._begun: set[str] = set()
        self._ids: dict[tuple[str, str], str] = {}

    @property
    def kept(self) -> int:
        """Records the next generation has from this pass."""
        return self.unchanged + self.embedded

    @property
    def changed(self) -> bool:
        """Whether the next generation differs from the current one."""
        return self.changes != Changes(0, 0, 0)

    def take(self, sources: Sequence[Source], total: int, title: str, progress: bool | None) -> None:
        """Goes over `sources`, which hold `total` items. `progress` as in `build_index`."""
        from tqdm import tqdm

        hidden = None if progress is None else not progress
        with tqdm(total=total, desc=title, unit=" records", file=sys.stderr, disable=hidden, mininterval=0.5) as bar:
            for source in sources:
                for item in prepare(self._unique(source), self._ledger.lookup, 2 * self._batch_size):
                    self._take_one(item, bar)
                self._embed(bar)
        self.changes = self._ledger.changes()

    def _take_one(self, item: Prepared, bar: tqdm[Any]) -> None:
        match item:
            case Ready():
                self._batch.append(item)
                held = sum(ready.image.pixels.nbytes for ready in self._batch if ready.image is not None)
                if len(self._batch) >= self._batch_size or held > MAX_HELD_BYTES:
                    self._embed(bar)
            case Unchanged():
                self._ledger.keep(item.row)
                self.unchanged += 1
                bar.update()
            case SourceFailure():
                self._fail(item, bar)

    def _embed(self, bar: tqdm[Any]) -> None:
        """Embeds and commits what has gathered. A batch is of one source and so of one space."""
        batch, self._batch = self._batch, []
        if not batch:
            return
        images = [ready.image for ready in batch if ready.image is not None]
        space = "images" if images else "passages"
        embedder = self._spaces[space].embedder
        if space not in self._begun:
            self._ledger.begin(space, embedder.fingerprint, self._spaces[space].name, self._config_file)
            self._begun.add(space)
        vectors = (
            embedder.embed_images(images)
            if images
            else embedder.embed_texts([embedded_text(ready.staged.record) for ready in batch])
        )
        self._ledger.stage(*self._usable(batch, vectors, bar))

    def _usable(self, batch: list[Ready], vectors: Vectors, bar: tqdm[Any]) -> tuple[list[Staged], Vectors]:
        """What of a batch can be searched for; a vector that is not finite cannot."""
        good: NDArray[np.bool_] = np.asarray(np.isfinite(vectors).all(axis=1))
        for ready, fine in zip(batch, good, strict=True):
            if not fine:
                record = ready.staged.record
                self._fail(SourceFailure(record.source, record.id, "its vector is not finite"), bar)
        staged = [ready.staged for ready, fine in zip(batch, good, strict=True) if fine]
        self.embedded += len(staged)
        bar.update(len(staged))
        return staged, vectors[good]

    def _fail(self, failure: SourceFailure, bar: tqdm[Any]) -> None:
        self.failures.append(failure)
        bar.set_postfix(failed=len(self.failures), refresh=False)
        bar.update()

    def _unique(
        self, items: Iterable[SourceImage | Passage | SourceFailure]
    ) -> Iterator[SourceImage | Passage | SourceFailure]:
        """The items, a second of the same kind and id replaced by a failure."""
        for item in items:
            if isinstance(item, SourceFailure):
                yield item
                continue
            record = item.example if isinstance(item, SourceImage) else item
            key = (type(record).__name__, record.id)
            if key in self._ids:
                yield SourceFailure(record.source, record.id, f"this id is already a record's of {self._ids[key]}")
                continue
            self._ids[key] = record.source
            yield item


def embedded_text(record: Example | Passage) -> str:
    """What is embedded of a passage: its text under its title."""
    if isinstance(record, Passage):
        return f"{record.title}\n{record.text}" if record.title else record.text
    return record.caption
