"""Files that people drop on the page: under random names, and only for as long as they are looked at.

Images are held in memory. Files for a batch are spooled into files that have no name at all, so that they are gone
when they are closed, however the service ends. Gradio's own uploads, which are written under the names they came with,
are shut off (`shield`).
"""

from __future__ import annotations

import base64
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO, Generic, Protocol, TypeVar

from imaging import LoadedImage, thumbnail
from service.asked import Upload
from service.errors import NotThere

KEEP_S = 30 * 60.0
"""Seconds that a file is held after it was last used."""
PREVIEW_SIDE = 640


class File(Protocol):
    """What is held: how large it is, and how it is let go of."""

    @property
    def nbytes(self) -> int: ...

    def close(self) -> None: ...


@dataclass(frozen=True)
class Image:
    """An image file, and what the page shows of it: a small JPEG, its size, what decoding had to change."""

    upload: Upload
    preview: bytes
    about: str

    @classmethod
    def of(cls, upload: Upload, image: LoadedImage) -> Image:
        """The file with a preview of its picture."""
        about = "; ".join([f"{image.width} x {image.height}", *image.notes])
        return cls(upload, thumbnail(image.picture, PREVIEW_SIDE), about)

    @property
    def nbytes(self) -> int:
        return len(self.upload.data) + len(self.preview)

    def close(self) -> None:
        """Memory is freed by itself."""

    def shown(self) -> dict[str, str]:
        """As the page's script takes it."""
        picture = base64.b64encode(self.preview).decode()
        return {
            "name": self.upload.name,
            "preview": f"data:image/jpeg;base64,{picture}",
            "about": self.about,
        }


@dataclass(frozen=True)
class Spooled:
    """A file for a batch, as it was sent; `file` has no name on the disk."""

    name: str
    file: BinaryIO
    nbytes: int

    def close(self) -> None:
        self.file.close()


F = TypeVar("F", bound=File)


class Uploads(Generic[F]):
    """Files by random token, `most_bytes` and `most_files` of them together at most: beyond that the one not used for
    longest leaves first."""

    def __init__(
        self, most_bytes: int, most_files: int, keep_s: float = KEEP_S, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._most_bytes, self._most_files = most_bytes, most_files
        self._keep_s = keep_s
        self._clock = clock
        self._files: OrderedDict[str, tuple[F, float]] = OrderedDict()
        self._nbytes = 0
        self._lock = threading.Lock()

    def add(self, file: F) -> str:
        """Its token, which nobody can guess."""
        token = secrets.token_urlsafe(24)
        with self._lock:
            self._files[token] = (file, self._clock())
            self._nbytes += file.nbytes
            self._forget()
        return token

    def get(self, token: str) -> F:
        """The file of a token. Raises NotThere once it has been let go of."""
        with self._lock:
            self._forget()
            if token not in self._files:
                raise NotThere("the file is no longer held: drop it again")
            file, _ = self._files[token]
            self._files[token] = (file, self._clock())
            self._files.move_to_end(token)
        return file

    def drop(self, token: str) -> None:
        """Lets go of a file, if it is there."""
        with self._lock:
            if token in self._files:
                self._let_go(token)

    @property
    def nbytes(self) -> int:
        """Bytes of all files."""
        return self._nbytes

    def _forget(self) -> None:
        oldest = self._clock() - self._keep_s
        while self._files:
            token, (_, used) = next(iter(self._files.items()))
            fits = self._nbytes <= self._most_bytes and len(self._files) <= self._most_files
            if used >= oldest and (fits or len(self._files) == 1):
                return
            self._let_go(token)

    def _let_go(self, token: str) -> None:
        file, _ = self._files.pop(token)
        self._nbytes -= file.nbytes
        file.close()
