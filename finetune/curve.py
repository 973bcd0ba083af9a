"""The curve of a run, from the Trainer's log: CSV and a picture. Knows nothing of models."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rag.starter import Tell

CURVE, PICTURE = "curve.csv", "curve.png"
SECONDS = "seconds"
"""Of each entry of the log: what was spent until then, in all sessions whose work is in the run."""
DEV = "dev_"
_LOGGED = "eval_"
"""How the Trainer begins the names of figures on the dev split."""
_OF_STEPS = ("epoch", "loss", "learning_rate", "grad_norm")
_SMOOTH = 0.9
"""Of what is drawn over the losses of single steps: an exponential mean."""


def rows(history: Iterable[Mapping[str, Any]]) -> list[dict[str, float]]:
    """A row a step: `step, epoch, loss, learning_rate, grad_norm, dev_loss, dev_...`, those that were logged then."""
    by_step: dict[int, dict[str, float]] = {}
    for entry in history:
        row = by_step.setdefault(int(entry["step"]), {"step": int(entry["step"])})
        row |= {name: entry[name] for name in _OF_STEPS if name in entry}
        row |= {DEV + key.removeprefix(_LOGGED): entry[key] for key in entry if key.startswith(_LOGGED)}
    return [by_step[step] for step in sorted(by_step) if len(by_step[step]) > 1]


def looks(history: Iterable[Mapping[str, Any]]) -> dict[int, dict[str, float]]:
    """The figures of each look at the dev split, by step."""
    looked = [row for row in rows(history) if f"{DEV}loss" in row]
    return {int(row["step"]): {k.removeprefix(DEV): v for k, v in row.items() if k.startswith(DEV)} for row in looked}


def seconds(history: Sequence[Mapping[str, Any]]) -> float:
    """What the steps and looks of the log took, dead sessions' lost steps left out."""
    return float(history[-1].get(SECONDS, 0.0)) if history else 0.0


def write_csv(folder: Path, history: Iterable[Mapping[str, Any]]) -> None:
    """Writes the curve in one step, over what is there."""
    table = rows(history)
    dev = list(dict.fromkeys(name for row in table for name in row if name.startswith(DEV)))
    part = folder / f"{CURVE}.part"
    with part.open("w", encoding="utf-8", newline="") as file:
        lines = csv.DictWriter(file, ["step", *_OF_STEPS, *dev])
        lines.writeheader()
        lines.writerows({name: f"{value:.8g}" for name, value in row.items()} for row in table)
    part.replace(folder / CURVE)


def draw(folder: Path, history: Iterable[Mapping[str, Any]], title: str, best: int | None, tell: Tell) -> None:
    """Writes the picture: losses above, metrics of texts below where there are any; `best` is marked.

    Without matplotlib it says in one line that there is none.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        tell(f"no {PICTURE}, for want of matplotlib: pip install 'lumenscribe[finetune]'")
        return
    table = rows(history)
    metrics = [name for name in dict.fromkeys(key for row in table for key in row) if name.startswith(DEV)]
    metrics = [name for name in metrics if name != f"{DEV}loss"]
    figure = Figure(figsize=(8, 6.5 if metrics else 4.2), layout="constrained")
    above, *below = figure.subplots(2 if metrics else 1, 1, squeeze=False, sharex=True)[:, 0]
    _losses(above, table)
    for axes in below:
        for name in metrics:
            axes.plot(*_points(table, name), marker="o", markersize=4, label=name.removeprefix(DEV))
        axes.set_ylabel("on a sample of dev")
    for axes in (above, *below):
        if best is not None:
            axes.axvline(best, color="0.6", linestyle=":", label=f"kept: step {best}")
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False)
    (*_, last) = (above, *below)
    last.set_xlabel("step")
    last.xaxis.get_major_locator().set_params(integer=True)
    above.set_title(title)
    figure.savefig(folder / PICTURE, dpi=120)


def _losses(axes: Any, table: Sequence[Mapping[str, float]]) -> None:
    steps, losses = _points(table, "loss")
    if losses:
        axes.plot(steps, losses, color="tab:blue", alpha=0.25, linewidth=0.8)
        axes.plot(steps, _smoothed(losses), color="tab:blue", label="loss (of each step, and their running mean)")
    looked, dev = _points(table, f"{DEV}loss")
    if dev:
        axes.plot(looked, dev, color="tab:orange", marker="o", markersize=4, label="dev loss")
    axes.set_ylabel("nats a token of the answer")


def _points(table: Sequence[Mapping[str, float]], name: str) -> tuple[list[float], list[float]]:
    known = [(row["step"], row[name]) for row in table if name in row]
    return [step for step, _ in known], [value for _, value in known]


def _smoothed(values: Sequence[float]) -> list[float]:
    """Exponential means without the bias of their beginning (Kingma and Ba, 2015, section 3)."""
    mean, smooth = 0.0, []
    for number, value in enumerate(values, start=1):
        mean = _SMOOTH * mean + (1 - _SMOOTH) * value
        smooth.append(mean / (1 - _SMOOTH**number))
    return smooth
