"""ROCOv2 as the archive has it: a CSV of captions a split, its images in a folder or in a zip that stays packed."""

from __future__ import annotations

import os
import posixpath
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from indexer.errors import SourceError
from indexer.images import FileImage, ImageRef, ZipImage
from indexer.images.zips import list_members
from indexer.sources.rocov2_tables import Captioned, cuis_of, read_pairs, read_table
from indexer.sources.rows import BadRow

_ENDINGS = (".jpg", ".jpeg", ".png")


@dataclass(frozen=True)
class _Images:
    """The images of a split: where they are, and by id the path or the zip's member of each."""

    where: str
    packed: bool
    names: dict[str, str]

    def take(self, identity: str) -> ImageRef | None:
        """The image of that id, once."""
        name = self.names.pop(identity, None)
        if name is None:
            return None
        return ZipImage(self.where, name) if self.packed else FileImage(name)


def is_archive(root: Path) -> bool:
    """Whether the folder holds the archive's release, or part of it."""
    return any(root.glob("*_captions.csv"))


def concept_files(root: Path, split: str) -> list[Path]:
    """The split's tables of concepts that are there, those that people set first."""
    files = [root / f"{split}_concepts_manual.csv", root / f"{split}_concepts.csv"]
    return [file for file in files if file.is_file()]


def archive_records(root: Path, split: str) -> Iterator[Captioned | BadRow]:
    """The captions of a split in the file's order, then its images without a caption, by name.

    Raises SourceError where there are no captions or no images of the split.
    """
    images = _images(root, split)
    concepts = [read_pairs(file, "ID", "CUIs") for file in concept_files(root, split)]
    captions = root / f"{split}_captions.csv"
    for row in read_table(captions, "ID", "Caption"):
        if isinstance(row, BadRow):
            yield BadRow(f"{captions.name} {row.place}", row.reason)
            continue
        identity, caption = row
        image = images.take(identity)
        if image is None:
            yield BadRow(identity, f"has a caption in {captions.name}, but no image in {images.where}")
        else:
            yield Captioned(identity, caption, cuis_of(table.get(identity, "") for table in concepts), image)
    for identity in sorted(images.names):
        lack = f"is an image in {images.where}, but has no caption in {captions.name}"
        if (image := images.take(identity)) is not None:
            yield Captioned(identity, "", [], image, lack)


def _images(root: Path, split: str) -> _Images:
    for folder in (root / f"{split}_images", root / split):
        if folder.is_dir():
            return _Images(str(folder), False, {_stem(name): name for name in _walk(folder)})
    for packed in (root / f"{split}_images.zip", root / f"{split}.zip"):
        if packed.is_file():
            return _Images(str(packed), True, {_stem(name): name for name in _members(packed)})
    raise SourceError(f"{root}: no images of {split}; put {split}_images.zip or the folder {split}_images there")


def _walk(folder: Path) -> Iterator[str]:
    for parent, _, names in os.walk(folder):
        yield from (os.path.join(parent, name) for name in names if _is_image(name))


def _members(packed: Path) -> list[str]:
    try:
        names = [member.filename for member in list_members(str(packed))]
    except (OSError, zipfile.BadZipFile) as error:
        raise SourceError(f"{packed}: cannot be read as a zip: {error}. Fetch it again") from error
    return [name for name in names if _is_image(posixpath.basename(name)) and not name.startswith("__MACOSX")]


def _stem(path: str) -> str:
    """The file's name without its ending; `Path.stem` takes ten times as long, and there are 79,789."""
    return posixpath.splitext(posixpath.basename(path))[0]


def _is_image(name: str) -> bool:
    return name.lower().endswith(_ENDINGS) and not name.startswith(".")
