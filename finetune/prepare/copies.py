"""Which pictures are copies of another, as the leak guard finds them: near by their perceptual hash, then compared.

Hashes of all pairs are compared by FAISS, exactly: 80,000 of them in seconds. Of each picture the nearest few that are
near enough are looked at closely (`imaging.likeness`), for most of those are other pictures of the same kind.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from PIL import Image

from imaging import COPY, Sought
from rag.guard import HASH_RADIUS

NEAREST = 8
"""So many of a picture's nearest are looked at: twice the guard's, which looks at the nearest vectors besides."""

_SEARCHED_AT_ONCE, _COMPARED_AT_ONCE = 1024, 64
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
    """For each hash the later ones within the radius, the nearest first, at most NEAREST; a pair is named once."""
    if len(phashes) < 2:
        return
    import faiss

    bits = np.frombuffer(bytes.fromhex("".join(phashes)), np.uint8).reshape(-1, 8)
    index: Any = faiss.IndexBinaryFlat(64)
    index.add(bits)
    named: set[tuple[int, int]] = set()
    for start in range(0, len(bits), _SEARCHED_AT_ONCE):
        limits, distances, found = index.range_search(bits[start : start + _SEARCHED_AT_ONCE], HASH_RADIUS + 1)
        for row in range(len(limits) - 1):
            own = start + row
            span = slice(int(limits[row]), int(limits[row + 1]))
            order = np.argsort(distances[span], kind="stable")
            nearest = [int(other) for other in found[span][order] if other != own][:NEAREST]
            fresh = [other for other in nearest if (min(own, other), max(own, other)) not in named]
            named.update((min(own, other), max(own, other)) for other in fresh)
            yield fresh
