"""A step of the recipe's generator stage under bf16 autocast and in fp32, on this CPU, by turns.

    python benchmarks/pocket_step.py --data ../shared/data --work .scratch/pocket

`--work` is a folder in which `pocket.train` has come to its generator. Seconds a step (forward, backward and
optimisers), the mean over the same batches in each round. The model is a new one, and nothing is written to `--work`.
"""

from __future__ import annotations

import argparse
import itertools
import random
import time
from pathlib import Path
from typing import Any

import torch
from machine import save

from benchmarks.pocket_house import folder
from imaging.memory import keep_freed_memory
from pocket import generator
from pocket.train import RATE, SEED, Plan, Training

STEPS, ROUNDS = 12, 3


class Timed(Training):
    """Training whose last stage is timed and not done."""

    def _stage(self, name: str, result: Path, work: Any) -> None:  # noqa: ARG002 - the method it stands in for
        if name == "generator":
            print(save("pocket_step", self.timed()))
        elif not result.exists():  # nothing is trained: `work` is for the recipe itself
            raise SystemExit(f"pocket_step: {result} is missing; run pocket.train with --work {self.plan.work} first")

    def timed(self) -> dict[str, Any]:
        gather, schedule = self._gather, generator.Schedule(STEPS, RATE)
        model = generator.build(self.spelling, self.trunk)
        model.model.multi_modal_projector.register_forward_hook(lambda *hook: hook[2].float())
        samples = generator.encode(next(self._samples(SEED)), self.spelling)
        made = generator.batches(samples, schedule.batch_tokens, random.Random(SEED))
        batches = list(itertools.islice(made, STEPS))
        optimisers, objective = generator._optimisers(model, 1e-5), generator.Objective(self.spelling)
        rounds: dict[str, list[float]] = {"bf16": [], "fp32": []}
        for number in range(ROUNDS + 1):
            for name, seconds in rounds.items():
                begun = time.perf_counter()
                for batch in batches:
                    with torch.autocast("cpu", torch.bfloat16, enabled=name == "bf16"):
                        loss = objective.loss(model, batch, gather)
                    model.zero_grad(set_to_none=True)
                    loss.backward()  # type: ignore[no-untyped-call]
                    for optimiser in optimisers:
                        optimiser.step()
                if number:  # the first round warms up
                    seconds.append(round((time.perf_counter() - begun) / STEPS, 3))
                    print(name, seconds[-1], flush=True)
        return {"seconds_a_step": rounds, "threads": torch.get_num_threads(),
                "amx": bool(torch.cpu._is_amx_tile_supported())}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=folder, required=True, help="folder of the data sets")
    parser.add_argument("--work", type=Path, required=True, help="the recipe's work folder")
    args = parser.parse_args()
    keep_freed_memory()
    Timed(Plan(args.data, args.work / "out", args.work, device="cpu")).run()


if __name__ == "__main__":
    main()
