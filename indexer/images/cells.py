"""An image in a cell of an Arrow column: the hub's form, a struct of `bytes` and `path`, or the bytes alone."""

from __future__ import annotations

from typing import Any

from imaging import ImageError
from imaging.limits import MAX_BYTES


def holds_images(kind: Any) -> bool:
    """Whether a column of this Arrow type can hold images."""
    import pyarrow  # type: ignore[import-untyped]

    of = pyarrow.types
    if of.is_struct(kind):
        return kind.get_field_index("bytes") >= 0 and holds_images(kind.field("bytes").type)
    return bool(of.is_binary(kind) or of.is_large_binary(kind))


def image_bytes(images: Any, place: int, column: str, name: str) -> bytes:
    """The bytes of the image in a cell of the column `images`; `name` stands in errors.

    Raises ImageError where the column has no such cell, or its image is empty or over MAX_BYTES.
    """
    import pyarrow

    try:
        value = images[place]
        if pyarrow.types.is_struct(images.type):
            value = value["bytes"] if value.is_valid else value
    except (KeyError, IndexError):
        raise ImageError(f"{name}: the file has no such row, or no column {column!r}") from None
    if not value.is_valid:
        raise ImageError(f"{name}: the row holds no image bytes in {column!r}")
    data = value.as_buffer()
    if data.size > MAX_BYTES:
        raise ImageError(f"{name}: {data.size:,} bytes, over the limit of {MAX_BYTES:,}")
    return bytes(data)
