"""Where the images of a source lie: files, members of zips that stay packed, rows of Parquet files."""

from indexer.images.refs import FileImage, ImageRef, ParquetImage, ZipImage, image_ref

__all__ = ["FileImage", "ImageRef", "ParquetImage", "ZipImage", "image_ref"]
