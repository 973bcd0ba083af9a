"""What becomes of `batch` where images, disks, servers and workers fail.

    python benchmarks/batch_faults.py --work .scratch/faults --folder IMAGES --images 600

- `images`: 2 % bad ones (as many of each kind of `batch_bad_images.py`, at least one) in a record file among the good
  and some odd ones: all bad in the failures, with the right reason and nothing else; all others described.
- `disk`: the results on a file system of memory that has room for a share of them (in a mount namespace of its own),
  then with room; and on one that is read-only, then not. How the command ends, and that it goes on to the same set.
- `server`: the stand-in of `batch_server.py` killed when it has answered a third, then started again.
- `workers`: two workers, one killed in the middle: processes (`--workers 2`), and a local Ray cluster (`--engine ray
  --workers 2`). The set, each once, equal to a run that nobody disturbed (fp32; seconds and threads set aside).

A command that gives up must say so in one line, with exit code 2; the same command then goes on.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
from batch_bad_images import BAD, ODD, right
from batch_server import Server
from batch_steps import Command, Ended, batch, lines_of, said
from machine import save

from batch.run_folder import read_run

FP32 = ("--set", "model.dtype=fp32", "--set", "model.vision_dtype=model")
SHARES = (0.1, 0.4, 0.8)
BAD_SHARE = 0.02
_NOT_OURS = ("timings_s", "run")
"""Of a record: seconds, and what it ran on."""


def main() -> None:
    if sys.argv[1:2] == ["disk"]:
        print(json.dumps(on_a_disk(*sys.argv[2:])))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--folder", type=Path, required=True, help="of good JPEG images")
    parser.add_argument("--images", type=int, default=600)
    parser.add_argument("--few", type=int, default=192, help="for disks, servers and workers (default: 192)")
    parser.add_argument("--index", default="starter", help="as the command's own (default: starter)")
    parser.add_argument("--only", action="append", choices=("images", "disk", "server", "workers"))
    args = parser.parse_args()
    work = (args.work / "faults").resolve()
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    files = sorted(args.folder.resolve().iterdir())
    few = work / "few"
    few.mkdir()
    for file in files[: args.few]:
        os.link(file, few / file.name)
    faults = Faults(work, few, ("--index", args.index, "--progress", "json", *FP32))
    steps: dict[str, Callable[[], dict[str, Any]]] = {
        "images": lambda: faults.images(files[: args.images]),
        "disk": faults.disk,
        "server": faults.server,
        "workers": faults.workers,
    }
    result: dict[str, Any] = {"images": args.images, "few": args.few, "index": args.index}
    for name, step in steps.items():
        if name in (args.only or steps):
            result[name] = step()
            print(json.dumps({name: result[name]}, indent=1), flush=True)
    print(save("batch_faults" if args.images >= 600 and not args.only else "batch_faults_part", result))


class Faults:
    """One folder of work, one of images, one set of options."""

    def __init__(self, work: Path, few: Path, options: tuple[str, ...]) -> None:
        self._work, self._few, self._options = work, few, options

    def run(self, given: Path, out: Path, *options: str) -> tuple[Ended, Path]:
        command, err = self.start(given, out, *options)
        return command.end(), err

    def start(self, given: Path, out: Path, *options: str) -> tuple[Command, Path]:
        err = self._work / f"{out.name}.err"
        return Command(batch(given, out, *self._options, *options), err.with_suffix(".out"), err), err

    def images(self, files: list[Path]) -> dict[str, Any]:
        """Bad images and odd ones among good ones."""
        folder = self._work / "mixed"
        folder.mkdir()
        each = max(1, round(BAD_SHARE * len(files) / len(BAD)))
        records, bad, odd = [], dict[str, str](), list[str]()
        for number, file in enumerate(files):
            os.link(file, folder / file.name)
            records.append((f"good-{number}", file.name))
        for kind, (make, _) in BAD.items():
            for number in range(each):
                home = folder / f"bad-{number}"
                home.mkdir(exist_ok=True)
                name = f"{kind} {number}"
                bad[name] = kind
                place = number * len(BAD) + list(BAD).index(kind)
                image = f"{home.name}/{make(home, files[place % len(files)].read_bytes())}"
                records.insert((place * 37) % len(records), (name, image))
        for kind, make_odd in ODD.items():
            odd.append(kind)
            records.insert(len(records) // 2, (kind, make_odd(folder, files[0].read_bytes())))
        rows = (json.dumps({"id": id_, "image": image}, ensure_ascii=False) for id_, image in records)
        (folder / "records.jsonl").write_text("\n".join(rows) + "\n", encoding="utf-8")
        out = self._work / "out-mixed"
        ended, err = self.run(folder / "records.jsonl", out)
        if not (out / "current").exists():
            raise SystemExit(f"ended with {ended.code}: {said(err)[-3:]}")
        run = read_run(out)
        described = Counter(row.id for row in run.descriptions())
        failed = {row.id: row for row in run.failures}
        wanted = {id_ for id_, _ in records} - set(bad)
        reasons = {kind: failed[name].reason for name, kind in bad.items() if name in failed}
        fitting = {name for name, kind in bad.items()
                   if name in failed and right(kind, failed[name].image, failed[name].reason)}  # fmt: skip
        return {
            "records": len(records), "bad": len(bad), "kinds": len(BAD), "odd": len(odd), "exit_code": ended.code,
            "bad, in the failures": sum(name in failed for name in bad),
            "bad, with the right reason": len(fitting),
            "bad, but described": [name for name in bad if name in described],
            "wrong reasons": sorted({kind for name, kind in bad.items() if name not in fitting}),
            "others": len(wanted), "others, described once": sum(described[id_] == 1 for id_ in wanted),
            "others, in the failures": [failed[id_].reason for id_ in wanted if id_ in failed],
            "reasons": {kind: reason.replace(str(folder), "IMAGES") for kind, reason in reasons.items()},
        }  # fmt: skip

    def disk(self) -> dict[str, Any]:
        """Full ones and one that is read-only."""
        self.undisturbed()
        size = sum(file.stat().st_size for file in (self._work / "out-few").rglob("*") if file.is_file())
        found: dict[str, Any] = {"kib_of_the_whole": size >> 10}
        for share in (*SHARES, 0.0):
            words = [sys.executable, __file__, "disk", str(self._work), str(int(share * size) >> 10), *self._options]
            done = subprocess.run(["unshare", "--mount", "--map-root-user", *words], capture_output=True, text=True)
            name = f"room for {share:.0%}" if share else "read-only"
            if done.returncode:
                found[name] = f"not measured: {done.stderr.strip().splitlines()[-1]}"
            else:
                found[name] = json.loads(done.stdout.splitlines()[-1])
        return found

    def undisturbed(self) -> None:
        """A run of the few images in `out-few`, made once."""
        if not (self._work / "out-few").exists():
            ended, err = self.run(self._few, self._work / "out-few", "--workers", "2")
            if ended.code:
                raise SystemExit(f"ended with {ended.code}: {said(err)[-3:]}")

    def server(self) -> dict[str, Any]:
        """One that dies in the middle."""
        out = self._work / "out-server"
        count = len(list(self._few.iterdir()))
        with Server() as server:
            asks = ("--model", "server", "--set", f"model.url={server.url}", "--block", "16")
            command, err = self.start(self._few, out, *asks)
            answered = 0.0
            while command.poll() is None and answered < count / 3:
                answered += server.seen()["answered"]
                time.sleep(0.1)
        died = told(command.end(), err)
        with Server(port=server.port):
            again, err = self.run(self._few, out, *asks)
        return {"answered before": answered, "died": died, "again": told(again, err), **same_ids(out, self._few)}

    def workers(self) -> dict[str, Any]:
        """One of two workers killed."""
        self.undisturbed()
        found: dict[str, Any] = {}
        for name, options in (("processes", ()), ("ray", ("--engine", "ray"))):
            out = self._work / f"out-{name}"
            command, err = self.start(self._few, out, *options, "--workers", "2", "--block", "16")
            victim = kill_a_worker(command, err)
            ended = command.end()
            if not (out / "current").exists():
                found[name] = f"not measured: {told(ended, err)}"
                continue
            found[name] = {"killed": victim, "ended": told(ended, err), **same_ids(out, self._few),
                           **compared(out, self._work / "out-few")}  # fmt: skip
        return found


def kill_a_worker(command: Command, err: Path) -> str:
    """SIGKILL to the largest process below the first once something is described and something is left."""
    while command.poll() is None:
        if any(line["described"] and line["left"] for line in lines_of(err)):
            below = psutil.Process(command.pid).children(recursive=True)
            sizes = []
            for process in below:
                with suppress(psutil.Error):
                    sizes.append((process.memory_info().rss, process.pid, process))
            if sizes:
                process = max(sizes)[-1]
                with suppress(psutil.Error):
                    name = process.name()
                    process.kill()
                    return str(name)
        time.sleep(0.05)
    return "none: it ended before"


def told(ended: Ended, err: Path) -> dict[str, Any]:
    """How a command ended, and what it said to people last."""
    lines = said(err)
    left = [line["left"] for line in lines_of(err)]
    errors = [line for line in lines if line.startswith("error:")]
    return {
        "exit_code": ended.code, "errors": errors, "lines": len(lines), "traceback": "Traceback" in " ".join(lines),
        "left": left[-1] if left else None,
    }  # fmt: skip


def same_ids(out: Path, images: Path) -> dict[str, Any]:
    ids = Counter(row.id for row in read_run(out).descriptions())
    wanted = {file.stem for file in images.iterdir()} | {file.name for file in images.iterdir()}
    return {"described": ids.total(), "each once": set(ids.values()) == {1}, "ids of the input": set(ids) <= wanted}


def compared(out: Path, undisturbed: Path) -> dict[str, Any]:
    """Records of a folder beside those of a run that nobody disturbed."""
    found, wanted = (records(folder) for folder in (out, undisturbed))
    return {"same set": found.keys() == wanted.keys(), "records equal": sum(
        found.get(id_) == record for id_, record in wanted.items())}  # fmt: skip


def records(folder: Path) -> dict[str, str]:
    found = {}
    for row in read_run(folder).descriptions():
        record = {key: value for key, value in json.loads(row.record).items() if key not in _NOT_OURS}
        found[row.id] = json.dumps(record, sort_keys=True)
    return found


def on_a_disk(work: str, kib: str, *options: str) -> dict[str, Any]:
    """In a mount namespace of its own: the command on a disk of so many KiB (0: read-only), then with that mended."""
    disk = Path(work) / "disk"
    disk.mkdir(exist_ok=True)
    faults = Faults(Path(work), Path(work) / "few", options)
    room = f"size={kib}k" if kib != "0" else "size=64m,ro"
    subprocess.run(["mount", "-t", "tmpfs", "-o", room, "none", str(disk)], check=True)
    first = told(*faults.run(faults._few, disk / "out", "--workers", "2"))
    first["errors"] = [line.replace(work, "WORK") for line in first["errors"]]
    subprocess.run(["mount", "-o", "remount,rw,size=256m", str(disk)], check=True)
    again = told(*faults.run(faults._few, disk / "out", "--workers", "2"))
    return {"first": first, "again": again, **compared(disk / "out", Path(work) / "out-few")}


if __name__ == "__main__":
    main()
