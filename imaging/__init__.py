"""Any image file -> pixels, hashes, acquisition facts; safe against bad files."""

from imaging.decode import decode, load, thumbnail
from imaging.errors import ImageError
from imaging.types import Acquisition, LoadedImage, Pixels

__all__ = ["Acquisition", "ImageError", "LoadedImage", "Pixels", "decode", "load", "thumbnail"]
