"""What an image is to the rest of the house."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]
"""uint8 RGB, `(height, width, 3)`, upright."""


@dataclass(frozen=True)
class Acquisition:
    """What the file says of how the image was made; None and empty where it says nothing. Nothing here names a person.

    Words are of closed lists (`imaging/dicom_facts.py`, `imaging/ome.py`), never what somebody typed. Spacings are
    between the centres of rows and of columns: in the patient or specimen, or where a radiograph says no more, at the
    detector. Of `channels`, `channel` is the one that is shown.
    """

    modality: str | None = None
    body_part: str | None = None
    laterality: str | None = None
    view: str | None = None
    plane: str | None = None
    contrast_agent: bool | None = None
    sequence: str | None = None
    weighting: str | None = None
    spacing_mm: tuple[float, float] | None = None
    detector_spacing_mm: tuple[float, float] | None = None
    slice_thickness_mm: float | None = None
    objective: float | None = None
    """Nominal magnification."""
    stains: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    channel: str | None = None

    def said(self) -> dict[str, Any]:
        """The facts that there are, by name, as plain JSON values."""
        held = {name: value for name, value in asdict(self).items() if value is not None and value != ()}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in held.items()}


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
    `notes` says in words what decoding had to change ("16-bit values scaled to 8 bits"). `features` is what models have
    read of the picture, by the digest of the trunk that read it (`imaging.trunk`): of this object alone, no copy of it.
    """

    name: str
    picture: Image.Image = field(repr=False)
    sha256: str
    phash: str
    acquisition: Acquisition = field(default_factory=Acquisition)
    notes: tuple[str, ...] = ()
    features: dict[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __getstate__(self) -> dict[str, Any]:
        """What a copy is made of, and what another process is sent."""
        return {**vars(self), "features": {}}

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
