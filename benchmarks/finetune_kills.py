"""Whether a run of `finetune run` that is killed again and again ends as one that nobody disturbed.

    python benchmarks/finetune_kills.py --work .scratch/kills --data data/finetune/medpix

The real command trains pocket on the first records of a prepared folder, once undisturbed and once with SIGKILL to its
process at random moments of its training (by --seed), started again each time. In fp32 on a CPU adapter and curve must
be the same bytes. Where each kill fell is told by what lay in the checkpoints' folder then.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import Any

from batch_steps import Command
from machine import save

COMPARED = ("adapter/adapter_model.safetensors", "adapter/adapter_config.json", "curve.csv")
_EACH_S = 0.02


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True, help="a folder of `finetune prepare`")
    parser.add_argument("--config", default="pocket-medpix")
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--records", type=int, default=48)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    work = args.work.resolve()
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    small = {
        "data.folder": args.data, "data.max_records": args.records, "training.max_steps": args.steps,
        "training.batch_size": 4, "training.accumulation": 2, "checking.every_steps": 2, "checking.texts": 0,
    }  # fmt: skip
    words = [sys.executable, "cli.py", "finetune", "run", args.config]
    words += [word for key, value in small.items() for word in ("--set", f"{key}={value}")]

    whole = work / "whole"
    command, err = start(words, whole, work / "whole.err")
    began_s = wait_for_training(command, err)
    ended = command.end()
    if ended.code:
        raise SystemExit(f"the undisturbed run failed: {err.read_text()[-500:]}")
    training_s = ended.wall_s - began_s
    killed = work / "killed"
    draw, kills = random.Random(args.seed), list[dict[str, Any]]()
    while len(kills) < args.kills:
        command, err = start(words, killed, work / f"killed-{len(kills)}.err")
        wait_for_training(command, err)
        wait_s = draw.uniform(0, 1.2 * training_s / (args.kills + 1))  # so that all fall before its end
        time.sleep(wait_s)
        command.tell(signal.SIGKILL, all_of_it=True)
        if command.end().code != -signal.SIGKILL:
            raise SystemExit("a run ended before it could be killed: take more --steps")
        lay = sorted(path.name for path in killed.glob("checkpoints/*"))
        kills.append({"after_s": round(wait_s, 2), "lay_there": lay})
        print(json.dumps(kills[-1]), flush=True)
    command, err = start(words, killed, work / "last.err")
    if command.end().code:
        raise SystemExit(f"the last run failed: {err.read_text()[-500:]}")
    sums = {name: [digest(folder / name) for folder in (whole, killed)] for name in COMPARED}
    result = {
        "config": args.config, "records": args.records, "steps": args.steps, "seed": args.seed,
        "training_s": round(training_s, 1), "kills": kills,
        "same_bytes": {name: one == other for name, (one, other) in sums.items()},
        "sha256": {name: one for name, (one, _) in sums.items()},
    }  # fmt: skip
    print(json.dumps(result["same_bytes"]))
    print(save("finetune_kills", result))


def start(words: list[str], out: Path, err: Path) -> tuple[Command, Path]:
    return Command([*words, "--out", str(out)], err.with_suffix(".out"), err, {"OMP_NUM_THREADS": "2"}), err


def wait_for_training(command: Command, err: Path) -> float:
    """Seconds until the bar of steps is there."""
    while "step/s" not in err.read_text() and "s/step" not in err.read_text():
        if command.poll():
            raise SystemExit(f"it ended before it trained: {err.read_text()[-500:]}")
        time.sleep(_EACH_S)
    return command.seconds


def digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


if __name__ == "__main__":
    main()
