"""ROCOv2: 79,789 captioned radiology images from open-access articles, in either of its releases.

Rückert et al. (2024), https://doi.org/10.1038/s41597-024-03496-6. The captions are read as they come; the tables of
origins and of one split's concepts and image names, some tens of megabytes, are in memory meanwhile.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from indexer.config.sets import Rocov2Config
from indexer.errors import SourceError
from indexer.sources.rocov2_archive import archive_records, concept_files, is_archive
from indexer.sources.rocov2_hub import hub_records, is_hub
from indexer.sources.rocov2_tables import (
    LICENSES,
    NAMES,
    SET_LICENSE,
    UNKNOWN,
    Captioned,
    Origin,
    concepts_of,
    modality_of,
    read_names,
    read_origins,
)
from indexer.sources.rows import BadRow
from indexer.types import Example, SourceFailure, SourceImage

PUBLISHED = {"train": 59_958, "valid": 9_904, "test": 9_927}
"""Images in each split, as its authors count them."""

_log = logging.getLogger(__name__)


class Rocov2Source:
    """The images of the chosen splits, in that order, each split's in the order of its release. Decodes nothing.

    `len` says in the log what the release at hand lacks or counts otherwise than its authors.
    """

    def __init__(self, config: Rocov2Config) -> None:
        self.name = config.name
        self._root = Path(config.path)
        self._splits: list[str] = list(config.splits)

    def __len__(self) -> int:
        self._tell_what_is_missing()
        counts = {split: Counter[str]() for split in self._splits}
        for split, item in self._items():
            kind = "unusable" if isinstance(item, SourceFailure) else "known" if item.example.article else "unknown"
            counts[split][kind] += 1
        for split, count in counts.items():
            self._tell_counts(split, count["known"] + count["unknown"], count["unknown"])
        return sum(count.total() for count in counts.values())

    def __iter__(self) -> Iterator[SourceImage | SourceFailure]:
        return (item for _, item in self._items())

    def _items(self) -> Iterator[tuple[str, SourceImage | SourceFailure]]:
        """Each item after the split it is of."""
        read = archive_records if self._is_archive() else hub_records
        names, origins = read_names(self._root), read_origins(self._root)
        for split in self._splits:
            for record in read(self._root, split):
                yield split, self._item(record, names, origins)

    def _is_archive(self) -> bool:
        if not self._root.is_dir():
            raise SourceError(f"{self._root}: no such folder (source {self.name!r}). Fetch it: python cli.py data list")
        if is_archive(self._root):
            return True
        if is_hub(self._root):
            return False
        raise SourceError(
            f"{self._root}: neither release of ROCOv2 is there: no train_captions.csv, no data/train-*.parquet"
        )

    def _item(
        self, record: Captioned | BadRow, names: dict[str, str], origins: dict[str, Origin]
    ) -> SourceImage | SourceFailure:
        if isinstance(record, BadRow):
            return SourceFailure(self.name, record.place, record.reason)
        if not record.id or not record.caption:
            missing = "caption" if record.id else "id"
            reason = record.lack or f"its {missing} is missing"
            return SourceFailure(self.name, record.id or str(record.image), reason)
        origin = origins.get(record.id, UNKNOWN)
        example = Example(
            id=record.id,
            caption=record.caption,
            source=self.name,
            article=origin.article,
            license=origin.license,
            attribution=origin.attribution,
            url=origin.url,
            concepts=concepts_of(record.cuis, names),
            modality=modality_of(record.cuis),
        )
        return SourceImage(example, record.image)

    def _tell_counts(self, split: str, images: int, without_article: int) -> None:
        if images != PUBLISHED[split]:
            said = "%s: %s has %s usable images; its authors count %s"
            _log.warning(said, self.name, split, f"{images:,}", f"{PUBLISHED[split]:,}")
        if without_article and (self._root / LICENSES).is_file():
            said = "%s: %s images of %s have no article in %s; they are given as %s"
            _log.warning(said, self.name, f"{without_article:,}", split, LICENSES, SET_LICENSE)

    def _tell_what_is_missing(self) -> None:
        archive = self._is_archive()
        if not (self._root / LICENSES).is_file():
            said = "%s: no %s in %s: no image has its article, attribution or link, and figures of one article cannot "
            said += "be told. The archive has that file (python cli.py data list)"
            _log.warning(said, self.name, LICENSES, self._root)
        if not (self._root / NAMES).is_file():
            _log.warning("%s: no %s in %s: concepts are CUIs without names", self.name, NAMES, self._root)
        for split in self._splits if archive else ():
            if not concept_files(self._root, split):
                said = "%s: no %s_concepts.csv and no %s_concepts_manual.csv in %s: its images have no concepts"
                _log.warning(said, self.name, split, split, self._root)
