"""Taking records out of an index, and giving back the space of what was taken out or replaced."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from indexer.config import IndexConfig
from indexer.database import connect
from indexer.embedders.files import sha256_of
from indexer.errors import IndexBusyError, QueryError, RecordNotFoundError
from indexer.ledger import Ledger
from indexer.lock import locked
from indexer.manifest import DATABASE, Manifest, build_command, read_manifest, write_manifest
from indexer.publish import BY_IMAGE, clear_up, publish


@dataclass(frozen=True)
class RemoveReport:
    """What was taken out, in records, and what is left by kind; `generation` is the new one."""

    path: str
    generation: int
    removed: int
    counts: dict[str, int]

    def line(self) -> str:
        """The report as a line for a terminal."""
        left = ", ".join(f"{count:,} {space}" for space, count in sorted(self.counts.items()))
        return f"{self.path}: generation {self.generation}: {self.removed:,} records removed; {left} left"


@dataclass(frozen=True)
class CompactReport:
    """The index's size on disk before and after."""

    path: str
    generation: int
    bytes_before: int
    bytes_after: int

    def line(self) -> str:
        """The report as a line for a terminal."""
        before, after = self.bytes_before / 2**20, self.bytes_after / 2**20
        return f"{self.path}: generation {self.generation}: {before:.1f} MiB -> {after:.1f} MiB"


def remove_from_index(
    path: str | Path, *, sources: Sequence[str] = (), ids: Sequence[str] = (), articles: Sequence[str] = ()
) -> RemoveReport:
    """Takes out all records of these sources, ids (of records, or of documents cut into passages) or articles.

    A source taken out by name is forgotten by the index's own configuration too; building from a configuration that
    still has the records brings them back. The vectors stay on disk until `compact_index` or the next build.

    Raises QueryError (nothing named, or nothing would be left), RecordNotFoundError (none is there), IndexBusyError.
    """
    if not (sources or ids or articles):
        raise QueryError("name what to remove: sources, ids or articles")
    path = Path(path)
    with _changing(path) as (manifest, ledger):
        removed = ledger.drop(sources, ids, articles)
        named = ", ".join([*sources, *ids, *articles])
        if removed == 0:
            raise RecordNotFoundError(f"index {path} has no records of {named}; it is as it was")
        if removed == sum(space.records for name, space in manifest.spaces.items() if name != BY_IMAGE):
            raise QueryError(f"index {path}: nothing would be left without {named}; delete the folder instead")
        ledger.keep_all(manifest.config_file)
        new = publish(
            path,
            ledger,
            before=manifest,
            spaces={},
            config=_without(manifest, sources),
            config_file=manifest.config_file,
        )
    return RemoveReport(
        str(path),
        new.generation,
        removed,
        {name: space.records for name, space in new.spaces.items() if name != BY_IMAGE},
    )


def compact_index(path: str | Path) -> CompactReport:
    """Gives back the space of records that were removed or replaced. Readers go on reading.

    Raises IndexBusyError (another writer, or a half-built generation).
    """
    path = Path(path)
    before = _size(path)
    with _changing(path) as (manifest, ledger):
        ledger.keep_all(manifest.config_file)
        new = publish(
            path, ledger, before=manifest, spaces={}, config=manifest.config, config_file=manifest.config_file
        )
        write_manifest(path, new.model_copy(update={"database_sha256": None}))  # true of it if killed while it shrinks
        ledger.compact()
        write_manifest(path, new.model_copy(update={"database_sha256": sha256_of(path / DATABASE)}))
    return CompactReport(str(path), new.generation, before, _size(path))


@contextmanager
def _changing(path: Path) -> Iterator[tuple[Manifest, Ledger]]:
    """The current generation and the next one in the making, held for this writer alone."""
    manifest = read_manifest(path)
    with locked(path, manifest.config_file), closing(connect(path / DATABASE)) as connection:
        connection.execute("PRAGMA query_only = OFF")
        manifest = read_manifest(path)
        ledger = Ledger(connection, manifest.generation, from_scratch=False, keep_others=True)
        if manifest.database_sha256 is None:
            manifest = clear_up(path, ledger, manifest)  # what the last build was killed in the middle of
        if ledger.unfinished():
            command = build_command(manifest.config_file, rebuild=False)
            raise IndexBusyError(f"index {path}: a stopped build is waiting to go on. Finish it first: {command}")
        yield manifest, ledger


def _without(manifest: Manifest, sources: Sequence[str]) -> dict[str, object]:
    """The index's configuration without sources of these names."""
    config = IndexConfig.model_validate(manifest.config)
    kept = [source for source in config.sources if source.name not in sources]
    changed = config.model_copy(update={"sources": kept}) if kept else config
    return changed.model_dump(mode="json", exclude_none=True)


def _size(path: Path) -> int:
    return sum(file.stat().st_size for file in path.iterdir() if file.is_file())
