"""Images in the rows of Parquet files, read from any thread, a row group at a time.

A row group is the least that Parquet reads; the last two stay in memory, so that neighbouring rows cost one read.
The hub's files have 100 images in each.
"""

from __future__ import annotations

import bisect
import functools
import itertools
import threading
from collections import OrderedDict
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from imaging import ImageError
from indexer.images.cells import image_bytes

MAX_GROUP_BYTES = 2 << 30
"""Of the images of one row group, unpacked."""

_KEPT_GROUPS = 2

_Key = tuple[str, int, int, int, str]
_lock = threading.Lock()
_groups: OrderedDict[_Key, Future[Any]] = OrderedDict()


def read_image(path: str, row_group: int, offset: int, column: str, name: str) -> bytes:
    """The bytes of the image in row `offset` of a row group; `name` stands in errors.

    Raises ImageError where the file, the column or the row is not there, or its image is empty or over MAX_BYTES.
    """
    import pyarrow  # type: ignore[import-untyped]

    try:
        images = _group(path, row_group, column)
    except FileNotFoundError:
        raise ImageError(f"{name}: no such file") from None
    except (KeyError, IndexError):
        raise ImageError(f"{name}: the file has no such row, or no column {column!r}") from None
    except (OSError, pyarrow.ArrowException) as error:
        raise ImageError(f"{name}: cannot be read: {' '.join(str(error).split())}") from error
    return image_bytes(images, offset, column, name)


def row_place(path: str, row: int) -> tuple[int, int]:
    """The row group of a row of the file, and its offset there. Raises ImageError where there is no such row."""
    import pyarrow

    name = f"{path}!{row}"
    try:
        stat = Path(path).stat()
        ends = _group_ends(path, stat.st_mtime_ns, stat.st_size)
    except (OSError, pyarrow.ArrowException) as error:
        raise ImageError(f"{name}: cannot be read: {' '.join(str(error).split())}") from error
    group = bisect.bisect_right(ends, row)
    if group == len(ends):
        raise ImageError(f"{name}: the file has no such row")
    return group, row - (ends[group - 1] if group else 0)


@functools.lru_cache(maxsize=256)
def _group_ends(path: str, _mtime_ns: int, _size: int) -> tuple[int, ...]:
    """How many rows there are up to the end of each row group, of the file as it was then."""
    import pyarrow.parquet  # type: ignore[import-untyped]

    metadata = pyarrow.parquet.read_metadata(path)
    return tuple(itertools.accumulate(metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)))


def _group(path: str, row_group: int, column: str) -> Any:
    """The images of a row group as an Arrow column. Whoever asks first reads it, the others wait for that."""
    stat = Path(path).stat()
    key = (path, stat.st_mtime_ns, stat.st_size, row_group, column)
    with _lock:
        known = _groups.get(key)
        waiting: Future[Any] = known or Future()
        _groups[key] = waiting
        _groups.move_to_end(key)
        while len(_groups) > _KEPT_GROUPS:
            _groups.popitem(last=False)
    if known is None:
        try:
            waiting.set_result(_read_group(path, row_group, column))
        except BaseException as error:
            with _lock:
                _groups.pop(key, None)
            waiting.set_exception(error)
            raise
    return waiting.result()


def _read_group(path: str, row_group: int, column: str) -> Any:
    import pyarrow.parquet

    with pyarrow.parquet.ParquetFile(path) as file:
        if row_group >= file.metadata.num_row_groups:
            raise IndexError(row_group)
        group = file.metadata.row_group(row_group)
        chunks = [group.column(number) for number in range(group.num_columns)]
        size = sum(c.total_uncompressed_size for c in chunks if c.path_in_schema.split(".")[0] == column)
        if size > MAX_GROUP_BYTES:
            raise ImageError(
                f"{path}: the images of row group {row_group} take {size:,} bytes, over {MAX_GROUP_BYTES:,}"
            )
        return file.read_row_group(row_group, columns=[column], use_threads=False).column(column)
