"""ROCOv2 as the hub has it: Parquet files with the images inside, without the articles they come from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from indexer.errors import SourceError
from indexer.sources.hub_files import hub_rows, shards
from indexer.sources.rocov2_tables import Captioned, cuis_of

SPLITS = {"train": "train", "valid": "validation", "test": "test"}
"""What the hub's files call the archive's splits."""


def is_hub(root: Path) -> bool:
    """Whether the folder holds the hub's release, or part of it."""
    return any(shards(root, split) for split in SPLITS.values())


def hub_records(root: Path, split: str) -> Iterator[Captioned]:
    """The rows of a split, in order. Raises SourceError where it has no files."""
    paths = shards(root, SPLITS[split])
    if not paths:
        raise SourceError(f"{root}: no {SPLITS[split]}-*.parquet in it or in its folder data; or leave {split} out")
    for row in hub_rows(paths, "image", ["image_id", "caption", "cui"]):
        identity, caption = (str(row.values[name] or "").strip() for name in ("image_id", "caption"))
        yield Captioned(identity, caption, cuis_of(row.values["cui"] or ()), row.image)
