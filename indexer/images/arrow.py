"""Images in the rows of Arrow files, as `datasets` keeps them on disk, read from any thread.

The files are mapped into memory: opening one reads its batches' headers, and no image before it is asked for.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

from imaging import ImageError
from indexer.images.cells import image_bytes

_OPEN_AT_ONCE = 16
_FILE_MAGIC = b"ARROW1"
"""What a file begins with that has a table of its batches at the end; the others are streams of batches.

https://arrow.apache.org/docs/format/Columnar.html#ipc-file-format
"""


def open_table(path: str) -> Any:
    """The file as a pyarrow.Table that is mapped into memory. Raises OSError and pyarrow.ArrowException."""
    stat = Path(path).stat()
    return _open(path, stat.st_mtime_ns, stat.st_size)


def read_image(path: str, row: int, column: str, name: str) -> bytes:
    """The bytes of the image in row `row`, counted from 0; `name` stands in errors.

    Raises ImageError where the file, the column or the row is not there, or its image is empty or over MAX_BYTES.
    """
    import pyarrow  # type: ignore[import-untyped]

    try:
        images = open_table(path).column(column)
    except FileNotFoundError:
        raise ImageError(f"{name}: no such file") from None
    except KeyError:
        raise ImageError(f"{name}: the file has no column {column!r}") from None
    except (OSError, pyarrow.ArrowException) as error:
        raise ImageError(f"{name}: cannot be read: {' '.join(str(error).split())}") from error
    return image_bytes(images, row, column, name)


@functools.lru_cache(maxsize=_OPEN_AT_ONCE)
def _open(path: str, _mtime_ns: int, _size: int) -> Any:
    """The table of the file as it was then."""
    import pyarrow.ipc  # type: ignore[import-untyped]

    mapped = pyarrow.memory_map(path)
    is_file = mapped.read(len(_FILE_MAGIC)) == _FILE_MAGIC
    mapped.seek(0)
    opened = pyarrow.ipc.open_file(mapped) if is_file else pyarrow.ipc.open_stream(mapped)
    return opened.read_all()
