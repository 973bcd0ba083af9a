"""Sources -> records -> vectors -> the next generation of an index."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from indexer.config import IndexConfig, SourceConfig, load_config
from indexer.database import connect
from indexer.errors import (
    EmbedderMismatchError,
    IndexCorruptError,
    IndexerError,
    IndexNotFoundError,
    NothingIndexedError,
)
from indexer.ledger import Ledger
from indexer.lock import LOCK, locked
from indexer.manifest import DATABASE, MANIFEST, Manifest, build_command, describe, read_manifest
from indexer.publish import BY_IMAGE, SPACES, SpaceEmbedder, clear_up, publish, save_config
from indexer.report import BuildReport
from indexer.run import Run
from indexer.sources import open_source
from indexer.sources.context import SourceContext


def build_index(
    config: IndexConfig | str | Path, *, progress: bool | None = None, rebuild: bool = False
) -> BuildReport:
    """Makes the index hold exactly what the configuration's sources hold; `config` may be its name or file.

    Embeds only what is new or changed, goes on where a stopped build left off, and leaves the index as it was
    where nothing is new. `rebuild` embeds everything again and is how an embedder is changed. `progress` shows
    a bar on stderr (None: where that is a terminal). Records that cannot be used are in the report.

    Raises IndexerError (a source as a whole cannot be read, another embedder than the index's, another build
    under way, not one record usable, the disk) and configs.ConfigError. The index is then as it was before.
    """
    if isinstance(config, IndexConfig):
        return _Builder(Path(config.out), config, None, rebuild=rebuild, adding=False).build(progress)
    parsed = load_config(str(config))
    return _Builder(Path(parsed.out), parsed, str(config), rebuild=rebuild, adding=False).build(progress)


def add_to_index(
    path: str | Path,
    sources: IndexConfig | str | Path | Sequence[SourceConfig],
    *,
    progress: bool | None = None,
) -> BuildReport:
    """Adds what sources hold to an index and keeps everything else; returns and raises like `build_index`.

    `sources` may be an index configuration (its name or file): its sources are added to the index at `path`,
    and its embedders must be the index's. The index remembers them, as if its own configuration had them.
    """
    path = Path(path)
    manifest = read_manifest(path)
    present = IndexConfig.model_validate(manifest.config)
    if isinstance(sources, str | Path):
        sources = load_config(str(sources))
    if isinstance(sources, IndexConfig):
        present = present.model_copy(
            update={"image_embedder": sources.image_embedder, "text_embedder": sources.text_embedder}
        )
        sources = sources.sources
    merged = present.model_copy(
        update={"sources": [*present.sources, *(s for s in sources if s not in present.sources)]}
    )
    return _Builder(path, merged, manifest.config_file, rebuild=False, adding=True).build(progress, sources)


class _Builder:
    """One build or addition. `config` is what the index will say it is made of."""

    def __init__(
        self, path: Path, config: IndexConfig, config_file: str | None, *, rebuild: bool, adding: bool
    ) -> None:
        self._path = path
        self._config = config
        self._config_file = config_file
        self._rebuild = rebuild
        self._adding = adding

    def build(self, progress: bool | None, sources: Sequence[SourceConfig] | None = None) -> BuildReport:
        started = time.monotonic()
        wanted = self._config.sources if sources is None else sources
        spaces = self._embedders(wanted)
        texts = spaces.get("passages")
        context = SourceContext(texts.embedder if texts is not None else None, progress)
        opened = [open_source(source, context) for source in wanted]
        total = sum(len(source) for source in opened)
        self._prepare_folder()
        with locked(self._path, self._config_file, rebuild=self._rebuild), closing(self._database()) as connection:
            before, generation = self._current(connection)
            ledger = Ledger(connection, generation, from_scratch=self._rebuild, keep_others=self._adding)
            if before is not None and before.database_sha256 is None:
                before = clear_up(self._path, ledger, before)  # what the last build was killed in the middle of
            self._refuse_mixing(before, ledger, spaces)
            run = Run(ledger, spaces, self._config.batch_size, self._config_file)
            run.take(opened, total, self._path.name, progress)
            manifest = self._finish(before, ledger, spaces, run)
            return BuildReport(
                path=str(self._path),
                generation=manifest.generation,
                changed=manifest.generation > generation,
                added=run.changes.added,
                replaced=run.changes.replaced,
                removed=run.changes.removed,
                unchanged=run.unchanged,
                embedded=run.embedded,
                reused=run.reused,
                failed=run.failed,
                failures=tuple(run.failures),
                counts={SPACES[name]: space.records for name, space in manifest.spaces.items()},
                seconds=time.monotonic() - started,
            )

    def _finish(self, before: Manifest | None, ledger: Ledger, spaces: dict[str, SpaceEmbedder], run: Run) -> Manifest:
        config = self._config.model_dump(mode="json", exclude_none=True)
        if run.kept == 0:
            first = f"; the first: {run.failures[0].id}: {run.failures[0].reason}" if run.failures else ""
            raise NothingIndexedError(f"index {self._path}: none of {run.failed} records could be used{first}")
        if not run.changed and before is not None and not self._lacks_by_image(before):
            return save_config(self._path, before, config, self._config_file)
        ledger.settle()
        return publish(
            self._path,
            ledger,
            before=None if self._rebuild else before,
            spaces=spaces,
            config=config,
            config_file=self._config_file,
        )

    def _lacks_by_image(self, before: Manifest) -> bool:
        """Whether the configuration wants passages in the images' space and the current generation has none there."""
        return self._config.passages_by_image and "passages" in before.spaces and BY_IMAGE not in before.spaces

    def _database(self) -> sqlite3.Connection:
        """The database, made where there is none; a rebuild begins a damaged one anew."""
        file = self._path / DATABASE
        try:
            connection = connect(file, create=self._rebuild or not (self._path / MANIFEST).exists())
            connection.execute("PRAGMA query_only = OFF")
            if not self._rebuild or connection.execute("PRAGMA quick_check(1)").fetchone()[0] == "ok":
                return connection
            connection.close()
        except (IndexCorruptError, sqlite3.DatabaseError):
            if not self._rebuild:
                raise
        file.unlink()
        return connect(file, create=True)

    def _current(self, connection: sqlite3.Connection) -> tuple[Manifest | None, int]:
        """The current generation and its number; a rebuild goes past a damaged manifest."""
        if not (self._path / MANIFEST).exists():
            return None, 0
        try:
            manifest = read_manifest(self._path)
        except IndexCorruptError:
            if not self._rebuild:
                raise
            finished = "SELECT coalesce(max(generation), 0) FROM builds WHERE finished_at IS NOT NULL"
            return None, int(connection.execute(finished).fetchone()[0])
        return manifest, manifest.generation

    def _embedders(self, sources: Sequence[SourceConfig]) -> dict[str, SpaceEmbedder]:
        """By space, the embedder of the kinds of source there are; the others need not even be installed."""
        names = {"images": self._config.image_embedder, "passages": self._config.text_embedder}
        held = {source.holds for source in sources}
        return {space: SpaceEmbedder.load(name) for space, name in names.items() if space in held}

    def _refuse_mixing(self, before: Manifest | None, ledger: Ledger, spaces: dict[str, SpaceEmbedder]) -> None:
        """Vectors of different embedders never meet: neither in the index nor in a build that goes on."""
        command = build_command(self._config_file, rebuild=True)
        if before is not None and not self._rebuild:
            for name, space in spaces.items():
                built = before.spaces.get(name)
                if built is not None and built.embedder.fingerprint != space.record.fingerprint:
                    was = describe(built.embedder.id, built.embedder.revision, built.dim)
                    raise EmbedderMismatchError(
                        f"index {self._path} was built with {was}; the config asks for {space.name}. Rebuild: {command}"
                    )
        for name, stopped in ledger.unfinished().items():
            if name in spaces and stopped["fingerprint"] != spaces[name].record.fingerprint:
                if not self._rebuild:
                    raise EmbedderMismatchError(
                        f"index {self._path} is half-built with {stopped['name']}; the config asks for "
                        f"{spaces[name].name}. Start over: {command}"
                    )
                ledger.discard()
                return

    def _prepare_folder(self) -> None:
        path = self._path
        if path.is_dir() and any(path.iterdir()) and not (path / DATABASE).exists() and not (path / LOCK).exists():
            raise IndexNotFoundError(
                f"{path} is a folder with other files in it and no index. Name a new folder in out:"
            )
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise IndexerError(f"index {path}: the folder cannot be made: {error.strerror}") from error
