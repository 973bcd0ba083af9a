"""What is known to this program already: an index's images, and ROCOv2 as its archive has it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from batch.errors import InputError
from batch.inputs.listing import SPLIT, Listing, Reading
from indexer import IndexerError, open_index
from indexer.sources.rocov2_archive import archive_records
from indexer.sources.rocov2_tables import read_articles
from indexer.sources.rows import BadRow, Row

_ROCOV2_SPLITS = ("train", "valid", "test")
_INDEX_COLUMNS = ("id", "image", "article", "source", "modality", "caption", "license", "attribution")


def index_images(path: Path) -> Listing:
    """The images of an index's examples, where they were when it was built. Relative paths start where we are."""

    def rows(_: Reading) -> Iterator[Row | BadRow]:
        try:
            with open_index(path) as index:
                places = index.image_places()
        except IndexerError as error:
            raise InputError(str(error)) from error
        if not places:
            raise InputError(f"index {path} has no images; it holds texts alone")
        for place in places:
            values = {"id": place.id, "image": place.image, "article": place.article}
            values |= {"source": place.source, "modality": place.modality, "caption": place.caption}
            yield Row(place.id, {**values, "license": place.license, "attribution": place.attribution})

    return Listing(path, _INDEX_COLUMNS, rows, Path.cwd())


def rocov2_splits(root: Path) -> tuple[str, ...]:
    """The splits of ROCOv2's archive whose captions and images are both in the folder."""
    return tuple(
        split
        for split in _ROCOV2_SPLITS
        if (root / f"{split}_captions.csv").is_file()
        and any((root / name).exists() for name in (f"{split}_images.zip", f"{split}.zip", f"{split}_images", split))
    )


def rocov2_archive(root: Path) -> Listing:
    """The images of ROCOv2's archive, split by split in the order of its captions, then those without a caption."""
    found = rocov2_splits(root)

    def rows(reading: Reading) -> Iterator[Row | BadRow]:
        absent = [split for split in _ROCOV2_SPLITS if split not in found]
        if absent:
            reading.note(f"{root}: ROCOv2 without {', '.join(absent)}")
        for split in reading.splits(found):
            for record in archive_records(root, split):
                if isinstance(record, BadRow):
                    yield record
                else:
                    yield Row(record.id, {"id": record.id, "image": record.image, SPLIT: split})

    return Listing(root, ("id", "image", SPLIT), rows, root, articles=lambda: read_articles(root))
