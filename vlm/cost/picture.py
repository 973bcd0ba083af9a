"""The picture of a bench: memory and throughput by quantisation. Knows only what bench.json holds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any


def draw(results: dict[str, Any], path: Path, tell: Callable[[str], None]) -> None:
    """Writes a PNG; without matplotlib, or anything measured, says in one line that there is none."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        tell(f"{path.name} was not drawn, the rest is written. For pictures: pip install 'lumenscribe[bench]'")
        return
    rows = [row for row in results["measured"] if "error" not in row]
    if not rows:
        tell(f"{path.name} was not drawn: nothing was measured")
        return
    figure = Figure(figsize=(9, 4), layout="constrained")
    memory, speed = figure.subplots(1, 2)
    places = range(len(rows))
    for shift, (key, label) in enumerate([("reckoned_mib", "reckoned"), ("held_mib", "held by its tensors")]):
        memory.bar([place + 0.4 * shift - 0.2 for place in places], [row[key] for row in rows], 0.4, label=label)
    memory.set_xticks(list(places), [row["quantisation"] for row in rows])
    memory.set_ylabel("weights, MiB")
    memory.legend()
    for row in rows:
        done = [batch for batch in row["speed"] if "error" not in batch]
        speed.plot(
            [batch["batch"] for batch in done],
            [batch["tokens_per_s"] for batch in done],
            "o-",
            label=row["quantisation"],
        )
    speed.set_xlabel("batch")
    speed.set_ylabel("new tokens a second")
    speed.legend()
    figure.suptitle(f"{results['model']}, {results['weights']} weights, on {rows[0]['device']}")
    figure.savefig(path, dpi=120)
