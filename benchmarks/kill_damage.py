"""Flipped bytes in each file of an index, and disks that fill up while it is built.

    python benchmarks/kill_damage.py full-disk FIRST CONFIG MIB LOG

is what `full_disks` runs in a mount namespace of its own, where a small file system of memory is the disk.
"""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import kill_content

from indexer import IndexCorruptError, IndexerError, Query, build_index, open_index, verify_index

FLIPS = 25
SHARES = (0.02, 0.15, 0.3, 0.5)
"""Room on the disk, in parts of what the change needs."""
ROOM_MIB = 256


def flipped(index: Path, work: Path, asked: list[Query], *, seed: int) -> dict[str, Any]:
    """By file: what `verify` and a reader say of FLIPS copies of the index with one bit of it turned over."""
    rng = random.Random(f"flips/{seed}")
    with open_index(index) as opened:
        right = kill_content.answers(opened, asked)
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(index, work)
    found = {}
    for file in sorted(file for file in work.iterdir() if file.stat().st_size):
        whole = file.read_bytes()
        counts: Counter[str] = Counter()
        for _ in range(FLIPS):
            place, bit = rng.randrange(len(whole)), 1 << rng.randrange(8)
            file.write_bytes(whole[:place] + bytes([whole[place] ^ bit]) + whole[place + 1 :])
            verified = outcome(lambda: verify_index(work, embed=False).ok)
            counts["found by verify" if verified in (False, "refused") else f"NOT FOUND at {place}"] += 1
            answered = outcome(lambda: _answers(work, asked))
            counts[
                answered if isinstance(answered, str) else "right answer" if answered == right else "WRONG ANSWER"
            ] += 1
        file.write_bytes(whole)
        found[file.name] = dict(counts)
    if not verify_index(work, embed=False).ok:
        raise AssertionError(f"{work}: mended, and not sound")
    return {"flips a file": FLIPS, **found}


def outcome(ask: Callable[[], Any]) -> Any:
    """What `ask` gives; "refused" where the index says in one line that it is damaged; else the error's name."""
    try:
        return ask()
    except IndexCorruptError as error:
        return "refused" if "damaged" in str(error) and "\n" not in str(error) else f"UNCLEAR: {error}"
    except Exception as error:  # noqa: BLE001 - whatever it is, it is counted
        return f"{type(error).__name__}: {error}"


def _answers(folder: Path, asked: list[Query]) -> list[Any]:
    with open_index(folder) as index:
        return kill_content.answers(index, asked)


def full_disks(work: Path, right: str) -> dict[str, Any]:
    """By share of the room that is needed: how the change of generation 1 ends there, and after room was made."""
    size = {name: _size(work / name) for name in ("first", "whole")}
    growth = 2 * (size["whole"] - size["first"])  # SQLite's journal and the old vectors are there meanwhile
    found: dict[str, Any] = {"index_mib": {name: round(bytes_ / 2**20, 1) for name, bytes_ in size.items()}}
    disk = work / "disk"
    disk.mkdir(exist_ok=True)
    config = kill_content.config(work, 2, disk / "index")
    config = config.rename(work / "disk.2.yaml")
    for share in SHARES:
        kib = (size["first"] + round(share * growth)) // 1024 + 64
        command = [sys.executable, __file__, "full-disk", str(work / "first"), str(config), str(kib), str(work)]
        done = subprocess.run(["unshare", "--mount", "--map-root-user", *command], capture_output=True, text=True)
        if done.returncode != 0:
            found[f"room {share:.0%}"] = f"not measured: {done.stderr.strip().splitlines()[-1]}"
            continue
        said = json.loads(done.stdout.splitlines()[-1])
        said["same content once there is room"] = said.pop("content") == right
        found[f"room {share:.0%}"] = said
    return found


def full_disk(first: Path, config: Path, kib: str, work: Path) -> dict[str, Any]:
    """One of them, in its own mount namespace."""
    disk = work / "disk"
    index = disk / "index"
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={kib}k", "none", str(disk)], check=True)
    shutil.copytree(first, index)
    error = ""
    try:
        build_index(config, progress=False)
    except IndexerError as said:
        error = str(said)
    except Exception as said:  # noqa: BLE001 - whatever it is, it is written down; the index must be whole all the same
        error = f"UNCLEAR: {type(said).__name__}: {said}"
    asked = kill_content.read_questions(work / "questions.json")
    verified = verify_index(index, embed=False)
    right = json.loads((work / "expected.json").read_text(encoding="utf-8"))[str(verified.generation)]
    found = {
        "error": error.replace(str(work), "WORK") or "none: it fitted",
        "generation": verified.generation,
        "verified": verified.ok,
        "answers": kill_content.judged(_answers(index, asked), right, asked),
    }
    subprocess.run(["mount", "-o", f"remount,size={ROOM_MIB}m", str(disk)], check=True)
    report = build_index(config, progress=False)
    return {**found, "kept of what was embedded": report.unchanged, "content": kill_content.content_hash(index)}


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.iterdir())


def main() -> None:
    _, first, config, kib, work = sys.argv[1:]
    print(json.dumps(full_disk(Path(first), Path(config), kib, Path(work))))


if __name__ == "__main__":
    main()
