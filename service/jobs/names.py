"""Names that clients give, kept as data: cleaned for people's eyes, and ids made of them. No file is ever called so."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import PurePosixPath

from imaging.names import ENDINGS, without_ending

_MOST_CHARS = 300


def shown(name: str, *, whole: bool = False) -> str:
    """A name without what no file of results can hold or would steer a terminal; of a path the last part alone, unless
    it is asked for `whole`."""
    path = name.replace("\\", "/")
    last = path if whole else PurePosixPath(path).name
    kept = "".join(char if char.isprintable() and not "\ud800" <= char <= "\udfff" else "_" for char in last)
    return kept[-_MOST_CHARS:].strip() or "image"


def ending(name: str) -> str:
    """The ending by which a name says that it is an image's, one of those known; else nothing.

    It is all of a given name that a stored file has: by it DICOM files are known that have no mark.
    """
    return max((known for known in ENDINGS if name.lower().endswith(known)), key=len, default="")


def ids_of(names: Sequence[str]) -> list[str]:
    """An id a name, each once: the name without its ending as in a batch over a folder, the name where those are equal,
    and numbered where names are."""
    stems = Counter(map(without_ending, names))
    wanted = [without_ending(name) if stems[without_ending(name)] == 1 else name for name in names]
    taken: set[str] = set()
    ids = []
    for want in wanted:
        id_, number = want, 1
        while id_ in taken:
            number += 1
            id_ = f"{want} ({number})"
        taken.add(id_)
        ids.append(id_)
    return ids
