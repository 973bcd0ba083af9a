"""Any image file -> pixels, hashes, acquisition facts; safe against bad files."""

from imaging.decode import decode, load, thumbnail
from imaging.errors import ImageError
from imaging.likeness import COPY, Sought
from imaging.types import Acquisition, LoadedImage, Pixels

__all__ = ["COPY", "Acquisition", "ImageError", "LoadedImage", "Pixels", "Sought", "decode", "load", "thumbnail"]
