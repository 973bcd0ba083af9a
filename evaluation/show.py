"""Results as people read them in a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from evaluation.ablation import scores
from evaluation.ablation.retrieval import Results
from evaluation.ablation.scores import TITLES, Row
from evaluation.calibration.calibrate import Calibrated
from evaluation.calibration.coverage import REPORTED
from evaluation.statistics.intervals import Estimate
from evaluation.statistics.verdicts import ALPHA
from evaluation.text_table import aligned


def retrieval_text(results: Results) -> str:
    """The arms, the foils and the differences, a line each."""
    measures = [scores.CONTENT, *results.images.lists, scores.ROUGE, scores.GAIN, scores.ABSTAINED, scores.SAME]
    compared = [scores.CONTENT, *results.images.lists, scores.GAIN]
    about = results.recipe["set"]
    made = results.recipe
    lines = [
        f"{about['images']} images of {about['articles']} articles, set {about['name']}; index {made['index']}; "
        f"{made['model']}, prompt {made['prompt']}",
        "",
        *_table("arm", list(results.arms.values()), measures),
        "",
        *_table("foil, nobody's description", results.foils, measures),
        "",
        *_table("difference (* p < 0.05 for not above 0)", results.differences, compared, whole=(scores.CONTENT,)),
        "",
    ]
    for arm, found in results.follows.items():
        if found.image and found.evidence:
            lines.append(
                f"{arm.name}: where image and evidence differ ({found.n}), {found.image.value:.0%} say what the image "
                f"shows, {found.evidence.value:.0%} what the evidence's does"
            )
    return "\n".join(lines)


def calibration_text(found: Calibrated) -> str:
    """What the calibration gains, in a few lines."""
    made = found.calibration.made_from
    return "\n".join(
        [
            f"{made['images']} descriptions of {made['articles']} articles, {made['right']} right; set {made['set']}, "
            f"index {made['index']}, {made['model']}",
            f"risk {found.curve.risk[-1]:.3f} with all kept, {_ends(found.risk)} at {REPORTED:.0%} coverage: "
            f"{_ends(found.fall)} of the errors' rate taken away; {_ends(found.fall_before)} by the score before",
            f"AURC {found.curve.aurc:.3f}; ideal {found.best.aurc:.3f}, random {found.curve.risk[-1]:.3f}",
            f"threshold {found.calibration.threshold:.3f} keeps {found.coverage:.0%}; use it with "
            "--set check.calibration=FILE",
        ]
    )


def figure(estimate: Estimate | None, whole: bool = False) -> str:
    """`0.912`, with a star where its p is under 0.05; with `whole`: `0.021 [0.004, 0.037] p=0.012`."""
    if estimate is None:
        return "-"
    if whole and estimate.low is not None and estimate.p is not None:
        return f"{estimate.value:.3f} [{estimate.low:.3f}, {estimate.high:.3f}] p={estimate.p:.2g}"
    star = "" if estimate.p is None else "*" if estimate.p < ALPHA else " "
    return f"{estimate.value:.3f}{star}"


def _ends(estimate: Estimate) -> str:
    return f"{estimate.value:.3f} [{estimate.low:.3f}, {estimate.high:.3f}]"


def _table(head: str, rows: Sequence[Row], measures: Sequence[str], whole: Sequence[str] = ()) -> list[str]:
    kept = [name for name in dict.fromkeys(measures) if any(name in row.figures for row in rows)]
    cells = [[head, *(TITLES.get(name, name) for name in kept)]]
    cells += [[row.name, *(figure(row.figures.get(name), name in whole) for name in kept)] for row in rows]
    return aligned(cells)
