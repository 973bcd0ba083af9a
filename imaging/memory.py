"""How the process keeps its memory: pixels and activations come and go by tens of MiB."""

from __future__ import annotations

import ctypes
import platform

_MMAP_THRESHOLD, _TRIM_THRESHOLD, _TOP_PAD = -3, -1, -2
"""Numbers of mallopt's parameters, as glibc's malloc.h has them."""


def keep_freed_memory() -> None:
    """Tells glibc to keep what is freed for the next use. Does nothing where the C library is another one.

    It else gives every large buffer back to the system, which gives the next one page by page, each cleared:
    on a CPU that is a third to a half of the time a convolutional tower takes. The process holds on to its peak.
    """
    if platform.libc_ver()[0] != "glibc":
        return
    libc = ctypes.CDLL(None)
    for option, size in ((_MMAP_THRESHOLD, 2**30), (_TRIM_THRESHOLD, 2**31 - 1), (_TOP_PAD, 2**26)):
        libc.mallopt(option, size)
