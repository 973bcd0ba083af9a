"""What `finetune prepare` takes: time for all of `medpix`, and for the hashes of a set as large as ROCOv2.

    python benchmarks/finetune_prepare.py

`medpix` is prepared into a folder of its own: images read, hashed, stored and compared. The hashes searched are drawn,
as many as ROCOv2 has images; of drawn ones hardly any are near another, so hardly any pictures are compared.
"""

from __future__ import annotations

import random
import tempfile
import time
from pathlib import Path

from machine import peak_mib, save  # isort: skip - it puts the root on the path

from PIL import Image

import imaging
from finetune.prepare import Options, prepare
from finetune.prepare.copies import look_alikes
from finetune.prepare.report import Report

LARGE = 79_789
"""Images of ROCOv2."""


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        began, cpu_began = time.perf_counter(), time.process_time()
        report = prepare("medpix", Path(folder) / "medpix", Options(), lambda *_: None).report
        seconds, cpu_s = time.perf_counter() - began, time.process_time() - cpu_began
    counted = told(report)
    result = {
        "medpix": {
            **counted,
            "seconds": round(seconds, 1),
            "cpu_s": round(cpu_s, 1),
            "cpu_ms_an_image": round(1000 * cpu_s / counted["images_read"], 1),
            "peak_mib": round(peak_mib()),
        },
        "hashes": {"number": LARGE, "searched_s": round(searched(LARGE), 1)},
    }
    print(save("finetune_prepare", result))


def told(report: Report) -> dict[str, int]:
    """Counts alone: nothing of what the records say. Each record of the set has an image of its own."""
    kept = sum(split.records for split in report.splits.values())
    read = kept + sum(report.left_out.values())
    return {"images_read": read, "records": kept, "groups": report.groups, "copies": report.copies}


def searched(count: int) -> float:
    """Seconds to search so many hashes, each with all."""
    draw = random.Random(0)
    hashes = {f"{number:05}": f"{draw.getrandbits(64):016x}" for number in range(count)}
    jpeg = imaging.thumbnail(Image.new("RGB", (64, 64)))
    began = time.perf_counter()
    look_alikes(hashes, lambda _: jpeg, lambda _: None)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
