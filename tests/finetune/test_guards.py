"""What stops a run, and the words for it."""

from __future__ import annotations

import pytest

from finetune.errors import TrainingStopped
from finetune.guards import WINDOW, check_running, listed


def history(*losses: float) -> list[dict[str, float]]:
    return [{"step": step, "loss": loss} for step, loss in enumerate(losses, start=1)]


def test_a_loss_that_runs_away_is_told_with_step_and_records() -> None:
    falling = [3.0 - 0.1 * step for step in range(20)]
    rising = [1.0 * 1.5**step for step in range(12)]
    told = falling + rising
    stopped = None
    for end in range(1, len(told) + 1):
        try:
            check_running([*history(*told[:end]), {"step": end, "eval_loss": 9.0}], 4.0, ["a", "b"], "Kept.")
        except TrainingStopped as error:
            stopped = end, str(error)
            break
    assert stopped is not None
    step, message = stopped
    assert step > len(falling)
    assert message.startswith(f"step {step}: the loss runs away")
    assert "records a, b" in message
    assert "Kept." in message


@pytest.mark.parametrize(
    "losses",
    [
        [3.0] * 40,
        [3.0, 9.0, 3.0, 1.0, 0.5] * 8,  # noise
        [2.0] * WINDOW + [0.001] * 20 + [0.1] * 20,  # learned by heart, and wavering
        [1.0, 100.0],  # too few to tell
    ],
)
def test_a_loss_that_only_wavers_goes_on(losses: list[float]) -> None:
    for end in range(1, len(losses) + 1):
        check_running(history(*losses[:end]), 4.0, ["a"], "")


def test_records_are_named_up_to_a_point() -> None:
    assert listed(["a"]) == "record a"
    assert listed(["a", "b"]) == "records a, b"
    assert listed([str(n) for n in range(12)]) == "records 0, 1, 2, 3, 4, 5, 6, 7 and 4 more"
