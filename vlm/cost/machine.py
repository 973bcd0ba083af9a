"""What a measurement was made on and with. Knows nothing of what is measured."""

from __future__ import annotations

import ctypes
import os
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

_STATUS = Path("/proc/self/status")


def machine() -> dict[str, Any]:
    """Processor, cores this process may use, memory, system."""
    return {
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "system": f"{platform.system()} {platform.machine()}",
    }


def versions(packages: tuple[str, ...]) -> dict[str, str]:
    """The installed version of each package."""
    return {name: metadata.version(name) for name in packages}


def give_back_freed() -> None:
    """Gives the system what this process has freed, where its C library keeps that (glibc does)."""
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).malloc_trim(0)


def memory_mib() -> float:
    """MiB of memory this process has now, once what it freed is given back to the system."""
    give_back_freed()
    return _status_mib("VmRSS")


def mapped_mib() -> float:
    """MiB of what this process has that are pages of files, which the system takes back where it needs them."""
    return _status_mib("RssFile")


def peak_mib() -> float:
    """MiB of memory this process has had at most. `ru_maxrss` would begin with what its parent had."""
    return _status_mib("VmHWM")


def forget_peak() -> None:
    """Lets `peak_mib` begin anew with what the process has now."""
    Path("/proc/self/clear_refs").write_text("5")


def _status_mib(field: str) -> float:
    line = next(line for line in _STATUS.read_text().splitlines() if line.startswith(field))
    return int(line.split()[1]) / 1024


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()
