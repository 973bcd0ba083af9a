"""What file names say of images. Whether a file is one, its bytes alone tell: see `imaging.decode`."""

from __future__ import annotations

ENDINGS = (
    ".png", ".jpg", ".jpeg", ".jfif", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".dcm", ".dicom", ".ima", ".nii",
    ".nii.gz",
)  # fmt: skip
"""Of files that are taken for images where none is named."""


def is_image_name(name: str) -> bool:
    """Whether a file's name, or a path, ends as an image's does."""
    return name.lower().endswith(ENDINGS)


def without_ending(name: str) -> str:
    """A name or path without the ending that makes it an image's."""
    found = [ending for ending in ENDINGS if name.lower().endswith(ending)]
    return name[: -len(max(found, key=len))] if found else name
