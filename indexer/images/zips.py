"""Members of zips that stay packed, read from any thread. Nothing is written to disk.

One handle a zip serves all threads: the list of members of a large one takes tens of megabytes.
"""

from __future__ import annotations

import os
import struct
import threading
import zipfile
import zlib
from collections import OrderedDict
from pathlib import Path

from imaging import ImageError
from imaging.limits import MAX_BYTES

_OPEN_AT_ONCE = 4

_Key = tuple[str, int, int, int]
_lock = threading.Lock()
_handles: OrderedDict[_Key, zipfile.ZipFile] = OrderedDict()


def read_member(path: str, member: str) -> bytes:
    """The bytes of a member. Raises ImageError where it or the zip cannot be read, is damaged, encrypted or over
    MAX_BYTES.

    The size is that of the zip's list of members, looked at before anything is unpacked; no more is ever unpacked.
    """
    name = f"{path}!{member}"
    try:
        with _lock:  # opening and closing a member counts the handle's users; reading is safe in several threads
            handle = _handle(path)
            size = handle.getinfo(member).file_size
            if size > MAX_BYTES:
                raise ImageError(f"{name}: {size:,} bytes, over the limit of {MAX_BYTES:,}")
            opened = handle.open(member)
        try:
            return opened.read(size)  # without a size it unpacks all that is there, then cuts that off
        finally:
            with _lock:
                opened.close()
    except KeyError:
        raise ImageError(f"{name}: the zip has no such member") from None
    except FileNotFoundError:
        raise ImageError(f"{name}: no such file") from None
    except OSError as error:
        raise ImageError(f"{name}: cannot be read: {error.strerror or error}") from error
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, struct.error) as error:
        raise ImageError(f"{name}: the zip is damaged: {error or type(error).__name__}") from error
    except (RuntimeError, NotImplementedError) as error:  # a password, a compression this Python does not have
        raise ImageError(f"{name}: cannot be unpacked: {error}") from error


def list_members(path: str) -> list[zipfile.ZipInfo]:
    """What the zip's list of members says of each, in its order. The list is read once for this and `read_member`.

    Raises OSError and zipfile.BadZipFile.
    """
    with _lock:
        return _handle(path).infolist()


def _handle(path: str) -> zipfile.ZipFile:
    """The open zip; another process or a changed file, another handle."""
    stat = Path(path).stat()
    key = (path, os.getpid(), stat.st_mtime_ns, stat.st_size)
    if key in _handles:
        _handles.move_to_end(key)
        return _handles[key]
    handle = zipfile.ZipFile(path)
    _handles[key] = handle
    while len(_handles) > _OPEN_AT_ONCE:
        _, oldest = _handles.popitem(last=False)
        oldest.close()  # a member that is still being read keeps the file open until it is closed
    return handle
