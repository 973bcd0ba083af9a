"""Which pictures are copies of another, as the leak guard finds them: near by their perceptual hash, then compared.

Each hash is compared with all. Of each picture the nearest few that are near enough are looked at closely
(`imaging.likeness`), for most of those are other pictures of the same kind.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from PIL import Image

from imaging import COPY, Sought
from indexer.hashes import Hashes
from rag.guard import HASH_RADIUS

NEAREST = 8
"""So many of a picture's nearest are looked at: twice the guard's, which looks at the nearest vectors besides."""

_COMPARED_AT_ONCE = 64
_MAX_THREADS = 8


def look_alikes(
    phashes: Mapping[str, str], thumbnail: Callable[[str], bytes], tell: Callable[[int], None]
) -> list[tuple[str, str]]:
    """The pairs of pictures of which one is a copy of the other, by their names in `phashes` (16 hex digits each).

    `thumbnail` gives a picture's JPEG bytes; it is called from this thread only. `tell` is called with how many
    pictures have been looked at.
    """
    names = sorted(phashes)
    near = _near([phashes[name] for name in names])
    asked = [(names[i], [names[j] for j in others]) for i, others in enumerate(near) if others]
    done = len(names) - len(asked)
    pairs: list[tuple[str, str]] = []
    with ThreadPoolExecutor(min(_MAX_THREADS, os.cpu_count() or 1), thread_name_prefix="compare") as pool:
        for start in range(0, len(asked), _COMPARED_AT_ONCE):
            block = asked[start : start + _COMPARED_AT_ONCE]
            jobs = [(thumbnail(name), [thumbnail(other) for other in others]) for name, others in block]
            for (name, others), likeness in zip(block, pool.map(_likeness, jobs), strict=True):
                pairs += [(name, other) for other, like in zip(others, likeness, strict=True) if like >= COPY]
                done += 1
            tell(done)
    return pairs


def _likeness(job: tuple[bytes, Sequence[bytes]]) -> list[float]:
    own, others = job
    with Image.open(io.BytesIO(own)) as picture:
        return Sought(picture.convert("RGB")).likeness(others)


def _near(phashes: Sequence[str]) -> Iterator[list[int]]:
    """For each hash those within the radius, the nearest first, at most NEAREST; a pair is named once."""
    hashes = Hashes(range(len(phashes)), phashes)
    named: set[tuple[int, int]] = set()
    for own, phash in enumerate(phashes):
        nearest = [other for other in hashes.near(phash, HASH_RADIUS, NEAREST + 1) if other != own][:NEAREST]
        fresh = {other: (min(own, other), max(own, other)) for other in nearest}
        yield [other for other, pair in fresh.items() if pair not in named]
        named.update(fresh.values())
