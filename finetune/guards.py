"""What stops a run that has gone wrong: a loss or gradient that is no number, a loss that runs away."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from finetune.errors import TrainingStopped

WINDOW = 10
"""Steps that the running loss is the mean of."""
_NAMED = 8
"""Records that a message names."""


def refuse_no_number(step: int, what: str, ids: Sequence[str], kept: str) -> TrainingStopped:
    """What to raise where `what` is no finite number in the batch of these records, on the way to `step`."""
    return TrainingStopped(
        f"step {step}: {what} is no finite number with {listed(ids)}. {kept} Look at these records, or lower "
        f"training.learning_rate, or take training.precision=fp32: the same again would end here too"
    )


def check_running(history: Iterable[Mapping[str, Any]], most: float, ids: Sequence[str], kept: str) -> None:
    """Raises TrainingStopped where the running loss is over `most` times its least so far, and over what it began with.

    `history` are the Trainer's log entries, those of steps with a `loss`. A loss that learned almost everything may
    waver many times its least without harm; one that is worse than at the start has lost what it knew.
    """
    steps = [(int(entry["step"]), float(entry["loss"])) for entry in history if "loss" in entry]
    if len(steps) <= WINDOW:
        return
    losses = [loss for _, loss in steps]
    running = [sum(losses[end - WINDOW : end]) / WINDOW for end in range(WINDOW, len(losses) + 1)]
    now, least = running[-1], min(running)
    if now > most * least and now > running[0]:
        raise TrainingStopped(
            f"step {steps[-1][0]}: the loss runs away, {now:.3g} on average over {WINDOW} steps after {least:.3g} "
            f"(checking.diverged={most:g}); the last batch had {listed(ids)}. {kept} Lower training.learning_rate or "
            f"raise training.warmup: the same again would end here too"
        )


def listed(ids: Sequence[str]) -> str:
    """`record a`, or `records a, b and 3 more`."""
    if len(ids) == 1:
        return f"record {ids[0]}"
    more = f" and {len(ids) - _NAMED} more" if len(ids) > _NAMED else ""
    return f"records {', '.join(ids[:_NAMED])}{more}"
