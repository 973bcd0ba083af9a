"""Any image file -> pixels, hashes, acquisition facts; safe against bad files."""

from imaging.types import Acquisition, LoadedImage, Pixels

__all__ = ["Acquisition", "LoadedImage", "Pixels"]
