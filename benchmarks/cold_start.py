"""Where the time of a first `caption` goes, in fresh processes.

    python benchmarks/cold_start.py --image data/demo/smear.png --runs 5

Three things are measured: the whole command as a user runs it; `--help`; and, in processes that do what the
command does step by step, the seconds of each step and the heavy libraries that are loaded at the end.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from typing import Any

from machine import ROOT, save

HEAVY = ("torch", "torchvision", "open_clip", "timm", "transformers", "sentence_transformers", "peft", "bitsandbytes")
HEAVY += ("accelerate", "faiss", "langchain_core", "sklearn", "scipy", "skimage", "pandas", "pydicom", "matplotlib")

STEPS = """
import json, sys, time
marks = [("start", time.perf_counter())]
def mark(name): marks.append((name, time.perf_counter()))
image, prompt, heavy = sys.argv[1], sys.argv[2] or None, sys.argv[3].split(",")
import torch
mark("import torch")
import open_clip
mark("import open_clip")
from rag.config import resolve
from rag.requests import caption_requests
import rag.opening
mark("import of this program")
requests = caption_requests([image])
settings = resolve(prompt__template=prompt)
from rag.prompts import PromptTemplate
PromptTemplate.load(prompt or "few_shot")
mark("import langchain_core, read the prompt")
import faiss
mark("import faiss")
pipeline = rag.opening.open_pipeline(settings, requests)
pipeline.load()
mark("open the index, load the models, their imports")
record = next(iter(pipeline.run(requests))).to_json()
mark("describe")
print(json.dumps({
    "steps_s": {name: now - before for (_, before), (name, now) in zip(marks, marks[1:])},
    "timings_s": record["timings_s"],
    "loaded": [name for name in heavy if name in sys.modules],
}))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--image", required=True)
    parser.add_argument("--runs", type=int, default=5)
    args = parser.parse_args()
    caption = ["cli.py", "caption", "--image", args.image]
    commands = {
        "caption": caption,
        "caption, few_shot_passages": [*caption, "--prompt", "few_shot_passages"],
        "caption, --no-rag": [*caption, "--no-rag"],
        "--help": ["cli.py", "--help"],
    }
    wall: dict[str, list[float]] = {name: [] for name in commands}
    steps: dict[str, list[dict[str, Any]]] = {"few_shot": [], "few_shot_passages": []}
    run([*caption, "--json"])  # builds the starter index where there is none, fills the page cache
    for _ in range(args.runs):
        for name, command in commands.items():
            wall[name].append(run(command)[0])
        for prompt, several in steps.items():
            several.append(json.loads(run(["-c", STEPS, args.image, prompt, ",".join(HEAVY)])[1]))
    results = {
        "unit": "seconds, median of runs (all runs in `runs`)",
        "wall_s": {name: round(statistics.median(times), 2) for name, times in wall.items()},
        "steps_s": {prompt: medians([s["steps_s"] for s in several]) for prompt, several in steps.items()},
        "timings_s": {prompt: medians([s["timings_s"] for s in several]) for prompt, several in steps.items()},
        "loaded": {prompt: several[0]["loaded"] for prompt, several in steps.items()},
        "runs": {name: [round(t, 2) for t in times] for name, times in wall.items()},
    }
    print(json.dumps(results, indent=1))
    print(save("cold_start", results), file=sys.stderr)


def run(command: list[str]) -> tuple[float, str]:
    started = time.perf_counter()
    done = subprocess.run([sys.executable, *command], cwd=ROOT, capture_output=True, text=True, check=True)
    return time.perf_counter() - started, done.stdout


def medians(runs: list[dict[str, float]]) -> dict[str, float]:
    return {key: round(statistics.median(r[key] for r in runs), 3) for key in runs[0]}


if __name__ == "__main__":
    main()
