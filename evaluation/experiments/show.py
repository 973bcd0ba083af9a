"""An experiment's results as people read them in a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from evaluation.experiments.results import Results
from evaluation.statistics.compare import Comparison
from evaluation.statistics.intervals import Estimate
from evaluation.statistics.table import effect
from evaluation.statistics.verdicts import Judged
from evaluation.text_table import aligned


def text(results: Results) -> str:
    """What was compared, the figures, what the arms cost, the comparisons and their verdicts."""
    parts = [_head(results), _figures(results), _costs(results), _comparisons(results), _pairs(results)]
    return "\n\n".join(part for part in [*parts, _missing(results)] if part)


def _head(results: Results) -> str:
    experiment, config = results.experiment, results.experiment.config
    images = experiment.images
    articles = len({case.group for case in images.cases})
    left_out = f", {len(results.left_out)} of them left out: they failed in some arm" if results.left_out else ""
    margin = "none, so no arm can be called equivalent" if config.primary.margin is None else f"{config.primary.margin}"
    looks = "" if results.looks is None else f"; {len(results.looks.taken)} looks, always-valid"
    lines = [
        f"{experiment.name}: {len(images.cases)} images of {articles} articles, set {images.name}{left_out}; "
        f"{len(experiment.arms)} arms",
        f"verdicts by {results.primary}, margin {margin}, alpha {config.alpha}{looks}; baseline {config.baseline}",
    ]
    return "\n".join([config.note, *lines] if config.note else lines)


def _figures(results: Results) -> str:
    """A line an arm: how many of its texts are not the baseline's, the primary metric with its interval, its gain over
    shuffled texts, and the other metrics."""
    metric = results.experiment.config.primary.metric
    others = [name for name in results.recipes if name != metric and "." not in name and not results.recipes[name].unit]
    head = ["arm", "changed", f"{metric} [95 %]", "above shuffled", *others]
    rows = []
    for name, arm in results.arms.items():
        gain = arm.gains.get(metric)
        changed = "" if name == results.experiment.config.baseline else f"{arm.texts_changed} of {arm.n}"
        figures = [_figure(arm.figures.get(other)) for other in others]
        rows.append([_name(results, name), changed, interval(arm.figures.get(metric)), interval(gain), *figures])
    for name, foil in results.foils.items():
        figures = [_figure(foil.get(other)) for other in others]
        rows.append([f"foil: {name}", "", interval(foil.get(metric)), "", *figures])
    return table(head, rows)


def _costs(results: Results) -> str:
    head = ["arm", "images", "seconds", "images/s", "tokens read", "written", "peak MiB", "GPU MiB", "model MiB"]
    rows = []
    for name, arm in results.arms.items():
        cost = arm.cost
        stopped = "" if arm.stopped_after is None else f" (stopped after {arm.stopped_after})"
        gpu = "" if cost.gpu_peak_mib is None else number(cost.gpu_peak_mib)
        rows.append([
            _name(results, name) + stopped, str(cost.images), f"{cost.seconds:.0f}", number(cost.images_a_second, 2),
            number(cost.prompt_tokens), number(cost.new_tokens), number(cost.peak_mib), gpu, number(cost.model_mib, 1),
        ])  # fmt: skip
    return table(head, rows)


def _comparisons(results: Results) -> str:
    found = results.comparisons[results.primary]
    title = f"{results.primary} against {results.experiment.config.baseline}, p by Holm over {_arms(len(found))}"
    return f"{title}\n{_differences('arm', [(name, one) for name, one in found.items()])}"


def _pairs(results: Results) -> str:
    if not results.pairs:
        return ""
    rows = [(f"{second} - {first}", one) for first, second, one in results.pairs]
    return f"{results.primary}, pairs asked for, p by Holm over {len(rows)}\n{_differences('second - first', rows)}"


def _differences(head: str, rows: Sequence[tuple[str, Judged]]) -> str:
    cells = []
    for name, found in rows:
        p = found.p if found.p_adjusted is None else found.p_adjusted
        line = [name, interval(found.difference, signed=True), f"{p:.2g}"]
        if isinstance(found, Comparison):
            line += [effect(found), number(found.smallest_detectable, 3)]
        else:
            line += ["", ""]
        cells.append([*line, found.verdict])
    level = f"{100 * (1 - rows[0][1].alpha):g} %"
    return table([head, f"difference [{level}]", "p", "effect", "detectable", "verdict"], cells)


def _missing(results: Results) -> str:
    return "\n".join(f"no {name}: {why}" for name, why in results.missing.items())


def table(head: Sequence[str], rows: Sequence[Sequence[str]], left: Sequence[int] = (0,)) -> str:
    """Columns as wide as they must be, those of `left` to the left and the others to the right; none that is empty."""
    cells = [list(head), *map(list, rows)]
    kept = [column for column in range(len(head)) if column == 0 or any(row[column] for row in cells[1:])]
    rows = [[row[column] for column in kept] for row in cells]
    return "\n".join(aligned(rows, [place for place, column in enumerate(kept) if column in left]))


def _name(results: Results, name: str) -> str:
    return f"{name} (baseline)" if name == results.experiment.config.baseline else name


def _figure(estimate: Estimate | None) -> str:
    return "-" if estimate is None else f"{estimate.value:.3f}"


def interval(estimate: Estimate | None, signed: bool = False) -> str:
    """`0.712 [0.655, 0.768]`."""
    if estimate is None:
        return "-"
    rounded = round(estimate.value, 3) or 0.0  # no -0.000
    value = f"{rounded:+.3f}" if signed else f"{rounded:.3f}"
    if estimate.low is None or estimate.high is None:
        return value
    return f"{value} [{estimate.low:.3f}, {estimate.high:.3f}]"


def number(value: float | None, digits: int = 0) -> str:
    """`1,204`; a dash for what is not known."""
    return "-" if value is None or value != value else f"{value:,.{digits}f}"


def _arms(count: int) -> str:
    return "1 arm" if count == 1 else f"{count} arms"
