"""An index that is open for reading: search, look-up, what it holds."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TypeVar

import numpy as np

import configs
from imaging import LoadedImage
from indexer.database import VISIBLE
from indexer.embedders import create_embedder, parse_embedder, read_embedder
from indexer.embedders.config import OpenClipConfig
from indexer.errors import EmbedderMismatchError, IndexCorruptError, QueryError, RecordNotFoundError
from indexer.manifest import Manifest, Space, build_command, describe, hash_json, read_manifest
from indexer.publish import BY_IMAGE, SPACES
from indexer.records import Column, ImagePlace
from indexer.snapshot import Snapshot
from indexer.types import Embedder, Evidence, Example, Kind, Passage, Query, Vectors

_T = TypeVar("_T")

_LOOK_ALIKES_SQL = (
    "SELECT coalesce(sum(members), 0) AS n FROM (SELECT count(*) AS members FROM records "  # noqa: S608
    f"WHERE phash != '' AND {VISIBLE} GROUP BY phash HAVING count(DISTINCT image_sha256) > 1)"
)


@dataclass(frozen=True)
class SpaceInfo:
    """A vector space: what embedded it, how many vectors of which dimension, in which file; how it is searched."""

    name: str
    kind: Kind
    embedder: str
    revision: str
    fingerprint: str
    dim: int
    metric: str
    count: int
    file: str
    search: str


@dataclass(frozen=True)
class IndexInfo:
    """What an index holds, counted in records, and its size on disk. A missing licence counts as "unknown", and so
    does an example's missing modality.

    `folded` share the vector of another record, which says the same; `look_alikes` are examples whose image has the
    perceptual hash of another image, a different file.
    """

    path: str
    schema_version: int
    generation: int
    created_at: str
    config_file: str | None
    config_hash: str
    kinds: dict[str, int]
    sources: dict[str, int]
    licenses: dict[str, int]
    modalities: dict[str, int]
    failures: int
    folded: int
    look_alikes: int
    spaces: tuple[SpaceInfo, ...]
    size_bytes: int


class Index:
    """An index on disk, read at one generation; what a build adds shows when it is opened again.

    Opening reads the manifest only; vectors and embedders are loaded at the first use. May be used from
    several threads.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._snapshot = Snapshot(self.path, read_manifest(self.path))
        self._embedders: dict[str, Embedder] = {}
        self._near_duplicate: dict[str, float | None] = {}

    def __enter__(self) -> Index:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the database file."""
        self._snapshot.close()

    @property
    def manifest(self) -> Manifest:
        """What this generation consists of."""
        return self._snapshot.manifest

    @property
    def generation(self) -> int:
        """The generation that is read."""
        return self.manifest.generation

    @property
    def version(self) -> str:
        """The index and its exact content, for records: `data/indexes/medpix@3:1f2e3d4c`."""
        content = {name: space.sha256 for name, space in self.manifest.spaces.items()}
        return f"{self.path}@{self.generation}:{hash_json(content)[:8]}"

    @property
    def spaces(self) -> frozenset[str]:
        """Names of the vector spaces there are."""
        return frozenset(self.manifest.spaces)

    def __len__(self) -> int:
        return sum(space.records for space in self._own_spaces())

    def count(self, space: str) -> int:
        """How many vectors a space has; 0 where the index has no such space."""
        described = self.manifest.spaces.get(space)
        return described.count if described is not None else 0

    def search(self, queries: Sequence[Query]) -> list[list[Evidence]]:
        """For each query its nearest records, ranked from 1, by cosine similarity in the query's space.

        A query with a text is also searched for by words (BM25), and both results are fused by reciprocal rank.
        Exact, but for spaces so large that they have lists: there a neighbour may be missing, as often as the manifest
        says. There are `k` wherever that many are not excluded. Records that say the same are one hit: the first that
        passes the query's filter, the others in its `copies`; where one is excluded, all are. Equal scores (to six
        decimals) are in the order of their ids. Raises QueryError (unknown space, wrong dimension), IndexCorruptError.
        """
        return self._read(lambda snapshot: snapshot.search(queries))

    def draw(self, queries: Sequence[Query], seed: int) -> list[list[Evidence]]:
        """For each query `k` records drawn at random in place of its nearest, ranked by their similarity like these.

        A foil for `search`: what is excluded or filtered out there is here too; a query's text is not looked at. Drawn
        by `seed` and the query's place. Raises QueryError (unknown space, wrong dimension), IndexCorruptError.
        """
        return self._read(lambda snapshot: snapshot.draw(queries, seed))

    def examples(self, ids: Sequence[str]) -> list[Example]:
        """The examples of these ids, in their order. Raises RecordNotFoundError for one that is not there."""
        found = self._read(lambda snapshot: snapshot.by_id("example", ids))
        return [record for id_ in ids if isinstance(record := self._present(found, id_), Example)]

    def passages(self, ids: Sequence[str]) -> list[Passage]:
        """The passages of these ids, in their order. Raises RecordNotFoundError for one that is not there."""
        found = self._read(lambda snapshot: snapshot.by_id("passage", ids))
        return [record for id_ in ids if isinstance(record := self._present(found, id_), Passage)]

    def vectors(self, space: str, ids: Sequence[str]) -> Vectors:
        """The vectors of records of a space, float32 `(n, dim)`, in the order of their ids.

        Raises RecordNotFoundError for an id that is not there, QueryError for an unknown space.
        """
        found = self._read(lambda snapshot: snapshot.vectors_by_id(space, ids))
        missing = next((id_ for id_ in ids if id_ not in found), None)
        if missing is not None:
            raise RecordNotFoundError(f"index {self.path} has no record {missing!r}")
        return np.stack([found[id_] for id_ in ids])

    def copies_of(self, images: Sequence[LoadedImage]) -> list[Example]:
        """The examples that are one of these images: the same file, or the same perceptual hash. By id."""
        return self._read(lambda snapshot: snapshot.copies_of(images))

    def image_places(self) -> list[ImagePlace]:
        """Of each example where its image was when it was indexed, in the order they came into the index."""
        return self._read(lambda snapshot: snapshot.image_places())

    def same_files(self, sha256: Collection[str]) -> list[Example]:
        """The examples whose image files have one of these hashes."""
        return self._read(lambda snapshot: snapshot.same_files(sha256))

    def near_hashes(self, images: Sequence[LoadedImage], radius: int, most: int) -> list[list[Example]]:
        """For each image the `most` examples whose perceptual hashes differ from its own in the fewest bits.

        At most `radius` of 64, the nearest first. All hashes are read into memory at the first use.
        """
        return self._read(lambda snapshot: snapshot.near_hashes(images, radius, most))

    def rows_with(self, column: Column, values: Collection[str]) -> set[int]:
        """The numbers of all records, examples and passages, that have one of these values in a column."""
        return self._read(lambda snapshot: snapshot.rows_with(column, values))

    def near_duplicate(self, space: str) -> float | None:
        """The cosine from which on two vectors of a space are near-duplicates, where its embedder has such a figure.

        It is the one in `configs/embedders/`, read once, and the index's own where there is no such file. Raises
        QueryError for an unknown space, configs.ConfigError where the file cannot be understood.
        """
        if space not in self._near_duplicate:
            described = self._described(space).embedder
            if (configs.ROOT / "embedders" / f"{described.name}.yaml").is_file():
                config = read_embedder(described.name)[1]
            else:
                config = parse_embedder(described.config, f"index {self.path}")
            self._near_duplicate[space] = config.near_duplicate if isinstance(config, OpenClipConfig) else None
        return self._near_duplicate[space]

    def embedder_for(self, space: str) -> Embedder:
        """The embedder whose vectors a space holds, the same object each time.

        Raises QueryError (unknown space), EmbedderMismatchError (its files are not what they were),
        EmbedderUnavailableError.
        """
        if space not in self._embedders:
            self._embedders[space] = self._checked_embedder(space)
        return self._embedders[space]

    def info(self) -> IndexInfo:
        """Counts by kind, source, licence and modality; duplicates; spaces; size."""
        manifest = self.manifest
        return IndexInfo(
            path=str(self.path),
            schema_version=manifest.schema_version,
            generation=manifest.generation,
            created_at=manifest.created_at,
            config_file=manifest.config_file,
            config_hash=manifest.config_hash,
            kinds=self._counts("kind"),
            sources=self._counts("source"),
            licenses=self._counts("coalesce(license, 'unknown')"),
            modalities=self._counts("coalesce(modality, 'unknown')", of="kind = 'example'"),
            failures=self._number("SELECT count(*) AS n FROM failures WHERE generation = :generation"),
            folded=sum(space.records - space.count for space in self._own_spaces()),
            look_alikes=self._number(_LOOK_ALIKES_SQL),
            spaces=tuple(
                SpaceInfo(
                    name=name,
                    kind=SPACES[name],
                    embedder=space.embedder.id,
                    revision=space.embedder.revision,
                    fingerprint=space.embedder.fingerprint,
                    dim=space.dim,
                    metric=space.metric,
                    count=space.count,
                    file=space.file,
                    search=space.search,
                )
                for name, space in manifest.spaces.items()
            ),
            size_bytes=sum(file.stat().st_size for file in self.path.iterdir() if file.is_file()),
        )

    def _own_spaces(self) -> list[Space]:
        """The spaces that hold each record once."""
        return [space for name, space in self.manifest.spaces.items() if name != BY_IMAGE]

    def _number(self, sql: str) -> int:
        return self._read(lambda snapshot: int(snapshot.select(sql, {})[0]["n"]))

    def _counts(self, what: str, of: str = "1") -> dict[str, int]:
        sql = (
            f"SELECT {what} AS what, count(*) AS n FROM records WHERE {VISIBLE} AND {of} GROUP BY 1 ORDER BY 2 DESC, 1"  # noqa: S608
        )
        return {row["what"]: row["n"] for row in self._read(lambda snapshot: snapshot.select(sql, {}))}

    def _present(self, found: dict[str, Example | Passage], id_: str) -> Example | Passage:
        record = found.get(id_)
        if record is None:
            raise RecordNotFoundError(f"index {self.path} has no record {id_!r}")
        return record

    def _read(self, read: Callable[[Snapshot], _T]) -> _T:
        """What `read` gives; where files are gone because a build has switched meanwhile, from the new generation."""
        while True:
            snapshot = self._snapshot
            try:
                return read(snapshot)
            except IndexCorruptError:
                manifest = read_manifest(self.path)
                if manifest.generation == snapshot.manifest.generation:
                    raise
                self._snapshot = Snapshot(self.path, manifest)
                self._embedders.clear()
                self._near_duplicate.clear()

    def _described(self, space: str) -> Space:
        described = self.manifest.spaces.get(space)
        if described is None:
            raise QueryError(f"index {self.path} has no space {space!r}; it has {', '.join(self.manifest.spaces)}")
        return described

    def _checked_embedder(self, space: str) -> Embedder:
        described = self._described(space)
        built = described.embedder
        embedder = create_embedder(built.name, parse_embedder(built.config, f"index {self.path}"))
        if embedder.fingerprint != built.fingerprint:
            raise EmbedderMismatchError(
                f"index {self.path} was built with {describe(built.id, built.revision, described.dim)}; "
                f"{built.name} is now {describe(embedder.id, embedder.revision, embedder.dim)}. "
                f"Rebuild: {build_command(self.manifest.config_file, rebuild=True)}"
            )
        return embedder


def open_index(path: str | Path) -> Index:
    """Opens an index for reading, at its current generation.

    Raises IndexNotFoundError, IndexIncompleteError (half-built), IndexCorruptError.
    """
    return Index(path)
