"""A comparison of runs as people read it in a terminal."""

from __future__ import annotations

from math import isnan

from evaluation.statistics.compare import Comparison
from evaluation.statistics.intervals import Estimate
from evaluation.statistics.runs import Compared, some
from evaluation.text_table import aligned

HEAD = ("metric", "run", "mean", "difference [interval]", "p", "effect size", "smallest shown", "verdict")
EFFECTS = {"paired d": "d", "rank-biserial correlation": "r", "odds ratio": "OR"}


def compared_text(found: Compared) -> str:
    """Every metric, the baseline first, with what was left out below."""
    several = next(iter(found.comparisons.values()))
    alpha = next(iter(several.values())).alpha
    lines = [
        f"{found.images} images of {found.articles} articles that all runs have; baseline {found.baseline}; "
        f"alpha {alpha:g}, two-sided" + (f", Holm across {len(several)} runs" if len(several) > 1 else ""),
        "",
        *aligned(_rows(found), left=(0, 1, len(HEAD) - 1)),
        "",
        "smallest shown: the true difference that 80 % of samples like this one would show; "
        "- where too few articles are there, or differ, to say it",
    ]
    tests = dict.fromkeys(each.test for compared in found.comparisons.values() for each in compared.values())
    for test in tests:
        tested = [
            found.titles[metric]
            for metric, compared in found.comparisons.items()
            if any(each.test == test for each in compared.values())
        ]
        lines.append(f"{test}: {', '.join(tested)}")
    lines += [f"not in {name}, left out: {some(ids)}" for name, ids in found.absent.items()]
    for metric, compared in found.comparisons.items():
        left = {name: each.left_out for name, each in compared.items() if each.left_out}
        lines += [f"{metric}: {count} images have no value in {name} or the baseline" for name, count in left.items()]
    lines += [f"{metric} was not compared: {why}" for metric, why in found.blank.items()]
    return "\n".join(lines)


def in_words(found: Comparison) -> str:
    """The verdict with what it rests on: `equivalent within 0.02`, `inconclusive: too few articles differ`."""
    if found.verdict == "equivalent":
        return f"equivalent within {found.margin:g}"
    if found.verdict == "inconclusive" and found.difference.low is None:
        return "inconclusive: too few articles differ"
    return found.verdict


def effect(found: Comparison) -> str:
    """The size of the effect with its measure, `d 0.31`; a dash where nothing differed."""
    return "-" if isnan(found.effect_size) else f"{EFFECTS[found.effect]} {found.effect_size:.2f}"


def _rows(found: Compared) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [HEAD]
    for metric, compared in found.comparisons.items():
        means = found.means[metric]
        title = found.titles[metric] + (", lower is better" if next(iter(compared.values())).lower_is_better else "")
        rows.append((title, found.baseline, f"{means[found.baseline].value:.3f}", "", "", "", "", "baseline"))
        for name, each in compared.items():
            p = each.p if each.p_adjusted is None else each.p_adjusted
            rows.append(
                (
                    "", name, f"{means[name].value:.3f}", _difference(each.difference), _p(p),
                    effect(each), "-" if isnan(each.smallest_detectable) else f"{each.smallest_detectable:.3f}",
                    in_words(each),
                )
            )  # fmt: skip
    return rows


def _difference(found: Estimate) -> str:
    ends = "no interval" if found.low is None else f"{found.low:+.3f}, {found.high:+.3f}"
    return f"{found.value:+.3f} [{ends}]"


def _p(p: float) -> str:
    return "<0.001" if p < 0.001 else f"{p:.3f}"
