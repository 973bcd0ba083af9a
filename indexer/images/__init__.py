"""Where the images of a source lie: files, members of zips that stay packed, rows of Parquet and Arrow files."""

from indexer.images.refs import ArrowImage, FileImage, ImageRef, ParquetImage, ZipImage, image_ref

__all__ = ["ArrowImage", "FileImage", "ImageRef", "ParquetImage", "ZipImage", "image_ref"]
