"""Bytes that are packed: how far they would unfold, told before a library unfolds them whole."""

from __future__ import annotations

import lzma
import zlib
from typing import TypeAlias

from imaging.errors import ImageError

Unpacker: TypeAlias = "zlib._Decompress | lzma.LZMADecompressor"
_CHUNK = 1 << 20


def check_unfolds(name: str, packed: bytes, unpacker: Unpacker, most: int) -> None:
    """Raises ImageError where bytes would unfold to more than `most`. Damaged ones are left to their reader."""
    size = 0
    try:
        unfolded = unpacker.decompress(packed, _CHUNK)
        while unfolded:
            size += len(unfolded)
            if size > most:
                raise ImageError(f"{name}: unfolds to more than {most:,} bytes, the limit of its kind")
            if unpacker.eof:
                return
            rest = b"" if isinstance(unpacker, lzma.LZMADecompressor) else unpacker.unconsumed_tail
            unfolded = unpacker.decompress(rest, _CHUNK)
    except (zlib.error, lzma.LZMAError):
        return
