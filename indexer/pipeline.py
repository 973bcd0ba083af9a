"""Decoding ahead of embedding: threads read and decode images while the model is busy with earlier ones."""

from __future__ import annotations

import dataclasses
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import imaging
from indexer.database import content_hash
from indexer.entries import Known, Staged
from indexer.types import Kind, Passage, SourceFailure, SourceImage

THUMBNAIL_SIDE_PX = 224
MAX_HELD_BYTES = 512 << 20
"""Decoded pixels in memory beyond which a batch is embedded early and no further image is begun."""

_MAX_THREADS = 8


@dataclass(frozen=True, eq=False)
class Ready:
    """A record that is new or changed, with the image to embed where it has one."""

    staged: Staged
    image: imaging.LoadedImage | None


@dataclass(frozen=True)
class Unchanged:
    """A record that is there already, as it is."""

    row: int


Prepared = Ready | Unchanged | SourceFailure
Lookup = Callable[[Kind, str], Known | None]


def prepare(items: Iterable[SourceImage | Passage | SourceFailure], lookup: Lookup, ahead: int) -> Iterator[Prepared]:
    """Each item as what is to be done with it, in the same order; at most `ahead` are in memory, large ones fewer.

    `lookup` is called from the caller's thread only. An image that cannot be read becomes a SourceFailure.
    """
    threads = min(_MAX_THREADS, os.cpu_count() or 1)
    held = _Held()
    with ThreadPoolExecutor(threads, thread_name_prefix="decode") as pool:
        waiting: deque[Future[Prepared]] = deque()
        try:
            for item in items:
                waiting.append(_start(pool, item, lookup, held))
                while len(waiting) >= ahead or (waiting and held.bytes > MAX_HELD_BYTES):
                    yield held.release(waiting.popleft().result())
            while waiting:
                yield held.release(waiting.popleft().result())
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


class _Held:
    """How many bytes of pixels are decoded and waiting; counted from several threads."""

    def __init__(self) -> None:
        self.bytes = 0
        self._lock = threading.Lock()

    def add(self, image: imaging.LoadedImage) -> None:
        """An image is decoded."""
        with self._lock:
            self.bytes += image.nbytes

    def release(self, prepared: Prepared) -> Prepared:
        """What is prepared, its pixels no longer counted."""
        if isinstance(prepared, Ready) and prepared.image is not None:
            with self._lock:
                self.bytes -= prepared.image.nbytes
        return prepared


def _start(
    pool: ThreadPoolExecutor, item: SourceImage | Passage | SourceFailure, lookup: Lookup, held: _Held
) -> Future[Prepared]:
    match item:
        case SourceImage():
            return pool.submit(_prepare_image, item, lookup("example", item.example.id), held)
        case Passage():
            return _done(_prepare_passage(item, lookup("passage", item.id)))
        case SourceFailure():
            return _done(item)


def _done(result: Prepared) -> Future[Prepared]:
    future: Future[Prepared] = Future()
    future.set_result(result)
    return future


def _prepare_passage(passage: Passage, known: Known | None) -> Ready | Unchanged:
    said = content_hash(passage)
    if known is not None and known.content_hash == said:
        return Unchanged(known.row)
    return Ready(Staged(passage, "", said), None)


def _prepare_image(item: SourceImage, known: Known | None, held: _Held) -> Prepared:
    example = item.example
    try:
        if known is not None and known.content_hash == content_hash(_with_bytes(item, item.image.sha256()).example):
            return Unchanged(known.row)
        image = item.image.load()
        thumbnail = imaging.thumbnail(image.picture, THUMBNAIL_SIDE_PX)
    except imaging.ImageError as error:
        return SourceFailure(example.source, example.id, str(error))
    except OSError as error:
        return SourceFailure(example.source, example.id, f"{item.image}: cannot be read: {error.strerror or error}")
    said = content_hash(_with_bytes(item, image.sha256).example)
    complete = dataclasses.replace(
        example,
        modality=example.modality or image.acquisition.modality,
        image_sha256=image.sha256,
        phash=image.phash,
        thumbnail=thumbnail,
    )
    held.add(image)
    return Ready(Staged(complete, str(item.image), said), image)


def _with_bytes(item: SourceImage, sha256: str) -> SourceImage:
    return dataclasses.replace(item, example=dataclasses.replace(item.example, image_sha256=sha256))
