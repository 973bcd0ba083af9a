"""Whole or not at all: what is exported gets its name once it is finished."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from batch.errors import ExportError


@contextmanager
def placed_file(path: Path) -> Iterator[Path]:
    """A file to write to, which takes the place of `path` at the end; where something fails it is taken away.

    Raises ExportError where it cannot be written: a full disk, a folder that is read-only.
    """
    if path.is_dir():
        raise ExportError(f"{path} is a folder: name a file with --out")
    part = _part(path)
    with _told(path):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            yield part
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)


@contextmanager
def placed_folder(path: Path) -> Iterator[Path]:
    """A folder to write to, which becomes `path` at the end; where something fails it is taken away.

    Raises ExportError where it cannot be written, or `path` holds something already.
    """
    if path.exists() and not (path.is_dir() and not any(path.iterdir())):
        raise ExportError(f"{path} is there already: give another folder with --out, or remove it first")
    part = _part(path)
    with _told(path):
        try:
            part.mkdir(parents=True)
            yield part
            part.replace(path)
        finally:
            shutil.rmtree(part, ignore_errors=True)


def _part(path: Path) -> Path:
    """Beside `path`, so that it can be moved there in one step; another process has another."""
    return path.absolute().with_name(f".{path.absolute().name}.{os.getpid()}.part")


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Turns what the system says about a file into one line."""
    try:
        yield
    except OSError as error:
        # By its number: Arrow puts words of its own around what the system says.
        said = os.strerror(error.errno) if error.errno else " ".join(str(error).split())
        raise ExportError(
            f"{path} cannot be written: {said}. Nothing was left there; export where there is room and leave to write"
        ) from error
