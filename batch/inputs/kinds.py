"""What kind of input a text names."""

from __future__ import annotations

import difflib
import glob
from pathlib import Path

from batch.errors import InputError
from batch.inputs import files, sets, tables
from batch.inputs.listing import Listing
from imaging.names import ENDINGS, is_image_name
from indexer.manifest import MANIFEST
from indexer.sources.hub_files import splits
from indexer.sources.rows import READERS

RECORDS = tuple(f"{stem}{ending}" for stem in ("records", "metadata") for ending in (".jsonl", ".csv", ".parquet"))
"""Record files of a folder of images, ours and the hub's; the first that is there is read.

https://huggingface.co/docs/datasets/image_dataset#imagefolder
"""


def listing_of(text: str) -> Listing:
    """The records of what the text names. Raises InputError where it names nothing that can be described."""
    path = Path(text).absolute()
    path = path.resolve() if ".." in path.parts else path  # records keep it: the shortest that is right
    try:
        if path.is_dir():
            return _folder(path)
        if path.is_file():
            return _file(path)
    except OSError as error:
        raise InputError(f"{text[:200]}: cannot be read: {error.strerror}") from error
    if glob.has_magic(text):
        return files.pattern(text)
    near = difflib.get_close_matches(path.name, _names(path.parent), n=1)
    hint = f" Did you mean {path.parent / near[0]}?" if near else ""
    raise InputError(f"{text}: no such file or folder; relative to {Path.cwd()}.{hint}")


def _folder(path: Path) -> Listing:
    if (path / MANIFEST).is_file():
        return sets.index_images(path)
    if (path / tables.STATE).is_file() or (path / tables.STATES).is_file():
        return tables.saved(path)
    if sets.rocov2_splits(path):
        return sets.rocov2_archive(path)
    for name in RECORDS:
        if (path / name).is_file():
            return tables.record_file(path / name)
    if splits(path):
        return tables.hub_snapshot(path)
    return files.folder(path)


def _file(path: Path) -> Listing:
    ending = path.suffix.lower()
    if ending == ".zip":
        return files.packed(path)
    if ending in READERS or ending == ".arrow":
        return tables.record_file(path)
    if is_image_name(path.name):
        return files.single(path)
    known = ", ".join((".zip", *READERS, ".arrow", *ENDINGS))
    raise InputError(f"{path}: a file that is described ends in one of {known}")


def _names(folder: Path) -> list[str]:
    try:
        return [entry.name for entry in folder.iterdir()]
    except OSError:
        return []
