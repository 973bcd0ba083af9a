"""Images of a source -> files of the prepared folder: their own bytes, each once, named by their hash.

Threads read and decode; a picture that cannot be decoded is never written. A file is linked where the disk can, else
copied; what is packed is written out; one frame of several becomes a PNG.
"""

from __future__ import annotations

import io
import os
import shutil
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path, PurePosixPath

import imaging
from batch.inputs.stamps import Stamps
from finetune.prepare.journal import Journal, Stored
from finetune.prepare.pages import PageImage
from finetune.records import IMAGES
from imaging.dicom import is_dicom
from imaging.names import ENDINGS
from imaging.nifti import is_nifti
from indexer.images import FileImage, ImageRef, ZipImage

NAME_DIGITS = 24
"""Hex digits of an image's SHA-256 in its name: 96 bits."""

_MAX_THREADS, _AHEAD, _AT_ONCE = 8, 64, 128
_FORMATS = {"JPEG": ".jpg", "PNG": ".png", "TIFF": ".tif", "GIF": ".gif", "BMP": ".bmp", "WEBP": ".webp"}


def stamps_of(refs: Iterable[ImageRef]) -> dict[str, str]:
    """By reference, what tells that an image has changed in its source. Reads no image."""
    stamps = Stamps()
    return {str(ref): ref.stamp if isinstance(ref, PageImage) else stamps.of(ref) for ref in refs}


def store_images(
    refs: Mapping[str, ImageRef],
    stamps: Mapping[str, str],
    folder: Path,
    journal: Journal,
    tell: Callable[[int], None],
) -> dict[str, Stored]:
    """Each image of `refs` (by its text) as it is stored in `folder`; those that the journal knows are as they are.

    `tell` is called with how many are done. Raises OSError where the folder cannot be written to.
    """
    (folder / IMAGES).mkdir(exist_ok=True)
    known = {
        text: stored
        for text, stored in journal.known().items()
        if stored.stamp == stamps.get(text) and stored.file and (folder / stored.file).is_file()
    }
    todo = [ref for text, ref in refs.items() if text not in known]
    found = {text: known[text] for text in refs if text in known}
    waiting: list[tuple[Stored, bytes]] = []
    for stored, jpeg in _each(todo, lambda ref: _store(ref, stamps[str(ref)], folder)):
        found[stored.ref] = stored
        waiting.append((stored, jpeg))
        if len(waiting) >= _AT_ONCE:
            journal.add(waiting)
            waiting = []
        tell(len(found))
    journal.add(waiting)
    return found


def _each(todo: Iterable[ImageRef], do: Callable[[ImageRef], tuple[Stored, bytes]]) -> Iterator[tuple[Stored, bytes]]:
    """What `do` makes of each, in order, with so many begun at once as there are threads for."""
    threads = min(_MAX_THREADS, os.cpu_count() or 1)
    with ThreadPoolExecutor(threads, thread_name_prefix="prepare") as pool:
        begun: deque[Future[tuple[Stored, bytes]]] = deque()
        try:
            for ref in todo:
                begun.append(pool.submit(do, ref))
                if len(begun) >= _AHEAD:
                    yield begun.popleft().result()
            while begun:
                yield begun.popleft().result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _store(ref: ImageRef, stamp: str, folder: Path) -> tuple[Stored, bytes]:
    """The image as it is stored, and its thumbnail. A page is not compared with others: its words are."""
    try:
        frame = isinstance(ref, FileImage) and ref.file != ref.path
        data = b"" if isinstance(ref, FileImage) else ref.read()
        image = imaging.decode(data, str(ref)) if data else ref.load()
        ending = ".png" if frame else _ending(ref, data)
        data = _png(image) if frame else data
    except imaging.ImageError as error:
        return Stored(str(ref), stamp, failed=str(error)), b""
    except OSError as error:
        return Stored(str(ref), stamp, failed=f"{ref}: cannot be read: {error.strerror or error}"), b""
    name = f"{IMAGES}/{image.sha256[:NAME_DIGITS]}{ending}"
    if data:
        _write(folder / name, data)
    else:
        _link(Path(str(ref)), folder / name)
    compared = not isinstance(ref, PageImage)
    stored = Stored(str(ref), stamp, name, image.pixels_sha256, image.phash if compared else "")
    return stored, imaging.thumbnail(image.picture) if compared else b""


def _write(path: Path, data: bytes) -> None:
    if not path.is_file():
        part = _part(path)
        part.write_bytes(data)
        part.replace(path)


def _link(source: Path, path: Path) -> None:
    if path.is_file():
        return
    part = _part(path)
    part.unlink(missing_ok=True)
    try:
        os.link(source.resolve(), part)
    except OSError:  # another disk, or one that knows no links
        shutil.copyfile(source, part)
    part.replace(path)


def _part(path: Path) -> Path:
    """A name that no other thread writes to."""
    return path.with_name(f"{path.name}.{threading.get_ident()}.part")


def _png(image: imaging.LoadedImage) -> bytes:
    buffer = io.BytesIO()
    image.picture.save(buffer, "PNG")
    return buffer.getvalue()


def _ending(ref: ImageRef, data: bytes) -> str:
    """What the file's name is to end in: as the source's does, else as its bytes say."""
    given = ref.path if isinstance(ref, FileImage) else ref.member if isinstance(ref, ZipImage) else ""
    name = PurePosixPath(given).name.lower()
    fits = [ending for ending in ENDINGS if name.endswith(ending)]
    if fits:
        return max(fits, key=len)
    data = data or ref.read()
    if is_nifti(data):
        return ".nii.gz" if data[:2] == b"\x1f\x8b" else ".nii"
    return ".dcm" if is_dicom(data, name) else _raster_ending(data)


def _raster_ending(data: bytes) -> str:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(data)) as opened:
            return _FORMATS.get(opened.format or "", ".img")
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError):  # read by tifffile, or large: both are fine
        return ".tif" if data[:2] in (b"II", b"MM") else ".img"
