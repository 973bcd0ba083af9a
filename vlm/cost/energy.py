"""How much energy processor and GPUs have used, where their drivers tell. Counters only grow: take differences."""

from __future__ import annotations

import ctypes
from pathlib import Path

_RAPL = Path("/sys/class/powercap")
_NVML = "libnvidia-ml.so.1"


def joules() -> dict[str, float]:
    """Joules by what used them, `cpu` and `gpu`; without those whose driver says nothing, or not to this user.

    `cpu` is what RAPL counts of all processor packages, `gpu` what NVML counts of all GPUs; both of the whole machine,
    not of this process alone.
    """
    found = {"cpu": _rapl_joules(), "gpu": _nvml_joules()}
    return {name: value for name, value in found.items() if value is not None}


def _rapl_joules() -> float | None:
    """Of all packages, since their counters began; None where there are none, or only root may read them."""
    counters = sorted(_RAPL.glob("intel-rapl:[0-9]*/energy_uj"))
    packages = [path for path in counters if path.parent.name.count(":") == 1]
    try:
        return sum(int(path.read_text()) for path in packages) / 1e6 if packages else None
    except OSError:
        return None


def _nvml_joules() -> float | None:
    """Of all GPUs since the driver was loaded; None without the driver, or where a GPU does not count."""
    try:
        nvml = ctypes.CDLL(_NVML)
    except OSError:
        return None
    if nvml.nvmlInit_v2() != 0:
        return None
    try:
        count = ctypes.c_uint()
        if nvml.nvmlDeviceGetCount_v2(ctypes.byref(count)) != 0 or not count.value:
            return None
        total = 0
        for place in range(count.value):
            device, millijoules = ctypes.c_void_p(), ctypes.c_ulonglong()
            if nvml.nvmlDeviceGetHandleByIndex_v2(place, ctypes.byref(device)) != 0:
                return None
            if nvml.nvmlDeviceGetTotalEnergyConsumption(device, ctypes.byref(millijoules)) != 0:
                return None
            total += millijoules.value
        return total / 1000
    finally:
        nvml.nvmlShutdown()
