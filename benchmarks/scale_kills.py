"""Builds killed with SIGKILL at random moments, read all the while, and run again: is anything lost, doubled or wrong?

    python benchmarks/scale_kills.py --data ../shared/data --work .scratch/kills --kills 20

An index at generation 1 is changed to generation 2 (`kill_content.py`) by a process that is killed: at any moment since
its start, while it embeds, or when all is embedded, while it settles, switches generations and clears up. A
reader in a process of its own searches all through it (`kill_steps.py`). After each kill the index is opened, asked and
verified, and the build is started again, to be killed once more or to end. What it is in the end is held against the
same change that was never killed. Beside it: flipped bytes and full disks (`kill_damage.py`).
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import kill_content
from kill_damage import flipped, full_disks
from kill_processes import Build, Reader, Span

from indexer import open_index, verify_index

IMAGES, PASSAGES, BATCH = 450, 1200, 32
KILLS_A_TRIAL = (1, 1, 2, 3)
SPANS: tuple[Span, ...] = ("embedding", "publishing", "any moment", "switching", "embedding", "publishing")


@dataclass(frozen=True)
class Marks:
    """An unkilled build: seconds from its start to the first batch, to the first new file, to its end; records; calls
    and returns after the last batch.
    """

    first_batch_s: float
    switching_s: float
    end_s: float
    embedded: int
    events: int


@dataclass(frozen=True)
class Killed:
    """One kill: when it was to be, when it was, and what was found of the index then."""

    span: Span
    after_s: float
    batches: int
    generation: int
    answers: str
    verify: str


def measured(
    work: Path, data: Path, kills: int = 20, seed: int = 0, *, images: int = IMAGES, passages: int = PASSAGES
) -> dict[str, Any]:
    """All of it; `work` is a folder of its own, in which drawn images are kept for the next time."""
    work = work.absolute()
    kill_content.write(work, data, images, passages)
    questions = work / "questions.json"
    kill_content.write_questions(questions)
    first, whole = work / "first", work / "whole"
    shutil.rmtree(first, ignore_errors=True)
    first.mkdir()
    Build(kill_content.config(work, 1, first), first, work / "first.log").report()
    marks = unkilled(work, first, whole)
    print(f"unkilled: {marks}", file=sys.stderr)
    asked = kill_content.read_questions(questions)
    expected = {}
    for generation, folder in ((1, first), (2, whole)):
        with open_index(folder) as index:
            expected[generation] = kill_content.expected(index, asked)
            counts = {space: index.count(space) for space in sorted(index.spaces)}
    (work / "expected.json").write_text(json.dumps(expected), encoding="utf-8")
    trials = list(killed_and_ended(work, first, whole, expected, marks, kills, random.Random(seed)))
    return {
        "index": {"vectors": counts, "unkilled build": asdict(marks)},
        "kills": summed_up(trials, marks),
        "flipped bytes": flipped(whole, work / "flipped", asked, seed=seed),
        "full disks": full_disks(work, kill_content.content_hash(whole)),
    }


def unkilled(work: Path, first: Path, whole: Path) -> Marks:
    """Changes a copy of generation 1 to generation 2 without a kill."""
    shutil.rmtree(whole, ignore_errors=True)
    shutil.copytree(first, whole)
    log = work / "whole.log"
    log.unlink(missing_ok=True)
    build = Build(kill_content.config(work, 2, whole), whole, log)
    build.until("embedding")
    first_batch_s = build.seconds
    build.until("switching")
    switching_s = build.seconds
    report = build.report()
    return Marks(first_batch_s, switching_s, build.end_s, report["embedded"], report["events"])


def killed_and_ended(
    work: Path, first: Path, whole: Path, expected: dict[int, Any], marks: Marks, kills: int, rng: random.Random
) -> Iterator[dict[str, Any]]:
    """Trials, until so many kills were made: each is generation 1, some kills, and the build's end."""
    right, files = kill_content.content_hash(whole), vector_files(whole)
    made = number = tried = 0
    while made < kills:
        folder, log = work / "trial", work / "trial.log"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(first, folder)
        log.unlink(missing_ok=True)
        config = kill_content.config(work, 2, folder)
        with Reader(work, folder) as reader:
            found: list[Killed] = []
            for _ in range(min(rng.choice(KILLS_A_TRIAL), kills - made)):
                span, tried = SPANS[tried % len(SPANS)], tried + 1  # one that was missed is not tried again at once
                at = rng.randint(1, marks.events) if span == "publishing" else 0
                killed = kill(Build(config, folder, log, at), log, span, marks, rng)
                if killed is None:
                    break
                found.append(look(folder, expected, *killed))
            Build(config, folder, log).report()
        made, number = made + len(found), number + 1
        begun = sum(map(int, log.read_text().split()))
        print(f"trial {number}: {len(found)} kills, {made} of {kills}", file=sys.stderr)
        yield {
            "kills": found,
            "begun": begun,
            "same content": kill_content.content_hash(folder) == right,
            "same vector files": vector_files(folder) == files,
            "verified": verify_index(folder, embed=False).lines()[0].endswith("sound"),
            "reader": reader.seen,
        }


def kill(build: Build, log: Path, span: Span, marks: Marks, rng: random.Random) -> tuple[Span, float, int] | None:
    """Kills a build in a span of it; None where it ended before. What is left to embed shortens the spans."""
    done = sum(map(int, log.read_text().split())) if log.exists() else 0
    left = max(0.05, 1 - done / marks.embedded)
    lengths: dict[Span, float] = {
        "any moment": marks.first_batch_s + left * (marks.end_s - marks.first_batch_s),
        "embedding": left * (marks.switching_s - marks.first_batch_s),
        "switching": marks.end_s - marks.switching_s,
    }
    if span == "publishing":
        killed = build.kill_in(None)
    else:
        killed = build.until(span) and build.kill_in(rng.uniform(0, lengths[span]))
    if not killed:
        return None
    return span, build.seconds, len(log.read_text().split()) if log.exists() else 0


def look(folder: Path, expected: dict[int, Any], span: Span, after_s: float, batches: int) -> Killed:
    """What the index is after a kill."""
    asked = kill_content.read_questions(folder.parent / "questions.json")
    with open_index(folder) as index:
        generation = index.generation
        verdict = kill_content.judged(kill_content.answers(index, asked), expected[generation], asked)
    report = verify_index(folder, embed=False)
    sound = "problems: " + "; ".join(report.problems) if not report.ok else "half-built" if report.skipped else "clean"
    return Killed(span, after_s, batches, generation, verdict, sound)


def vector_files(folder: Path) -> dict[str, str]:
    """The SHA-256 of each space's vectors, as the manifest says."""
    with open_index(folder) as index:
        return {name: space.sha256 for name, space in index.manifest.spaces.items()}


def summed_up(trials: list[dict[str, Any]], marks: Marks) -> dict[str, Any]:
    """Counts over all trials, and each kill."""
    kills = [killed for trial in trials for killed in trial["kills"]]
    seen = [trial["reader"] for trial in trials]
    twice = [trial["begun"] - marks.embedded for trial in trials]
    return {
        "kills": len(kills),
        "trials": len(trials),
        "ended with the unkilled build's content hash": sum(trial["same content"] for trial in trials),
        "ended with its vector files, byte for byte": sum(trial["same vector files"] for trial in trials),
        "ended and verified": sum(trial["verified"] for trial in trials),
        "after a kill": {
            "answers": Counter(killed.answers for killed in kills),
            "verify": Counter(killed.verify for killed in kills),
            "generation": Counter(str(killed.generation) for killed in kills),
        },
        "reader": {
            "opened": sum(one["opened"] for one in seen),
            "searches": sum(one["searches"] for one in seen),
            "saw both generations": sum(one["generations"] == [1, 2] for one in seen),
            "rounds of questions": sum((Counter(one["verdicts"]) for one in seen), Counter()),
        },
        "records embedded": {
            "unkilled": marks.embedded,
            "twice, a kill": round(sum(twice) / len(kills), 1),
            "twice, most in a trial": max(twice),
            "batch": BATCH,
        },
        "each kill": [asdict(killed) for killed in kills],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--images", type=int, default=IMAGES)
    parser.add_argument("--passages", type=int, default=PASSAGES)
    args = parser.parse_args()
    found = measured(args.work, args.data, args.kills, args.seed, images=args.images, passages=args.passages)
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
