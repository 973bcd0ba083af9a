"""Images without records: a folder, a glob pattern, a zip, a file. An id is the path without its ending."""

from __future__ import annotations

import glob
import os
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePosixPath

from batch.errors import InputError
from batch.inputs.listing import Listing, Reading
from imaging.names import ENDINGS, is_image_name, without_ending
from indexer.images import FileImage, ImageRef, ZipImage, image_ref
from indexer.images.zips import list_members
from indexer.sources.rows import READERS, BadRow, Row

_COLUMNS = ("id", "image")
_NAMED = 3
"""So many of the files that were skipped are named."""


def folder(path: Path) -> Listing:
    """The images below a folder, in the order of their paths; hidden files and folders are no part of it."""

    def rows(reading: Reading) -> Iterator[Row | BadRow]:
        names = sorted(_walk(path))
        if not names:
            raise InputError(f"{path}: an empty folder")
        taken = _images_of(names, f"{path}: no image in it", reading)
        return _rows(taken, lambda name: FileImage(os.path.join(path, name)))

    return Listing(path, _COLUMNS, rows, path)


def pattern(text: str) -> Listing:
    """The images that a glob pattern matches, `**` any folders, in the order of their paths."""
    base = _fixed_part(text)

    def rows(reading: Reading) -> Iterator[Row | BadRow]:
        found = [name for name in glob.iglob(text, recursive=True) if not os.path.isdir(name)]
        if not found:
            raise InputError(f"{text}: no file matches. Quote the pattern; `**` stands for folders of any depth")
        names = sorted(Path(os.path.relpath(name, base)).as_posix() for name in found)
        taken = _images_of(names, f"{text}: no image among the {len(names):,} files that match", reading)
        return _rows(taken, lambda name: FileImage(os.path.join(base, name)))

    return Listing(Path(text), _COLUMNS, rows, base)


def packed(path: Path) -> Listing:
    """The images in a zip, which stays packed, in the order of their names."""

    def rows(reading: Reading) -> Iterator[Row | BadRow]:
        try:
            members = list_members(str(path))
        except (OSError, zipfile.BadZipFile) as error:
            raise InputError(f"{path}: cannot be read as a zip: {error}. Fetch it again") from error
        names = sorted({member.filename for member in members if not member.is_dir()})
        names = [name for name in names if not _is_hidden(name)]
        if not names:
            raise InputError(f"{path}: an empty zip")
        taken = _images_of(names, f"{path}: no image in it", reading)
        return _rows(taken, lambda name: ZipImage(str(path), name))

    return Listing(path, _COLUMNS, rows, path.parent)


def single(path: Path) -> Listing:
    """One image."""

    def rows(_: Reading) -> Iterator[Row | BadRow]:
        return _rows([path.name], lambda _name: FileImage(str(path)))

    return Listing(path, _COLUMNS, rows, path.parent)


def _walk(top: Path) -> Iterator[str]:
    """Paths below a folder, relative to it, with `/`."""

    def refuse(error: OSError) -> None:
        raise InputError(f"{error.filename}: cannot be listed: {error.strerror}") from error

    for parent, folders, names in os.walk(top, onerror=refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        below = Path(parent).relative_to(top).as_posix()
        prefix = "" if below == "." else f"{below}/"
        yield from (f"{prefix}{name}" for name in names if not name.startswith("."))


def _is_hidden(member: str) -> bool:
    """Whether a zip's member is a hidden file, or one that macOS adds."""
    return any(part.startswith(".") or part == "__MACOSX" for part in PurePosixPath(member).parts)


def _images_of(names: list[str], none: str, reading: Reading) -> list[str]:
    """Those that are images by their ending; says how many are not. Raises InputError, in words that begin with
    `none`, where there are none."""
    images = [name for name in names if is_image_name(name)]
    others = [name for name in names if not is_image_name(name)]
    if not images:
        tables = [name for name in others if PurePosixPath(name).suffix.lower() in READERS]
        hint = f". It has {tables[0]!r}: name that file itself, if it lists them" if tables else ""
        raise InputError(f"{none}: there are {_some(others)}, and images end in {', '.join(ENDINGS)}{hint}")
    if others:
        reading.note(f"{len(others):,} files are no images by their ending and were skipped: {_some(others)}")
    return images


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return ", ".join(name.encode("utf-8", "backslashreplace").decode() for name in names[:_NAMED]) + more


def _rows(names: Iterable[str], image: Callable[[str], ImageRef]) -> Iterator[Row | BadRow]:
    names = list(names)
    ids = [without_ending(name) for name in names]
    equal = Counter(ids)
    for id_, name in zip(ids, names, strict=True):
        ref = image(name)
        try:
            str(ref).encode()
        except UnicodeEncodeError:
            told = name.encode("utf-8", "backslashreplace").decode()
            yield BadRow(told, "its file name is not UTF-8; rename it")
            continue
        if isinstance(ref, FileImage) and image_ref(str(ref)) != ref:
            yield BadRow(name, f"its path {ref} reads as a member of a packed file; rename it")
            continue
        yield Row(name, {"id": id_ if equal[id_] == 1 else name, "image": ref})


def _fixed_part(text: str) -> Path:
    """The folder of a pattern above its first part with a wildcard, absolute."""
    fixed = []
    for part in Path(text).parts[:-1]:
        if glob.has_magic(part):
            break
        fixed.append(part)
    return Path(*fixed).absolute()
