"""All of ROCOv2 in number and layout, of drawn images: how fast an index of them is built, and in how much memory.

    python benchmarks/scale_images.py --work .scratch/scale --images 79789

The images are the project's own drawings (`pocket/render.py`), each cropped, turned, lit and sized many ways, as JPEG
files in the archive's zips with its CSVs beside them; they are made once. The build runs in a process of its own by the
embedded encoder. Another process times the encoder alone, on images decoded before: ahead of the build, after it, and
every few minutes of it, the build being stopped meanwhile and those seconds not counted. The ratio of the two is what
decoding, hashing, thumbnails and the database cost.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import random
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import machine
from PIL import Image

from indexer import IndexConfig, build_index, load_embedder
from indexer.manifest import DATABASE
from indexer.sources import open_source
from indexer.types import SourceImage
from pocket.render import RenderKind, render

SPLITS = {"train": 59_958, "valid": 9_904, "test": 9_927}
KINDS: tuple[RenderKind, ...] = ("radiograph", "slice", "smear", "fluorescence", "closeup")
DRAWINGS = 1_000
LONGEST_SIDE_PX = (350, 750)
ALONE = 512
"""How many images the encoder is timed on by itself, each time."""
STOPPED_EVERY_S = 240
SETTLED = 10_000
"""From which image on memory should be flat."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--images", type=int, default=sum(SPLITS.values()))
    parser.add_argument("--draw-only", action="store_true", help="make the images and stop")
    parser.add_argument("--step", choices=("alone", "build"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    folder = args.work / f"rocov2-{args.images}"
    if args.step:
        config = _config(folder, args.work / f"images-{args.images}")
        if args.step == "alone":
            alone(config)
        else:
            print(json.dumps(built(config)))
        return
    draw(folder, args.work / "drawings", args.images)
    if not args.draw_only:
        print(json.dumps(measured(args.work, args.images), indent=1))


def measured(work: Path, images: int) -> dict[str, Any]:
    """Draws the images where they are not there yet and builds the index anew, the encoder timed in between."""
    draw(work / f"rocov2-{images}", work / "drawings", images)
    timer = _step("alone", work, images)
    rates = [_rate(timer)]
    build, stopped = _step("build", work, images), 0.0
    while True:
        with suppress(subprocess.TimeoutExpired):
            build.wait(STOPPED_EVERY_S)
            break
        build.send_signal(signal.SIGSTOP)
        since = time.perf_counter()
        rates.append(_rate(timer))
        build.send_signal(signal.SIGCONT)
        stopped += time.perf_counter() - since
    rates.append(_rate(timer))
    timer.communicate("")
    if build.returncode:
        raise SystemExit(f"the build ended with {build.returncode}")
    found: dict[str, Any] = json.loads(build.communicate()[0].splitlines()[-1])
    seconds = found.pop("seconds") - stopped
    rate, alone_rate = found["images"] / seconds, len(rates) / sum(1 / rate for rate in rates)
    return {
        **found,
        "build_seconds": round(seconds, 1),
        "images_a_second": round(rate, 2),
        "encoder_alone_images_a_second": {"mean": round(alone_rate, 2), "each": rates},
        "build_over_encoder_alone": round(rate / alone_rate, 3),
    }


def _step(step: str, work: Path, images: int) -> subprocess.Popen[str]:
    command = [sys.executable, __file__, "--work", str(work), "--images", str(images), "--step", step]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _rate(timer: subprocess.Popen[str]) -> float:
    """Images a second of the encoder by itself, now."""
    print("go", file=timer.stdin, flush=True)
    for line in timer.stdout or ():
        return float(line)
    raise SystemExit("the process that times the encoder ended early")


def draw(folder: Path, drawings: Path, images: int) -> None:
    """`images` JPEG files in zips by split, with captions, in the layout of ROCOv2's archive."""
    if (folder / "done").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    drawings.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor() as pool:
        captions = list(pool.map(_drawn, range(DRAWINGS), [drawings] * DRAWINGS, chunksize=10))
    number = 0
    origins = [("ID", "PMCID", "Attribution", "Link")]
    for split, size in SPLITS.items():
        count = round(size * images / sum(SPLITS.values()))
        with (folder / f"{split}_captions.csv").open("w", newline="", encoding="utf-8") as file:
            rows = csv.writer(file)
            rows.writerow(("ID", "Caption"))
            with zipfile.ZipFile(folder / f"{split}_images.zip", "w", zipfile.ZIP_STORED) as packed:
                for n in range(count):
                    name = f"ROCOv2_2023_{split}_{n + 1:06d}"
                    packed.writestr(f"{split}/{name}.jpg", _variant(drawings, number))
                    rows.writerow((name, f"{captions[number % DRAWINGS]} Picture {number}."))
                    origins.append((name, f"PMC{number // 3}", "CC BY [Lumenscribe's drawings]", "none"))
                    number += 1
    with (folder / "license_information.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(origins)
    (folder / "done").touch()


def _drawn(number: int, folder: Path) -> str:
    """Draws one image into the folder and returns its caption."""
    made = render(KINDS[number % len(KINDS)], 10_000_000 + number)
    Image.fromarray(made.pixels).save(folder / f"{number:04d}.png")
    return made.caption


def _variant(drawings: Path, number: int) -> bytes:
    """The JPEG bytes of one picture: a drawing in a crop, a turn, a light and a size of its own."""
    rng = random.Random(number)
    with Image.open(drawings / f"{number % DRAWINGS:04d}.png") as opened:
        image = opened.convert("RGB")
    width, height = image.size
    share = rng.uniform(0.6, 1)
    left, top = rng.uniform(0, 1 - share) * width, rng.uniform(0, 1 - share) * height
    side = rng.randint(*LONGEST_SIDE_PX)
    size = (side, round(side * rng.uniform(0.7, 1)))
    image = image.resize(size, Image.Resampling.BILINEAR, (left, top, left + share * width, top + share * height))
    if rng.random() < 0.5:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    low, high = rng.randint(0, 40), rng.randint(200, 255)
    image = image.point([round(low + (high - low) * value / 255) for value in range(256)] * 3)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=rng.randint(75, 95))
    return buffer.getvalue()


@dataclass
class Memory:
    """Memory of this process while something runs: MiB in use beside the records there are, every two seconds."""

    database: Path
    samples: list[tuple[int, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Memory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def between(self, first: float, last: float) -> float:
        """The largest between two counts of records, 0 where there are no samples."""
        return max((mib for records, mib in self.samples if first <= records < last), default=0.0)

    def _watch(self) -> None:
        while not self._over.wait(2):
            self.samples.append((self._records(), round(rss_mib())))

    def _records(self) -> int:
        with suppress(sqlite3.Error), closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)) as connection:
            return int(connection.execute("SELECT coalesce(max(row), 0) FROM records").fetchone()[0])
        return 0


def rss_mib() -> float:
    """MiB of memory this process has now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def _config(folder: Path, out: Path) -> IndexConfig:
    return IndexConfig.model_validate({"out": str(out), "sources": [{"kind": "rocov2", "path": str(folder)}]})


def built(config: IndexConfig) -> dict[str, Any]:
    """The build."""
    out = Path(config.out)
    shutil.rmtree(out, ignore_errors=True)
    with Memory(out / DATABASE) as memory:
        start = time.perf_counter()
        report = build_index(config, progress=True)
        seconds = time.perf_counter() - start
    total = sum(report.counts.values())
    packed = Path(config.sources[0].path).glob("*.zip")
    return {
        "images": total,
        "failures": report.failed,
        "mean_kib_an_image": round(sum(file.stat().st_size for file in packed) / total / 1024, 1),
        "seconds": seconds,
        "peak_mib": round(machine.peak_mib()),
        "mib_at_10000_to_20000_images": round(memory.between(SETTLED, 2 * SETTLED)),
        "mib_over_the_last_10000_images": round(memory.between(total - SETTLED, total + 1)),
        "mib_on_disk": round(sum(file.stat().st_size for file in out.iterdir()) / 2**20),
    }


def alone(config: IndexConfig) -> None:
    """For each line that comes in, times the encoder on decoded images, in the build's own batches; prints a rate."""
    embedder = load_embedder(config.image_embedder)
    pictures = [item.image.load() for item in islice(_spread(config), ALONE)]
    embedder.embed_images(pictures[: config.batch_size])
    for _ in sys.stdin:
        start = time.perf_counter()
        for first in range(0, len(pictures), config.batch_size):
            embedder.embed_images(pictures[first : first + config.batch_size])
        print(round(len(pictures) / (time.perf_counter() - start), 2), flush=True)


def _spread(config: IndexConfig) -> Iterator[SourceImage]:
    """Images from all over the set, so that those timed alone are like the rest."""
    source = open_source(config.sources[0])
    yield from islice((item for item in source if isinstance(item, SourceImage)), 0, None, max(1, len(source) // ALONE))


if __name__ == "__main__":
    main()
