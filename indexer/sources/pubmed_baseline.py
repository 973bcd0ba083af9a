"""All of PubMed as passages, from its yearly baseline and update files on disk.

Revisions are folded by reading the files from the newest to the oldest and remembering, a bit each, the PMIDs that
were met: what is met again is older. Memory is 5 MiB for that and one file's records, however many files there are.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from indexer.config.pubmed import PubmedBaselineConfig
from indexer.sources.chunking import Chunker
from indexer.sources.documents import Document
from indexer.sources.file_counts import FileCounts
from indexer.sources.passages import passages
from indexer.sources.pmids import PmidSet
from indexer.sources.pubmed_files import DamagedFileError, pubmed_files, read_file
from indexer.types import Passage, SourceFailure

log = logging.getLogger(__name__)

COUNTED_BYTES = 64 << 20
"""Up to so many bytes of files, the items are counted by reading all of them: two files of the baseline."""

SAMPLED_FILES = 3
"""Files read to estimate the items of more than that."""

_COUNTED = "documents"


@dataclass
class _Tally:
    """Records gone through, and those of them without an abstract."""

    records: int = 0
    bare: int = 0


class PubmedBaselineSource:
    """Passages from the newest file to the oldest, in each in its order; of a PMID the newest revision alone.

    A PMID that an update file deletes is left out, unless a later file has it again. A damaged file is one
    failure, and of its records older revisions count. Records without an abstract are counted in a log line and
    left out. Retracted ones are failures, or marked.
    """

    def __init__(self, config: PubmedBaselineConfig, chunker: Chunker) -> None:
        self.name = config.name
        self._chunker = chunker
        self._folder = Path(config.path)
        self._mesh = config.mesh
        self._retracted = config.retracted

    def __len__(self) -> int:
        """How many items there are: exact where all were gone through before, or are few; else an estimate.

        To count all of PubMed would take as long as to read it. So each pass notes a file's items in a small JSON
        file in the folder, and without that what is beyond COUNTED_BYTES is estimated, by size, from SAMPLED_FILES.
        """
        files = pubmed_files(self._folder)
        counts = FileCounts(self._folder, _COUNTED)
        known = {path: count for path in files if (count := counts.get(path)) is not None}
        unknown = [path for path in files if path not in known]
        if not unknown:
            return sum(known.values())
        if sum(path.stat().st_size for path in files) <= COUNTED_BYTES:
            return sum(1 for _ in self._walk(files, _Tally()))
        return sum(known.values()) + self._estimate(unknown)

    def __iter__(self) -> Iterator[Passage | SourceFailure]:
        return passages(self._items(), self.name, self._chunker)

    def _items(self) -> Iterator[Document | SourceFailure]:
        tally = _Tally()
        yield from self._walk(pubmed_files(self._folder), tally)
        if tally.bare:
            log.warning("%s: %d of %d records have no abstract and are left out", self.name, tally.bare, tally.records)

    def _walk(self, files: list[Path], tally: _Tally) -> Iterator[Document | SourceFailure]:
        met = PmidSet()
        counts = FileCounts(self._folder, _COUNTED)
        for path in reversed(files):
            items = 0
            for item in self._file(path, met, tally):
                items += 1
                yield item
            counts.put(path, items)

    def _file(self, path: Path, met: PmidSet, tally: _Tally) -> Iterator[Document | SourceFailure]:
        """The items of one file that no later one supersedes; its PMIDs and deletions are then `met`."""
        try:
            contents = read_file(path, met)
        except DamagedFileError as error:
            yield SourceFailure(self.name, path.name, str(error))
            return
        for pmid in (*contents.records, *contents.deleted):
            met.add(pmid)
        for where, reason in contents.failures:
            yield SourceFailure(self.name, f"{path.name}: {where}", reason)
        tally.records += len(contents.records)
        for record in contents.records.values():
            tally.bare += not record.document.text
            if left_out := record.left_out(self._retracted):
                yield SourceFailure(self.name, record.document.id, left_out)
                continue
            if record.document.text.strip():
                yield record.with_mesh() if self._mesh else record.document

    def _estimate(self, files: list[Path]) -> int:
        """The items of files by their size, from some of them read; those that others supersede are in it."""
        step = len(files) / SAMPLED_FILES
        sample = {files[int((number + 0.5) * step)] for number in range(SAMPLED_FILES)}
        items = sum(1 for path in sample for _ in self._file(path, PmidSet(), _Tally()))
        return round(items / sum(path.stat().st_size for path in sample) * sum(path.stat().st_size for path in files))
