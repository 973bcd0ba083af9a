"""What an image is to the rest of the house."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]
"""uint8 RGB, `(height, width, 3)`, upright."""


@dataclass(frozen=True)
class Acquisition:
    """What the file says of how the image was made. Nothing here names a person."""

    modality: str | None = None
    view: str | None = None
    spacing_mm: tuple[float, float] | None = None
    stain: str | None = None
    channels: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Decoded:
    """What a reader of a format makes of a file: an upright RGB picture, how it was taken, what had to change."""

    picture: Image.Image
    acquisition: Acquisition = field(default_factory=Acquisition)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class LoadedImage:
    """A decoded image file; `picture` is upright RGB and is never changed.

    `sha256` is of the file's bytes (and of the frame's number, where one was named), `phash` a 64-bit perceptual hash
    of the pixels (both lower-case hex).
    `notes` says in words what decoding had to change ("16-bit values scaled to 8 bits").
    """

    name: str
    picture: Image.Image = field(repr=False)
    sha256: str
    phash: str
    acquisition: Acquisition = field(default_factory=Acquisition)
    notes: tuple[str, ...] = ()

    @cached_property
    def pixels_sha256(self) -> str:
        """SHA-256 of the size and the decoded pixels: another decoder may make other pixels of the same file."""
        size = f"{self.picture.width} {self.picture.height} {self.picture.mode} "
        return hashlib.sha256(size.encode() + self.picture.tobytes()).hexdigest()

    @property
    def pixels(self) -> Pixels:
        """A copy of the pixels, made at each use."""
        return np.array(self.picture)

    @property
    def height(self) -> int:
        return self.picture.height

    @property
    def width(self) -> int:
        return self.picture.width

    @property
    def nbytes(self) -> int:
        """Memory the picture takes: Pillow keeps four bytes a pixel."""
        return 4 * self.picture.width * self.picture.height
