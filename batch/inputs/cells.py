"""The images that a record names, and whether its texts are texts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from imaging import ImageError
from indexer.images import FileImage, ImageRef, image_ref
from rag.secrets import without_secrets

_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)


def cells(values: Mapping[str, Any], name: str) -> list[ImageRef | str]:
    """The images of a record: references, or paths as they are written. Raises ValueError where it has none."""
    value = values.get(name)
    several = value if isinstance(value, list | tuple) else [value]
    found = [cell.strip() if isinstance(cell, str) else cell for cell in several if cell is not None and cell != ""]
    if not found or "" in found:
        raise ValueError(f"{name} is missing")
    for cell in found:
        if not isinstance(cell, str) and not hasattr(cell, "load"):
            raise ValueError(f"{name} is {type(cell).__name__} where a path should be")
    return found


def image_refs(values: Mapping[str, Any], name: str, root: Path) -> list[ImageRef]:
    """The images of a record, relative paths from `root` on. Raises ValueError where it names none."""
    return [_ref(cell, root) for cell in cells(values, name)]


def is_text(text: str) -> bool:
    """Whether it can be written: half a character (a lone surrogate) cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _ref(cell: ImageRef | str, root: Path) -> ImageRef:
    if not isinstance(cell, str):
        return cell
    if _ADDRESS.match(cell):
        raise ValueError(f"{without_secrets(cell)} is an address; fetch the image and name the file")
    if "\0" in cell:
        raise ValueError(f"{cell!r} is no path")
    text = str(root / cell)
    try:
        return image_ref(text)
    except ImageError:
        return FileImage(text)
