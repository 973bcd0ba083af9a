"""One pass of a build over its sources: what is new is embedded and committed, batch by batch."""

from __future__ import annotations

import dataclasses
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from indexer.database import said_hash
from indexer.entries import Changes, Entry, Known
from indexer.flights import MOST_IN_FLIGHT, Flights, NewVectors
from indexer.ledger import Ledger
from indexer.pipeline import MAX_HELD_BYTES, Prepared, Ready, Unchanged, prepare
from indexer.publish import SpaceEmbedder
from indexer.types import Example, Kind, Passage, Source, SourceFailure, SourceImage

if TYPE_CHECKING:
    from tqdm import tqdm

MOST_FAILURES = 1000
"""So many failures are in a report; the index's database has all of them."""
_MOST_A_COMMIT = 4
"""Records of one commit, in batches of the embedder; there are more than one where records share vectors."""
_TEXTS_AN_IMAGE = 4
"""How many texts are embedded at a time instead of one image: of more, more are alike in length and few are padded."""
_MAX_BATCH_BYTES = MAX_HELD_BYTES // (1 + MOST_IN_FLIGHT)

Item = SourceImage | Passage | SourceFailure
Key = tuple[Kind, str]


class Run:
    """Takes sources into a ledger; afterwards says what came of it. Its memory does not grow with the sources."""

    def __init__(
        self, ledger: Ledger, spaces: dict[str, SpaceEmbedder], batch_size: int, config_file: str | None
    ) -> None:
        self.failures: list[SourceFailure] = []  # the first MOST_FAILURES of `failed`
        self.failed = 0
        self.unchanged = 0
        self.embedded = 0
        self.reused = 0
        self.changes = Changes(0, 0, 0)
        self._ledger = ledger
        self._spaces = spaces
        self._batch_size = batch_size
        self._config_file = config_file
        self._batch: list[Entry] = []
        self._new: dict[bytes, Ready] = {}  # by `said_hash`, what is to be embedded for the batch
        self._held_bytes = 0  # of pixels, in `_new`
        self._flights = Flights()
        self._begun: set[str] = set()
        self._ahead: deque[tuple[Key | None, int]] = deque()  # key and steps of what `prepare` has not given back
        self._pending: dict[Key, str] = {}  # ids that are being prepared or in the batch, and their source
        self._found: tuple[Key, Known | None] | None = None

    @property
    def kept(self) -> int:
        """Records the next generation has from this pass."""
        return self.unchanged + self.embedded + self.reused

    @property
    def changed(self) -> bool:
        """Whether the next generation differs from the current one."""
        return self.changes != Changes(0, 0, 0)

    def take(self, sources: Sequence[Source], total: int, title: str, progress: bool | None) -> None:
        """Goes over `sources`, which hold `total` items. `progress` as in `build_index`."""
        from tqdm import tqdm

        self._ledger.resume()
        hidden = None if progress is None else not progress
        with (
            self._flights,
            tqdm(total=total, desc=title, unit=" records", file=sys.stderr, disable=hidden, mininterval=0.5) as bar,
        ):
            for source in sources:
                for item in prepare(self._unique(source), self._lookup, 2 * self._batch_size):
                    self._take_one(item, *self._ahead.popleft(), bar)
                self._embed(bar)
            self._commit(bar, 0)
        self.changes = self._ledger.changes()

    def _take_one(self, item: Prepared, key: Key | None, steps: int, bar: tqdm[Any]) -> None:
        match item:
            case Ready():
                self._gather(item)
                size = self._batch_size * (_TEXTS_AN_IMAGE if item.image is None else 1)
                full = len(self._new) >= size or len(self._batch) >= _MOST_A_COMMIT * size
                if full or self._held_bytes > _MAX_BATCH_BYTES:
                    self._embed(bar)
            case Unchanged():
                self._ledger.keep(item.row)
                self._pending.pop(key, None) if key else None
                self.unchanged += 1
                bar.update(steps)
            case SourceFailure():
                self._fail(item, key, steps, bar)

    def _gather(self, ready: Ready) -> None:
        """Puts a record into the batch; it is to be embedded where nothing that says the same has or gets a vector."""
        said = said_hash(ready.staged.record)
        vector = self._ledger.vector_of(said)
        self._batch.append(Entry(ready.staged, said, vector))
        if vector is None and said not in self._new and not self._flights.carry(said):
            self._new[said] = ready
            self._held_bytes += ready.image.nbytes if ready.image is not None else 0

    def _embed(self, bar: tqdm[Any]) -> None:
        """Begins to embed what has gathered, and commits what was begun before. A batch is of one space."""
        if not self._batch:
            return
        space = "images" if isinstance(self._batch[0].staged.record, Example) else "passages"
        embedder = self._spaces[space].embedder
        if space not in self._begun:
            self._ledger.begin(space, embedder.fingerprint, self._spaces[space].name, self._config_file)
            self._begun.add(space)
        self._flights.begin(embedder, self._batch, self._new)
        self._batch, self._new, self._held_bytes = [], {}, 0
        # Texts one batch at a time: there is nothing to decode beside them, and tokenizers are not for two threads.
        self._commit(bar, MOST_IN_FLIGHT - 1 if space == "images" else 0)

    def _commit(self, bar: tqdm[Any], left: int) -> None:
        """Commits batches in their order until no more than `left` are being embedded."""
        for batch, vectors in self._flights.land(left):
            self._stage(batch, vectors, bar)

    def _stage(self, batch: list[Entry], vectors: NewVectors, bar: tqdm[Any]) -> None:
        """Stages the records of a batch; those fail whose vector is not finite: nothing can be found by it."""
        for position, entry in enumerate(batch):
            if entry.vector is None and entry.said not in vectors:  # it is of a batch before, or not finite
                batch[position] = dataclasses.replace(entry, vector=self._ledger.vector_of(entry.said))
        good = [entry for entry in batch if entry.vector is not None or entry.said in vectors]
        self._ledger.stage(good, vectors)
        self.embedded += len(vectors)
        self.reused += len(good) - len(vectors)
        bar.update(sum(_steps(entry.staged.record) for entry in good))
        for entry in batch:
            record = entry.staged.record
            if entry.vector is None and entry.said not in vectors:
                failure = SourceFailure(record.source, record.id, "its vector is not finite")
                self._fail(failure, _key(record), _steps(record), bar)
            self._pending.pop(_key(record), None)

    def _fail(self, failure: SourceFailure, key: Key | None, steps: int, bar: tqdm[Any]) -> None:
        """Notes what could not be used: under `key` where it is a record whose id is then taken."""
        self._ledger.fail(failure, key[0] if key else None)
        if key:
            self._pending.pop(key, None)
        if self.failed < MOST_FAILURES:
            self.failures.append(failure)
        self.failed += 1
        bar.set_postfix(failed=self.failed, refresh=False)
        bar.update(steps)

    def _unique(self, items: Iterable[Item]) -> Iterator[Item]:
        """The items, a second of the same kind and id replaced by a failure."""
        for item in items:
            if isinstance(item, SourceFailure):
                self._ahead.append((None, 1))
                yield item
                continue
            record = item.example if isinstance(item, SourceImage) else item
            key = _key(record)
            taken_by = self._taken_by(key)
            self._ahead.append((key if taken_by is None else None, _steps(record)))
            if taken_by is not None:
                yield SourceFailure(record.source, record.id, f"this id is already a record's of {taken_by}")
            else:
                self._pending[key] = record.source
                yield item

    def _taken_by(self, key: Key) -> str | None:
        """The source that this pass has a record of this kind and id from, None where it has none."""
        if key in self._pending:
            return self._pending[key]
        known = self._ledger.lookup(*key)
        self._found = (key, known)
        return known.source if known is not None and known.taken else self._ledger.failed_of(*key)

    def _lookup(self, kind: Kind, id_: str) -> Known | None:
        """What `Ledger.lookup` finds; `prepare` asks it for what `_unique` has just looked up."""
        if self._found is not None and self._found[0] == (kind, id_):
            return self._found[1]
        return self._ledger.lookup(kind, id_)


def _key(record: Example | Passage) -> Key:
    return ("example" if isinstance(record, Example) else "passage", record.id)


def _steps(record: Example | Passage) -> int:
    """How many of what a source's `len` counts are done with a record: none with a document's later passages."""
    return int(isinstance(record, Example) or record.id == f"{record.source_id}#0")
