"""Whether an index is what was written: every file, row and vector, and a sample embedded again."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import imaging
from indexer.database import CHECKED, VISIBLE, checksum
from indexer.embedders.files import sha256_of
from indexer.errors import IndexCorruptError
from indexer.flights import embedded_text
from indexer.images import image_ref
from indexer.index import Index
from indexer.manifest import DATABASE
from indexer.publish import BY_IMAGE, SPACES
from indexer.snapshot import Snapshot
from indexer.types import Filter, Kind, Rows, Vectors

MIN_COSINE = 0.999
"""Below this, a vector embedded again is not the one that is stored. Other batch sizes and threads move it by 1e-6."""

SAMPLE = 8
"""Records of each space that are embedded again, spread evenly over it."""


@dataclass(frozen=True)
class VerifyReport:
    """`problems` are what is wrong, one line each; `checked` what was looked at; `skipped` what could not be."""

    path: str
    generation: int
    checked: tuple[str, ...]
    skipped: tuple[str, ...]
    problems: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems

    def lines(self) -> list[str]:
        """The report as lines for a terminal."""
        verdict = "sound" if self.ok else f"{len(self.problems)} problems; build it again with --rebuild"
        details = [f"  checked: {line}" for line in self.checked] + [f"  skipped: {line}" for line in self.skipped]
        return [
            f"{self.path}: generation {self.generation}: {verdict}",
            *details,
            *map("  wrong: {}".format, self.problems),
        ]


def verify_index(path: str | Path, *, embed: bool = True) -> VerifyReport:
    """Checks an index against its manifest; with `embed` embeds SAMPLE records of each space again.

    Raises what opening the index raises, and EmbedderMismatchError or EmbedderUnavailableError with `embed`.
    """
    with Index(path) as index, closing(Snapshot(index.path, index.manifest)) as snapshot:
        check = _Check(index, snapshot)
        check.database()
        check.records()
        for space in index.manifest.spaces:
            check.vectors(space)
            if embed and not check.problems:
                check.sample(space)
        return VerifyReport(
            str(index.path), index.generation, tuple(check.checked), tuple(check.skipped), tuple(check.problems)
        )


class _Check:
    def __init__(self, index: Index, snapshot: Snapshot) -> None:
        self.checked: list[str] = []
        self.skipped: list[str] = []
        self.problems: list[str] = []
        self._index = index
        self._snapshot = snapshot

    def database(self) -> None:
        """The SQLite file as a whole; its bytes too unless a build has begun to write since."""
        file = self._index.path / DATABASE
        try:
            found = [row[0] for row in self._snapshot.select("PRAGMA integrity_check(5)", {})]
            begun = self._snapshot.select("SELECT 1 FROM builds WHERE finished_at IS NULL", {})
        except IndexCorruptError as error:
            self.problems.append(str(error))
            return
        if found != ["ok"]:
            self.problems.append(f"{file}: {'; '.join(found)}")
        written = self._index.manifest.database_sha256
        if begun or written is None:
            self.skipped.append(f"{DATABASE}: SHA-256 of the file, because a build of the next generation is under way")
        elif sha256_of(file) != written:
            self.problems.append(f"{file}: SHA-256 is not the manifest's")
        self.checked.append(f"{DATABASE}: integrity")

    def records(self) -> None:
        """Every row against its own checksum, and the counts against the manifest."""
        counts = dict.fromkeys(SPACES.values(), 0)
        try:
            for row in self._rows():
                counts[row["kind"]] = counts.get(row["kind"], 0) + 1
                if checksum(tuple(row)[2:]) != row["checksum"]:
                    self.problems.append(f"record {row['id']!r} ({row['kind']}) is not what was written")
        except (IndexCorruptError, sqlite3.DatabaseError) as error:
            self.problems.append(str(error))
            return
        for name, kind in SPACES.items():
            described = self._index.manifest.spaces.get(name)
            if described is None and name == BY_IMAGE:
                continue
            written = described.records if described is not None else 0
            if counts[kind] != written:
                self.problems.append(f"{counts[kind]} {kind}s, the manifest says {written}")
        self.checked.append(f"{sum(counts.values()):,} records: checksums, counts")

    def _rows(self, size: int = 1000) -> Iterator[sqlite3.Row]:
        """All rows of the generation, a thousand in memory at a time."""
        last = 0
        sql = f"SELECT row, checksum, {CHECKED} FROM records WHERE row > :last AND {VISIBLE} ORDER BY row LIMIT :size"  # noqa: S608
        while batch := self._snapshot.select(sql, {"last": last, "size": size}):
            yield from batch
            last = batch[-1]["row"]

    def vectors(self, space: str) -> None:
        """A FAISS file: its bytes, that its vectors are the records', that each is of unit length."""
        described = self._index.manifest.spaces[space]
        file = self._index.path / described.file
        try:
            for name, written in described.files.items():
                if sha256_of(self._index.path / name) != written:
                    self.problems.append(f"{self._index.path / name}: SHA-256 is not the manifest's")
            vectors = self._snapshot.vectors(space)
            numbers = self._numbers(SPACES[space])
        except OSError as error:
            self.problems.append(f"{file}: cannot be read: {error.strerror}")
            return
        except IndexCorruptError as error:
            self.problems.append(str(error))
            return
        stored = vectors.rows()
        if not np.array_equal(np.sort(stored), numbers):
            self.problems.append(f"{file}: its vectors are not those of the {SPACES[space]}s of the database")
        for part, batch in vectors.batches(numbers):
            bad = part[np.abs(np.linalg.norm(batch, axis=1) - 1) > 1 - MIN_COSINE]
            if len(bad):
                self.problems.append(f"{file}: {len(bad)} vectors are not of unit length, the first is {bad[0]}")
        self.checked.append(f"{', '.join(described.files)}: {described.count:,} vectors: SHA-256, records, lengths")

    def _numbers(self, kind: Kind) -> Rows:
        """The numbers of the vectors that the records of a kind have, ascending."""
        found: list[Rows] = []
        last = 0
        sql = (
            f"SELECT row, vector FROM records WHERE row > :last AND kind = :kind AND {VISIBLE} "  # noqa: S608
            "ORDER BY row LIMIT 100000"
        )
        while batch := self._snapshot.select(sql, {"last": last, "kind": kind}):
            found.append(np.array([row["vector"] for row in batch], np.int64))
            last = batch[-1]["row"]
        return np.unique(np.concatenate(found)) if found else np.empty(0, np.int64)

    def sample(self, space: str) -> None:
        """Some vectors made again from their records, against what is stored."""
        vectors = self._snapshot.vectors(space)
        numbers = np.sort(vectors.rows())
        numbers = numbers[np.unique(np.linspace(0, len(numbers) - 1, SAMPLE).astype(int))]
        found, fresh = self._embed_again(space, numbers.tolist())
        cosines = np.sum(fresh * vectors.get(np.array(found, np.int64)), axis=1)
        for number, cosine in zip(found, cosines.tolist(), strict=True):
            if not cosine >= MIN_COSINE:
                self.problems.append(f"space {space}: vector {number} embedded again differs: cosine {cosine:.4f}")
        self.checked.append(f"space {space}: {len(found)} records embedded again")

    def _embed_again(self, space: str, numbers: list[int]) -> tuple[list[int], Vectors]:
        """Vectors whose record's text or unchanged image file is at hand, and what they are now `(n, dim)`."""
        embedder = self._index.embedder_for(space)
        shown = self._snapshot.shown(numbers, Filter())
        if SPACES[space] == "passage":
            return numbers, embedder.embed_texts([embedded_text(shown[number].record) for number in numbers])
        images: dict[int, imaging.LoadedImage] = {}
        for number in numbers:
            id_ = shown[number].record.id
            sql = "SELECT image_path, image_sha256 FROM records WHERE row = :row"
            where = self._snapshot.select(sql, {"row": shown[number].row})[0]
            try:
                image = image_ref(where["image_path"]).load()
            except imaging.ImageError as error:
                self.skipped.append(f"embedding {id_} again: {error}")
                continue
            if image.sha256 == where["image_sha256"]:
                images[number] = image
            else:
                self.skipped.append(f"embedding {id_} again: {where['image_path']} has changed")
        return list(images), embedder.embed_images(list(images.values()))
